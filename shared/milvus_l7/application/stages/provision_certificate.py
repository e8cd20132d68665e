"""The stage that provides the certificate: a TLS Secret, ours or one that the request names, or Google's.

A ManagedCertificate is provided as soon as it exists. It becomes Active only after a load balancer with an
address has it attached (GoogleCloudPlatform/gke-managed-certs#13), so waiting here would never end.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from milvus_l7.domain.certificates import certificate_objects, key_pair, managed_certificate
from milvus_l7.domain.certificates.key_pair import CertificateView
from milvus_l7.domain.kubernetes import kinds, manifests
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Permanent, Transient
from milvus_l7.domain.setup import document
from milvus_l7.domain.setup.desired import Desired
from milvus_l7.domain.setup.document import Setup
from milvus_l7.domain.setup.facts import CertificateFacts, ManagedFacts, ServiceFacts
from milvus_l7.domain.setup.outcome import Done, Outcome
from milvus_l7.domain.setup.supervision import DriftPolicy
from milvus_l7.ports import Certificates, Connections, KubeObjects, Manifest, ObjectRef, WriteAhead

NO_TIME = timedelta(0)
LOOKS = 3  # for a ManagedCertificate; others may make one of the name, for other domains, at the same time
SECRETS = 12  # of one Service at most, one a domain; a load balancer takes 15 certificates


@dataclass(frozen=True, slots=True)
class ProvisionCertificate:
    """Owns the TLS Secret and the ManagedCertificates of the Service.

    A Secret that the request names is read only, and a ManagedCertificate is never edited.
    """

    connections: Connections
    certificates: Certificates
    ahead: WriteAhead

    def __call__(self, setup: Setup, now: datetime) -> Outcome:
        """Keep what fits, make what is missing, and put its public half into the facts.

        A pair for another domain is left alone: it serves on until the new one is verified. A second run
        writes nothing. Raises `Permanent` with SECRET_NOT_FOUND, SECRET_NOT_OURS or CERTIFICATE_INVALID, and
        `Transient(OBJECT_BEING_DELETED)`; no error holds anything of a key.
        """
        objects = self.connections.objects(setup.desired.cluster)
        if setup.desired.is_google_managed:
            return Done(replace(setup.facts, managed=self._managed(objects, setup)))
        return Done(replace(setup.facts, certificate=self._in_secret(objects, setup, now)))

    def _managed(self, objects: KubeObjects, setup: Setup) -> ManagedFacts:
        """Return the ManagedCertificate for exactly the desired domains, made beside the others if missing.

        Created, not applied, and looked for again: of two executions that race, one makes it and both use it.
        Its name is stored first: a setup that knows of none never looks whether one is to be retired.
        """
        desired, service = setup.desired, document.service_of(setup).name
        kind = ObjectRef(*kinds.MANAGED_CERTIFICATE, desired.namespace)
        last = setup.facts.managed.name if setup.facts.managed else None
        taken = {last} if last else set()
        for _ in range(LOOKS):
            views = managed_certificate.views(objects.list(kind, {}))
            found = managed_certificate.chosen(views, service, desired, last)
            if found is not None:
                return ManagedFacts(found.name, desired.domains)
            name = managed_certificate.next_name(service, {*taken, *(each.name for each in views)})
            self.ahead.record(replace(setup.facts, managed=ManagedFacts(name, desired.domains)))
            objects.create(certificate_objects.managed_certificate(desired, name))
            taken.add(name)
        raise Transient(
            Reason.OBJECT_BEING_DELETED, f"ManagedCertificate {name} was deleted as soon as it was made"
        )

    def _in_secret(self, objects: KubeObjects, setup: Setup, now: datetime) -> CertificateFacts:
        desired = setup.desired
        renews = setup.supervision.policy is DriftPolicy.REPAIR and setup.supervision.reissue_certificate
        work = _Work(objects, self.certificates, desired, now, ahead=_notice(desired) if renews else NO_TIME)
        if desired.certificate.secret is not None:
            return work.adopt(desired.certificate.secret)
        last = setup.facts.certificate.secret if setup.facts.certificate else None
        return work.provide(document.service_of(setup), last)


def _notice(desired: Desired) -> timedelta:
    return key_pair.notice(desired.certificate.validity_days)


@dataclass(frozen=True, slots=True)
class _Work:
    objects: KubeObjects
    certificates: Certificates
    desired: Desired
    now: datetime
    ahead: timedelta  # how long before it ends a certificate of ours is replaced

    def adopt(self, name: str) -> CertificateFacts:
        """Return the pair in a Secret of the user's, which is only read.

        Raises `Permanent` with SECRET_NOT_FOUND, or CERTIFICATE_INVALID if it cannot serve the domain.
        """
        secret = self._read(name)
        if secret is None:
            message = f"Secret {name} does not exist in namespace {self.desired.namespace}"
            raise Permanent(Reason.SECRET_NOT_FOUND, message)
        view = self.certificates.inspect(key_pair.pair_in(secret))
        fault = key_pair.fault(view, self.desired.domain, self.now)
        if fault is not None:
            raise key_pair.invalid(f"Secret {name}: {fault}")
        return key_pair.facts(name, view)

    def provide(self, service: ServiceFacts, last: str | None) -> CertificateFacts:
        """Return the pair in one of our own Secrets that serves the domain; issued if there is none.

        The one in use, `last`, if it fits; else the first that does, so that an earlier domain gets its pair
        back; else the first number that is free. Renewed in place is only a pair that can serve nobody.
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

    def _in_use(self, service: ServiceFacts, last: str | None) -> CertificateFacts | None:
        if last is None or certificate_objects.secret_number(service, last) is None:
            return None
        secret = self._read(last)
        view = self._serving(secret) if secret is not None and manifests.is_ours(secret) else None
        fits = view is not None and key_pair.mismatch(view, self.desired.domain) is None
        return key_pair.facts(last, view) if view is not None and fits else None

    def _fitting(self, name: str) -> CertificateFacts | None:
        """Return the pair in our Secret of the name, made if it is missing or broken.

        None if it is another domain's. Raises `Permanent(SECRET_NOT_OURS)`.
        """
        secret = self._read(name) or self._create(name)
        if not manifests.is_ours(secret):
            message = f"Secret {name} in namespace {self.desired.namespace} was not made by milvus-l7"
            raise Permanent(Reason.SECRET_NOT_OURS, message)
        view = self._serving(secret) or self._renew(secret)
        if key_pair.mismatch(view, self.desired.domain) is not None:
            return None
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
