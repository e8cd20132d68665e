"""What the cluster says of one setup, gathered for the verification checklist."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from milvus_l7.domain.dns.diagnosis import Lookup
from milvus_l7.domain.frontend import backend_health, ingress_status
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.condition import Condition
from milvus_l7.domain.reasons.errors import Permanent, Transient
from milvus_l7.domain.setup import document
from milvus_l7.domain.setup.document import Setup
from milvus_l7.domain.setup.facts import CertificateFacts, ManagedFacts, ServiceFacts
from milvus_l7.domain.verification import issuance
from milvus_l7.ports import Endpoint, KubeObjects, Manifest, ObjectRef


@dataclass(frozen=True)
class VerificationSnapshot:
    """What the checks look at."""

    setup: Setup
    managed: ManagedFacts | None  # the ManagedCertificate that is wanted; None: a Secret is
    port: ServiceFacts
    endpoint: Endpoint
    certificate: Manifest | None  # the wanted ManagedCertificate or Secret
    service: Manifest | None
    ingress: Manifest | None
    read_events: Callable[[], Sequence[Manifest]]  # about the Ingress, oldest first

    @property
    def provisioned(self) -> CertificateFacts | None:
        """The certificate of the Secret that is, or was, in use."""
        return self.setup.facts.certificate

    @cached_property
    def events(self) -> Sequence[Manifest]:
        """The events about the Ingress, asked for only when something is to be explained."""
        return self.read_events() if self.ingress else ()

    @property
    def trouble(self) -> Condition | None:
        """What the controllers complain about; not that a ManagedCertificate is missing that is there."""
        present = {self.managed.name} if self.managed and self.certificate else set()
        return ingress_status.trouble(self.ingress, self.events, present)


def gather(objects: KubeObjects, setup: Setup) -> VerificationSnapshot:
    """Read everything that the checklist needs. Raises `Permanent` if facts of earlier stages are missing."""
    namespace, port = setup.desired.namespace, document.service_of(setup)
    managed = managed_of(setup) if setup.desired.is_google_managed else None
    ref = ObjectRef("networking.k8s.io/v1", "Ingress", namespace, port.name)
    wanted = (
        ObjectRef("networking.gke.io/v1", "ManagedCertificate", namespace, managed.name)
        if managed
        else ObjectRef("v1", "Secret", namespace, secret_of(setup).secret)
    )
    ingress = objects.get(ref)
    return VerificationSnapshot(
        setup=setup,
        managed=managed,
        port=port,
        endpoint=_endpoint(setup, ingress),
        certificate=objects.get(wanted),
        service=objects.get(ObjectRef("v1", "Service", namespace, port.name)),
        ingress=ingress,
        read_events=lambda: objects.events(ref),
    )


def diagnosed(scene: VerificationSnapshot, lookups: Mapping[str, Lookup]) -> issuance.CertificateObservation:
    """The part that the diagnosis of a Google-managed certificate looks at."""
    return issuance.CertificateObservation(
        wanted=managed_of(scene.setup),
        address=scene.endpoint.address,
        live=scene.certificate,
        ingress=scene.ingress,
        look_for_trouble=lambda: scene.trouble,
        lookups=lookups,
    )


def pods(objects: KubeObjects, scene: VerificationSnapshot) -> Sequence[Manifest]:
    """The Pods behind the Service."""
    labels = backend_health.selector(scene.service)
    return objects.list(ObjectRef("v1", "Pod", scene.setup.desired.namespace), labels) if labels else ()


def managed_of(setup: Setup) -> ManagedFacts:
    """The ManagedCertificate in use; `Permanent(MANAGED_CERTIFICATE_GONE)` if none is known."""
    if setup.facts.managed is None:
        message = "no ManagedCertificate is known for the setup; set it up again"
        raise Permanent(Reason.MANAGED_CERTIFICATE_GONE, message)
    return setup.facts.managed


def secret_of(setup: Setup) -> CertificateFacts:
    """The Secret in use; `Permanent(SECRET_NOT_FOUND)` if none is known."""
    if setup.facts.certificate is None:
        raise Permanent(Reason.SECRET_NOT_FOUND, "no certificate is known for the setup; set it up again")
    return setup.facts.certificate


def _endpoint(setup: Setup, ingress: Manifest | None) -> Endpoint:
    # The controller may have moved to another address since (kubernetes/ingress-gce, LIMITATIONS.md).
    address = ingress_status.address(ingress) or setup.facts.address
    if address is None:
        name = document.service_of(setup).name
        raise Transient(Reason.ADDRESS_PENDING, f"Ingress {name} reports no address")
    pem = None if setup.desired.is_google_managed else secret_of(setup).pem
    return Endpoint(address, setup.desired.domain, pem)
