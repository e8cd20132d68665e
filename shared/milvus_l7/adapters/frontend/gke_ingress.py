"""Milvus exposed by a GKE Ingress: the first implementation of `Frontend`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from milvus_l7.adapters.frontend import attached_certificates, health_check, ingress_observation, retirement
from milvus_l7.adapters.frontend.ingress_observation import IngressObservation
from milvus_l7.adapters.frontend.object_events import ObjectEvents
from milvus_l7.adapters.frontend.secret_inspection import SecretInspection
from milvus_l7.adapters.kubernetes import apply
from milvus_l7.adapters.kubernetes.apply import ApplyRequest
from milvus_l7.domain.frontend import attached_secrets, attachment, ingress_objects, ingress_status
from milvus_l7.domain.frontend.attachment import Seen, Wanted
from milvus_l7.domain.kubernetes import manifests
from milvus_l7.domain.kubernetes.change import Plan
from milvus_l7.domain.kubernetes.manifests import Manifest
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Permanent
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.document import Setup
from milvus_l7.domain.setup.facts import ServiceFacts
from milvus_l7.domain.setup.outcome import Waiting
from milvus_l7.ports import Certificates, Connections, Exposed, KubeObjects, ObjectRef


@dataclass(frozen=True, slots=True)
class IngressFrontends:
    """Implements `Frontends` in the clusters that requests name."""

    connections: Connections
    certificates: Certificates  # judges the Secrets that are attached

    def of(self, setup: Setup, service: ServiceFacts) -> IngressFrontend:
        """Return the Ingress of the Service's name, with what belongs to it."""
        objects = self.connections.objects(setup.desired.cluster)
        return IngressFrontend(objects, setup, service, self.certificates)


@dataclass(frozen=True, slots=True)
class IngressFrontend:
    """Implements `Frontend`: owns the Ingress, the BackendConfig and three annotations of the Service."""

    objects: KubeObjects
    setup: Setup
    service: ServiceFacts
    certificates: Certificates

    @property
    def _ref(self) -> ObjectRef:
        return attached_certificates.ingress_ref(self.setup.desired.namespace, self.service.name)

    def annotations_before(self) -> Mapping[str, str | None]:
        """Return the Service's three annotations as they are."""
        return health_check.present_annotations(self.objects, self.setup.desired, self.service)

    def configure_backend(self) -> None:
        """Apply BackendConfig and annotations where they differ; a second call writes nothing."""
        health_check.configure(self.objects, self.setup.desired, self.service)

    def restore_backend(self) -> None:
        """Give the annotations back, and remove the BackendConfig, or our fields of a foreign one."""
        before = self.setup.facts.annotations_before or {}
        health_check.restore(self.objects, self.setup.desired, self.service, before)

    def expose(self, now: datetime) -> Exposed | Waiting:
        """Apply the Ingress where it differs, and return its address, or why it has none.

        An address that was there before an update stays valid: the controller does not change it. One that
        was left behind by a change of class does not.
        """
        wanted, live = attachment.wanted(self.setup), self.objects.get(self._ref)
        _refuse_if_foreign(self.setup, self.service, live)
        secrets = self._secrets(now)
        gathered = attached_certificates.gather(secrets, self.setup, wanted, live)
        _refuse_if_gone(wanted, gathered.seen)
        attachments = attachment.attach(wanted, gathered.seen)
        manifest = ingress_objects.ingress(self.setup.desired, self.service, attachments)
        # The object is ours, so a value that another writer has put into our fields is drift to be repaired.
        apply.apply_if_changed(self.objects, ApplyRequest(live, manifest, force=True))
        notice = attached_secrets.left_off(attachments, gathered.secrets)
        looked_at = self._seen(secrets, live)
        if looked_at.address is not None:
            return Exposed(looked_at.address, notice)
        known = {each["metadata"]["name"]: each for each in gathered.managed}
        sources = replace(looked_at.certificates, managed=known.get)
        waiting = replace(looked_at, certificates=sources).waiting(wanted.managed)
        return attached_secrets.noticed(waiting, notice)

    def _seen(self, secrets: SecretInspection, live: Manifest | None) -> IngressObservation:
        was_away = self.setup.record(Stage.CREATE_INGRESS).reason is Reason.LOAD_BALANCER_REPLACED
        seen = ingress_observation.seen(secrets, self.service, self._ref, live)
        return replace(seen, look=replace(seen.look, was_away=was_away))

    def observe(self, now: datetime) -> IngressObservation:
        """Return what Ingress and Service say."""
        return ingress_observation.observe(self._secrets(now), self._ref, self.service)

    def retire(self, now: datetime, *, verified: bool = True) -> Plan:
        """Detach or delete what is no longer wanted, and return what that was."""
        return retirement.retire(self._secrets(now), self.setup, verified=verified)

    def _secrets(self, now: datetime) -> SecretInspection:
        return SecretInspection(self.objects, self.certificates, now)

    def remove(self) -> Waiting | None:
        """Delete the Ingress, if it is ours; None once GKE has released the load balancer."""
        live = self.objects.get(self._ref)
        if live is None or not manifests.is_ours(live):
            return None
        if not manifests.is_terminating(live):
            self.objects.delete(live)
        events = ObjectEvents()
        stuck = ingress_status.collection_warning(
            events.of(self.service.name, lambda: self.objects.events(self._ref))
        )
        if stuck is not None:
            return Waiting(Reason.LOAD_BALANCER_STUCK, stuck)
        message = f"Ingress {self.service.name} is being deleted; GKE releases its load balancer"
        return Waiting(Reason.LOAD_BALANCER_RELEASING, "; ".join(filter(None, (message, events.unseen))))


def _refuse_if_foreign(setup: Setup, service: ServiceFacts, live: Manifest | None) -> None:
    if not manifests.is_ours(live):
        message = (
            f"Ingress {service.name} in namespace {setup.desired.namespace} lacks the "
            f"label {manifests.MANAGED_BY}: {manifests.OURS}; does the chart's ingress.enabled make it?"
        )
        raise Permanent(Reason.OBJECT_NOT_OURS, message)


def _refuse_if_gone(wanted: Wanted, seen: Seen) -> None:
    """Raise `Permanent(MANAGED_CERTIFICATE_GONE)` if the wanted ManagedCertificate does not exist.

    A name without an object keeps the controller from attaching any ManagedCertificate to the Ingress.
    """
    present = {each.name for each in seen.managed if not each.is_terminating}
    if wanted.managed is not None and wanted.managed not in present:
        message = f"ManagedCertificate {wanted.managed} is gone"
        raise Permanent(Reason.MANAGED_CERTIFICATE_GONE, message)
