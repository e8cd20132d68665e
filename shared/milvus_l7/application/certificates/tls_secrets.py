"""The Secrets with the self-managed certificate: ours, one that the request names, or one that is adopted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from milvus_l7.domain.certificates import certificate_objects, key_pair
from milvus_l7.domain.certificates.key_pair import CertificateView
from milvus_l7.domain.kubernetes import adoption, kinds, manifests
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Permanent, Transient
from milvus_l7.domain.setup.desired import Desired
from milvus_l7.domain.setup.document import Setup
from milvus_l7.domain.setup.facts import Adopted, CertificateFacts, ServiceFacts
from milvus_l7.ports import Certificates, KubeObjects, Manifest, ObjectRef

SECRETS = 12  # of one Service at most, one a domain; a load balancer takes 15 certificates


@dataclass(frozen=True, slots=True)
class Provided:
    """The public half of the pair, and the record of its Secret if that is adopted."""

    certificate: CertificateFacts
    adopted: Adopted | None = None


@dataclass(frozen=True, slots=True)
class TlsSecrets:
    """The pairs of one setup."""

    objects: KubeObjects
    certificates: Certificates
    setup: Setup
    now: datetime
    ahead: timedelta  # how long before it ends a certificate of ours is replaced

    @property
    def desired(self) -> Desired:
        """Return what is wanted."""
        return self.setup.desired

    def named(self, name: str) -> Provided:
        """Return the pair in a Secret that the request names, which is only read.

        Raises `Permanent` with SECRET_NOT_FOUND, or CERTIFICATE_INVALID if it cannot serve the domain.
        """
        secret = self._read(name)
        if secret is None:
            message = f"Secret {name} does not exist in namespace {self.desired.namespace}"
            raise Permanent(Reason.SECRET_NOT_FOUND, message)
        return Provided(self._as_it_is(secret))

    def provide(self, service: ServiceFacts, last: str | None) -> Provided:
        """Return the pair in one of our Secrets that serves the domain; issued if there is none.

        The one in use, `last`, if it fits; else the first that does, so that an earlier domain gets its pair
        back; else the first number that is free. Renewed in place is only a pair that can serve nobody. A
        Secret of somebody else's that has such a name is adopted, if that is asked for: it is only read.
        """
        found = self._in_use(service, last)
        for number in range(1, SECRETS + 1):
            found = found or self._fitting(certificate_objects.secret_name(service, number))
        if found is not None:
            return found
        first, last_one = (certificate_objects.secret_name(service, number) for number in (1, SECRETS))
        message = (
            f"the Secrets {first} to {last_one} hold "
            "certificates of other domains; delete those that are needed no more, then publish again"
        )
        raise key_pair.invalid(message)

    def _in_use(self, service: ServiceFacts, last: str | None) -> Provided | None:
        if last is None or certificate_objects.secret_number(service, last) is None:
            return None
        secret = self._read(last)
        view = self._serving(secret) if secret is not None and manifests.is_ours(secret) else None
        fits = view is not None and key_pair.mismatch(view, self.desired.domain) is None
        return Provided(key_pair.facts(last, view)) if view is not None and fits else None

    def _fitting(self, name: str) -> Provided | None:
        """Return the pair in the Secret of the name, made if it is missing or broken.

        None if it is another domain's. Raises `Permanent` with SECRET_NOT_OURS or NOT_ADOPTABLE.
        """
        secret = self._read(name) or self._create(name)
        if not manifests.is_ours(secret):
            return self._foreign(secret)
        view = self._serving(secret) or self._renew(secret)
        if key_pair.mismatch(view, self.desired.domain) is not None:
            return None
        return Provided(key_pair.facts(name, view))

    def _foreign(self, secret: Manifest) -> Provided | None:
        """Return the pair of an adopted Secret, or of one that is to be; None if that is another domain's."""
        record = adoption.recorded(secret)
        known = self.setup.facts.adopted_as(record.kind, record.name)
        if known == record:
            view = self.certificates.inspect(key_pair.pair_in(secret))
            is_for_another = key_pair.mismatch(view, self.desired.domain) is not None
            return None if is_for_another else Provided(self._as_it_is(secret), record)
        if not self.desired.adopt:
            raise Permanent(Reason.SECRET_NOT_OURS, adoption.not_adopted(secret))
        try:
            found = self._as_it_is(secret)
        except Permanent as unfit:
            adoption.refuse_unfit(secret, f"does not fit: {unfit.message}")
            raise
        adoption.refuse_unfit(secret, None)
        return Provided(found, record)

    def _as_it_is(self, secret: Manifest) -> CertificateFacts:
        """Return the pair in a Secret that is not ours to mend. Raises `Permanent(CERTIFICATE_INVALID)`."""
        name = secret["metadata"]["name"]
        view = self.certificates.inspect(key_pair.pair_in(secret))
        fault = key_pair.fault(view, self.desired.domain, self.now)
        if fault is not None:
            raise key_pair.invalid(f"Secret {name}: {fault}")
        return key_pair.facts(name, view)

    def _serving(self, secret: Manifest) -> CertificateView | None:
        """Return the pair in the Secret; None if it can serve no domain."""
        try:
            view = self.certificates.inspect(key_pair.pair_in(secret))
        except Permanent:
            return None
        return view if key_pair.defect(view, self.now + self.ahead) is None else None

    def _read(self, name: str) -> Manifest | None:
        return self.objects.get(ObjectRef(*kinds.SECRET, self.desired.namespace, name))

    def _create(self, name: str) -> Manifest:
        """Create the Secret, and return it as it then is.

        Created, not applied: of two executions that race, one makes the pair and both use it.
        """
        pair = self.certificates.issue(self.desired.domain, self.desired.certificate.validity_days, self.now)
        self.objects.create(certificate_objects.tls_secret(self.desired, name, pair))
        secret = self._read(name)
        if secret is None:
            raise Transient(Reason.OBJECT_BEING_DELETED, f"Secret {name} was deleted as soon as it was made")
        return secret

    def _renew(self, secret: Manifest) -> CertificateView:
        """Put a new pair into our Secret, and return what it says of itself.

        Raises `Conflict` if the Secret has changed since it was read.
        """
        pair = self.certificates.issue(self.desired.domain, self.desired.certificate.validity_days, self.now)
        manifest = certificate_objects.tls_secret(self.desired, secret["metadata"]["name"], pair)
        if manifests.is_terminating(secret):
            message = f"Secret {secret['metadata']['name']} is being deleted"
            raise Transient(Reason.OBJECT_BEING_DELETED, message)
        self.objects.apply(manifests.onto(secret, manifest), force=True)
        return self.certificates.inspect(pair)
