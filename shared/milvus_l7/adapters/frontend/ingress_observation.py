"""One look at a GKE Ingress and the Service behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from milvus_l7.adapters.frontend.object_events import ObjectEvents
from milvus_l7.adapters.frontend.secret_inspection import SecretInspection
from milvus_l7.domain.frontend import (
    attached_secrets,
    attachment,
    backend_health,
    ingress_freshness,
    ingress_status,
    object_complaints,
)
from milvus_l7.domain.frontend.attached_secrets import SecretFaults
from milvus_l7.domain.frontend.attachment import PRE_SHARED
from milvus_l7.domain.frontend.ingress_freshness import Look
from milvus_l7.domain.frontend.ingress_objects import MANAGED_CERTIFICATES
from milvus_l7.domain.kubernetes import kinds, manifests
from milvus_l7.domain.kubernetes.manifests import Manifest
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.condition import Condition
from milvus_l7.domain.setup import checks
from milvus_l7.domain.setup.facts import Check, CheckState, ServiceFacts
from milvus_l7.domain.setup.outcome import Waiting
from milvus_l7.ports import KubeObjects, ObjectRef


@dataclass(frozen=True)
class CertificateSources:
    """What can explain that a certificate is not there."""

    # The ManagedCertificate of that name, and the Events about it, oldest first.
    managed: Callable[[str], Manifest | None] = lambda _name: None
    events: Callable[[str], Sequence[Manifest]] = lambda _name: ()
    secrets: Callable[[], SecretFaults] = lambda: attached_secrets.NO_FAULTS  # of all on the Ingress


@dataclass(frozen=True)
class IngressObservation:
    """Implements `FrontendObservation`."""

    port: ServiceFacts
    ingress: Manifest | None
    service: Manifest | None
    read_events: Callable[[], Sequence[Manifest]]  # about the Ingress, oldest first
    read_pods: Callable[[Manifest | None], Sequence[Manifest]]  # behind the Service
    read_service_events: Callable[[], Sequence[Manifest]] = lambda: ()
    certificates: CertificateSources = field(default_factory=CertificateSources)
    look: Look = field(default_factory=Look)
    _events: ObjectEvents = field(default_factory=ObjectEvents)

    @property
    def address(self) -> str | None:
        """Return the address in the Ingress' status, unless that is stale."""
        return None if self.stale else manifests.address(self.ingress)

    @cached_property
    def stale(self) -> str:
        """Return why what the Ingress says may be of a load balancer that is no more; "" if it is not."""
        return ingress_freshness.stale(self.ingress, lambda: self.events, self.look)

    @property
    def attached(self) -> tuple[str, ...]:
        """Return the ManagedCertificates that the Ingress' annotation names."""
        return ingress_status.names(self.ingress, MANAGED_CERTIFICATES)

    @property
    def loaded(self) -> tuple[str, ...]:
        """Return the certificates that the controller says it has given to the load balancer."""
        return ingress_status.names(self.ingress, PRE_SHARED)

    @property
    def unseen(self) -> str:
        """Return what could not be looked at so far, for people; "" if everything could."""
        return self._events.unseen

    @property
    def events(self) -> Sequence[Manifest]:
        """Return the events about the Ingress, asked for only when something is to be explained."""
        return self._events.of("Ingress", self.read_events) if self.ingress else ()

    @cached_property
    def secrets(self) -> SecretFaults:
        """Return what is wrong with the Secrets on the Ingress, asked for only when one can be the cause."""
        return self.certificates.secrets()

    def warning(self, present: str | None = None) -> Condition | None:
        """Return what the newest unsettled Warning about the Ingress means, and what is behind it."""
        missed = ingress_status.missed_certificates(self.ingress, self.events)
        known = {name for name in missed if name == present or self.certificates.managed(name) is not None}
        found = ingress_status.warning(self.ingress, self.events, known, self.look.now)
        if found is None:
            return None
        if found.reason is Reason.TLS_ENTRY_WITHOUT_SECRET:
            return attached_secrets.explained(found, self.secrets)
        if found.reason is Reason.PRE_SHARED_CERTIFICATE_MISSING and present is not None:
            return self.certificate_warning(present) or found
        return found

    def certificate_warning(self, name: str) -> Condition | None:
        """Return why Compute Engine does not make the certificate of a ManagedCertificate, by its events."""
        events = self._events.of(f"ManagedCertificate {name}", lambda: self.certificates.events(name))
        live = self.certificates.managed(name) if events else None
        return object_complaints.about_certificate(live, events, self.look.now)

    def waiting(self, present: str | None) -> Waiting:
        """Return why there is no address yet."""
        is_left_behind = manifests.address(self.ingress) is not None
        found = ingress_status.pending(self.warning(present), self.stale if is_left_behind else "")
        return Waiting(found.reason, "; ".join(filter(None, (found.message, self.unseen))))

    def backends(self) -> Check:
        """Return the item `backends`; events and Pods are asked for only when they can explain something."""
        check = backend_health.backends(self.ingress, self.service, self.port, self.stale)
        if check.state is CheckState.PASSED or check.reason is not Reason.BACKENDS_UNHEALTHY:
            return check
        events = self._events.of("Service", self.read_service_events)
        complaint = object_complaints.about_neg(self.service, events, self.look.now)
        if complaint is not None:
            return checks.failed(check.name, complaint.reason, f"{check.message}; {complaint.message}")
        if check.state is not CheckState.FAILED:
            return check
        asked = ingress_status.firewall_change(self.events) or ingress_status.firewall_change(events)
        return backend_health.explained(check, self.read_pods(self.service), asked)

    def protocol_problem(self) -> str | None:
        """Return what is wrong with the annotation that names the port's protocol, or None."""
        return backend_health.protocol_problem(self.service, self.port) if self.service else None


def observe(secrets: SecretInspection, ingress: ObjectRef, port: ServiceFacts) -> IngressObservation:
    """Read the Ingress and the Service of its name; what explains a fault is read when it is asked for."""
    live = secrets.objects.get(ingress)
    service = secrets.objects.get(ObjectRef(*kinds.SERVICE, ingress.namespace, port.name))
    return seen(secrets, port, ingress, live, service)


def seen(
    secrets: SecretInspection,
    port: ServiceFacts,
    ingress: ObjectRef,
    live: Manifest | None,
    service: Manifest | None = None,
) -> IngressObservation:
    """Return an observation of what has been read already."""
    objects, namespace = secrets.objects, ingress.namespace
    return IngressObservation(
        port,
        live,
        service,
        lambda: objects.events(ingress),
        lambda service: _pods(objects, namespace, service),
        lambda: objects.events(ObjectRef(*kinds.SERVICE, namespace, port.name)),
        CertificateSources(
            lambda name: objects.get(ObjectRef(*kinds.MANAGED_CERTIFICATE, namespace, name)),
            lambda name: objects.events(ObjectRef(*kinds.MANAGED_CERTIFICATE, namespace, name)),
            lambda: secrets.look_into(namespace, attachment.attached(live, port.name).secrets),
        ),
        Look(secrets.now),
    )


def _pods(objects: KubeObjects, namespace: str, service: Manifest | None) -> Sequence[Manifest]:
    labels = backend_health.selector(service)
    return objects.list(ObjectRef(*kinds.POD, namespace), labels) if labels else ()
