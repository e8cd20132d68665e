"""One look at a GKE Ingress and the Service behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from milvus_l7.domain.frontend import backend_health, ingress_status
from milvus_l7.domain.frontend.attachment import PRE_SHARED
from milvus_l7.domain.frontend.ingress_objects import MANAGED_CERTIFICATES
from milvus_l7.domain.kubernetes import kinds
from milvus_l7.domain.kubernetes.manifests import Manifest
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.condition import Condition
from milvus_l7.domain.setup.facts import Check, CheckState, ServiceFacts
from milvus_l7.ports import KubeObjects, ObjectRef


@dataclass(frozen=True)
class IngressObservation:
    """Implements `FrontendObservation`."""

    port: ServiceFacts
    ingress: Manifest | None
    service: Manifest | None
    read_events: Callable[[], Sequence[Manifest]]  # about the Ingress, oldest first
    read_pods: Callable[[Manifest | None], Sequence[Manifest]]  # behind the Service
    now: datetime | None = None  # None: nothing tells its age
    # Whether a ManagedCertificate of that name is there.
    has_certificate: Callable[[str], bool] = lambda _name: False

    @property
    def address(self) -> str | None:
        """Return the address in the Ingress' status, unless that is stale."""
        return ingress_status.address(self.ingress)

    @property
    def attached(self) -> tuple[str, ...]:
        """Return the ManagedCertificates that the Ingress' annotation names."""
        return ingress_status.names(self.ingress, MANAGED_CERTIFICATES)

    @property
    def loaded(self) -> tuple[str, ...]:
        """Return the certificates that the controller says it has given to the load balancer."""
        return ingress_status.names(self.ingress, PRE_SHARED)

    @cached_property
    def events(self) -> Sequence[Manifest]:
        """Return the events about the Ingress, asked for only when something is to be explained."""
        return self.read_events() if self.ingress else ()

    def warning(self, present: str | None = None) -> Condition | None:
        """Return what the newest unsettled Warning about the Ingress means."""
        missed = ingress_status.missed_certificates(self.ingress, self.events)
        known = {name for name in missed if name == present or self.has_certificate(name)}
        return ingress_status.warning(self.ingress, self.events, known, self.now)

    def backends(self) -> Check:
        """Return the item `backends`; the Pods are asked for only when they can explain something."""
        check = backend_health.backends(self.ingress, self.service, self.port)
        if check.state is not CheckState.FAILED or check.reason is not Reason.BACKENDS_UNHEALTHY:
            return check
        pods = self.read_pods(self.service)
        return backend_health.explained(check, pods, ingress_status.firewall_change(self.events))

    def protocol_problem(self) -> str | None:
        """Return what is wrong with the annotation that names the port's protocol, or None."""
        return backend_health.protocol_problem(self.service, self.port) if self.service else None


def observe(
    objects: KubeObjects, ingress: ObjectRef, port: ServiceFacts, now: datetime
) -> IngressObservation:
    """Read the Ingress and the Service of its name; events and Pods are read when they are asked for."""
    namespace = ingress.namespace

    def pods(service: Manifest | None) -> Sequence[Manifest]:
        labels = backend_health.selector(service)
        return objects.list(ObjectRef(*kinds.POD, namespace), labels) if labels else ()

    def has_certificate(name: str) -> bool:
        return objects.get(ObjectRef(*kinds.MANAGED_CERTIFICATE, namespace, name)) is not None

    return IngressObservation(
        port,
        objects.get(ingress),
        objects.get(ObjectRef(*kinds.SERVICE, namespace, port.name)),
        lambda: objects.events(ingress),
        pods,
        now,
        has_certificate,
    )
