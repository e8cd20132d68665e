"""The stage that provides the certificate: a TLS Secret, ours or one that the request names, or Google's.

A ManagedCertificate is provided as soon as it exists. It becomes Active only after an Ingress with an address
has it attached (GoogleCloudPlatform/gke-managed-certs#13), so waiting here would be waiting for ever.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from shared.domain import certificate, managed_certificate, manifests
from shared.domain.certificate import CertificateView
from shared.domain.errors import Permanent, Transient
from shared.domain.outcome import Done, Outcome
from shared.domain.reasons import Reason
from shared.domain.setup import CertificateFacts, Desired, ManagedFacts, Setup
from shared.ports import Certificates, Connections, KubeObjects, Manifest, ObjectRef
from shared.service import applying
from shared.service.applying import Target

LOOKS = 3  # for a ManagedCertificate; others may make one of the name, for other domains, at the same time


@dataclass(frozen=True, slots=True)
class ProvisionCertificate:
    """Owns the TLS Secret and the ManagedCertificates of the Service.

    A Secret that the request names is read only, and a ManagedCertificate is never edited.
    """

    connections: Connections
    certificates: Certificates

    def __call__(self, setup: Setup, now: datetime) -> Outcome:
        """Keep what fits, make what is missing, and put its public half into the facts.

        A second run writes nothing. Raises `Permanent` with SECRET_NOT_FOUND, SECRET_NOT_OURS or
        CERTIFICATE_INVALID, and `Transient(OBJECT_BEING_DELETED)`; no error holds anything of a key.
        """
        objects = self.connections.objects(setup.desired.cluster)
        if setup.desired.is_google_managed:
            return Done(replace(setup.facts, managed=_managed(objects, setup)))
        return Done(replace(setup.facts, certificate=self._in_secret(objects, setup, now)))

    def _in_secret(self, objects: KubeObjects, setup: Setup, now: datetime) -> CertificateFacts:
        desired = setup.desired
        work = _Work(objects, self.certificates, desired, now)
        if desired.certificate.secret is not None:
            return work.adopt(desired.certificate.secret)
        return work.provide(manifests.secret_name(manifests.service_of(setup)))


def _managed(objects: KubeObjects, setup: Setup) -> ManagedFacts:
    """The ManagedCertificate for exactly the desired domains, made beside the others if there is none.

    Created, not applied, and looked for again: of two executions that race, one makes it and both use it.
    """
    desired, service = setup.desired, manifests.service_of(setup).name
    kind = ObjectRef(managed_certificate.API_VERSION, managed_certificate.KIND, desired.namespace)
    last = setup.facts.managed.name if setup.facts.managed else None
    taken = {last} if last else set()
    for _ in range(LOOKS):
        views = managed_certificate.views(objects.list(kind, {}))
        found = managed_certificate.chosen(views, service, desired, last)
        if found is not None:
            return ManagedFacts(found.name, desired.domains)
        name = managed_certificate.next_name(service, {*taken, *(each.name for each in views)})
        objects.create(manifests.managed_certificate(desired, name))
        taken.add(name)
    raise Transient(
        Reason.OBJECT_BEING_DELETED, f"ManagedCertificate {name} was deleted as soon as it was made"
    )


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
