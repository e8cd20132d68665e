"""The stage that provides the certificate: a TLS Secret, ours or one that the request names, or Google's.

A ManagedCertificate is provided as soon as it exists. It becomes Active only after a load balancer with an
address has it attached (GoogleCloudPlatform/gke-managed-certs#13), so waiting here would never end.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from milvus_l7.application.certificates.tls_secrets import Provided, TlsSecrets
from milvus_l7.application.stages import adopting
from milvus_l7.domain.certificates import certificate_objects, key_pair, managed_certificate
from milvus_l7.domain.kubernetes import kinds
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Transient
from milvus_l7.domain.setup import document
from milvus_l7.domain.setup.document import Setup
from milvus_l7.domain.setup.facts import ManagedFacts
from milvus_l7.domain.setup.outcome import Done, Outcome
from milvus_l7.domain.setup.supervision import DriftPolicy
from milvus_l7.ports import Certificates, Connections, KubeObjects, ObjectRef, WriteAhead

NO_TIME = timedelta(0)
LOOKS = 3  # for a ManagedCertificate; others may make one of the name, for other domains, at the same time


@dataclass(frozen=True, slots=True)
class ProvisionCertificate:
    """Owns the TLS Secret and the ManagedCertificates of the Service.

    A Secret that the request names, or that is adopted, is read only; a ManagedCertificate is never edited.
    """

    connections: Connections
    certificates: Certificates
    ahead: WriteAhead

    def __call__(self, setup: Setup, now: datetime) -> Outcome:
        """Keep what fits, make what is missing, and put its public half into the facts.

        A pair for another domain is left alone: it serves on until the new one is verified. A second run
        writes nothing. Raises `Permanent` with SECRET_NOT_FOUND, SECRET_NOT_OURS, NOT_ADOPTABLE or
        CERTIFICATE_INVALID, and `Transient(OBJECT_BEING_DELETED)`; no error holds anything of a key.
        """
        objects = self.connections.objects(setup.desired.cluster)
        if setup.desired.is_google_managed:
            return Done(replace(setup.facts, managed=self._managed(objects, setup)))
        provided = self._in_secret(objects, setup, now)
        noted = adopting.noted(setup, provided.adopted, self.ahead)
        return Done(replace(noted.facts, certificate=provided.certificate))

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

    def _in_secret(self, objects: KubeObjects, setup: Setup, now: datetime) -> Provided:
        asked = setup.desired.certificate
        renews = setup.supervision.policy is DriftPolicy.REPAIR and setup.supervision.reissue_certificate
        ahead = key_pair.notice(asked.validity_days) if renews else NO_TIME
        secrets = TlsSecrets(objects, self.certificates, setup, now, ahead)
        if asked.secret is not None:
            return secrets.named(asked.secret)
        last = setup.facts.certificate.secret if setup.facts.certificate else None
        return secrets.provide(document.service_of(setup), last)
