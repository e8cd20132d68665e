"""The stage that provides the TLS Secret: ours, or an existing one that the request names."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from shared.domain import certificate, manifests
from shared.domain.certificate import CertificateView
from shared.domain.errors import Permanent, Transient
from shared.domain.outcome import Done, Outcome
from shared.domain.reasons import Reason
from shared.domain.setup import CertificateFacts, Desired, Setup
from shared.ports import Certificates, Connections, KubeObjects, Manifest, ObjectRef
from shared.service import applying
from shared.service.applying import Target


@dataclass(frozen=True, slots=True)
class ProvisionCertificate:
    """Owns the TLS Secret `<service>-tls`; a Secret that the request names is read only."""

    connections: Connections
    certificates: Certificates

    def __call__(self, setup: Setup, now: datetime) -> Outcome:
        """Keep a valid pair, issue one where there is none; its public half goes into the facts.

        A second run writes nothing. Raises `Permanent` with SECRET_NOT_FOUND, SECRET_NOT_OURS or
        CERTIFICATE_INVALID; no error holds anything of a key.
        """
        desired = setup.desired
        work = _Work(self.connections.objects(desired.cluster), self.certificates, desired, now)
        if desired.certificate.secret is not None:
            found = work.adopt(desired.certificate.secret)
        else:
            found = work.provide(manifests.secret_name(manifests.service_of(setup)))
        return Done(replace(setup.facts, certificate=found))


@dataclass(frozen=True, slots=True)
class _Work:
    objects: KubeObjects
    certificates: Certificates
    desired: Desired
    now: datetime

    def adopt(self, name: str) -> CertificateFacts:
        """The pair in somebody else's Secret, if it can serve the domain."""
        secret = self._read(name)
        if secret is None:
            message = f"Secret {name} does not exist in namespace {self.desired.namespace}"
            raise Permanent(Reason.SECRET_NOT_FOUND, message)
        return certificate.facts(name, self._usable(secret))

    def provide(self, name: str) -> CertificateFacts:
        """The pair in our own Secret, issued if it is not there or cannot serve the domain."""
        secret = self._read(name) or self._create(name)
        if not manifests.is_ours(secret):
            message = f"Secret {name} in namespace {self.desired.namespace} was made by somebody else"
            raise Permanent(Reason.SECRET_NOT_OURS, message)
        try:
            view = self._usable(secret)
        except Permanent:
            view = self._renew(secret)
        return certificate.facts(name, view)

    def _read(self, name: str) -> Manifest | None:
        return self.objects.get(ObjectRef("v1", "Secret", self.desired.namespace, name))

    def _create(self, name: str) -> Manifest:
        """Created, not applied: of two executions that race, one makes the pair and both use it."""
        pair = self.certificates.issue(self.desired.domain, self.desired.certificate.validity_days, self.now)
        self.objects.create(manifests.tls_secret(self.desired, name, pair))
        secret = self._read(name)
        if secret is None:
            raise Transient(Reason.OBJECT_BEING_DELETED, f"Secret {name} was deleted as soon as it was made")
        return secret

    def _renew(self, secret: Manifest) -> CertificateView:
        """A new pair in our Secret; refused by the API server if the Secret has changed since it was read."""
        pair = self.certificates.issue(self.desired.domain, self.desired.certificate.validity_days, self.now)
        manifest = manifests.tls_secret(self.desired, secret["metadata"]["name"], pair)
        version = {"resourceVersion": secret["metadata"]["resourceVersion"]}
        versioned = {**manifest, "metadata": {**manifest["metadata"], **version}}
        applying.act(self.objects, Target(secret, versioned, force=True))
        return self.certificates.inspect(pair)

    def _usable(self, secret: Manifest) -> CertificateView:
        view = self.certificates.inspect(certificate.pair_in(secret))
        fault = certificate.fault(view, self.desired.domain, self.now)
        if fault is not None:
            raise certificate.invalid(f"Secret {secret['metadata']['name']}: {fault}")
        return view
