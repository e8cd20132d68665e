"""What the cluster says of one setup, gathered for the verification checklist."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from milvus_l7.domain.dns.diagnosis import Lookup
from milvus_l7.domain.kubernetes import kinds
from milvus_l7.domain.kubernetes.manifests import Manifest
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.condition import Condition
from milvus_l7.domain.reasons.errors import Permanent, Transient
from milvus_l7.domain.setup.document import Setup
from milvus_l7.domain.setup.facts import CertificateFacts, ManagedFacts
from milvus_l7.domain.verification import issuance
from milvus_l7.domain.verification.issuance import CertificateObservation
from milvus_l7.ports import Endpoint, FrontendObservation, KubeObjects, ObjectRef


@dataclass(frozen=True)
class VerificationSnapshot:
    """What the checks look at."""

    setup: Setup
    managed: ManagedFacts | None  # the ManagedCertificate that is wanted; None: a Secret is
    endpoint: Endpoint
    certificate: Manifest | None  # the wanted ManagedCertificate or Secret
    frontend: FrontendObservation

    @property
    def provisioned(self) -> CertificateFacts | None:
        """Return the certificate of the Secret that is, or was, in use."""
        return self.setup.facts.certificate

    @property
    def warning(self) -> Condition | None:
        """Return what the controllers complain about; not that a certificate is missing that is there."""
        present = self.managed.name if self.managed and self.certificate else None
        return self.frontend.warning(present)

    def issuance(self, lookups: Mapping[str, Lookup]) -> CertificateObservation:
        """Return the part that the diagnosis of a Google-managed certificate looks at."""
        return issuance.CertificateObservation(
            wanted=managed_of(self.setup),
            address=self.endpoint.address,
            live=self.certificate,
            attached=self.frontend.attached,
            loaded=self.frontend.loaded,
            read_warning=lambda: self.warning,
            read_complaint=lambda: self.frontend.certificate_warning(managed_of(self.setup).name),
            unseen=lambda: self.frontend.unseen,
            lookups=lookups,
        )


def gather(objects: KubeObjects, setup: Setup, frontend: FrontendObservation) -> VerificationSnapshot:
    """Read everything else that the checklist needs.

    Raises `Permanent` if facts of earlier stages are missing, and `Transient(ADDRESS_PENDING)`.
    """
    namespace = setup.desired.namespace
    managed = managed_of(setup) if setup.desired.is_google_managed else None
    wanted = (
        ObjectRef(*kinds.MANAGED_CERTIFICATE, namespace, managed.name)
        if managed
        else ObjectRef(*kinds.SECRET, namespace, secret_of(setup).secret)
    )
    return VerificationSnapshot(setup, managed, _endpoint(setup, frontend), objects.get(wanted), frontend)


def managed_of(setup: Setup) -> ManagedFacts:
    """Return the ManagedCertificate in use. Raises `Permanent(MANAGED_CERTIFICATE_GONE)` if none is known."""
    if setup.facts.managed is None:
        message = "no ManagedCertificate is known for the setup; set it up again"
        raise Permanent(Reason.MANAGED_CERTIFICATE_GONE, message)
    return setup.facts.managed


def secret_of(setup: Setup) -> CertificateFacts:
    """Return the Secret in use. Raises `Permanent(SECRET_NOT_FOUND)` if none is known."""
    if setup.facts.certificate is None:
        raise Permanent(Reason.SECRET_NOT_FOUND, "no certificate is known for the setup; set it up again")
    return setup.facts.certificate


def _endpoint(setup: Setup, frontend: FrontendObservation) -> Endpoint:
    # The controller may have moved to another address since (kubernetes/ingress-gce, LIMITATIONS.md).
    address = frontend.address or setup.facts.address
    if address is None:
        raise Transient(Reason.ADDRESS_PENDING, "the load balancer reports no address")
    pem = None if setup.desired.is_google_managed else secret_of(setup).pem
    return Endpoint(address, setup.desired.domain, pem)
