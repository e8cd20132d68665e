"""Milvus exposed by a GKE Ingress: the first implementation of `Frontend`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from milvus_l7.adapters.frontend import (
    attached_certificates,
    handover,
    health_check,
    ingress_observation,
    retirement,
)
from milvus_l7.adapters.frontend.health_check import GkeAnnotations
from milvus_l7.adapters.frontend.ingress_observation import IngressObservation
from milvus_l7.adapters.frontend.object_events import ObjectEvents
from milvus_l7.adapters.frontend.secret_inspection import SecretInspection
from milvus_l7.adapters.kubernetes import apply
from milvus_l7.adapters.kubernetes.apply import ApplyRequest
from milvus_l7.domain.frontend import (
    adoptable,
    attached_secrets,
    attachment,
    ingress_objects,
    ingress_status,
)
from milvus_l7.domain.frontend.attachment import Seen, Wanted
from milvus_l7.domain.kubernetes import manifests
from milvus_l7.domain.kubernetes.change import Plan
from milvus_l7.domain.kubernetes.manifests import Manifest
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Permanent
from milvus_l7.domain.release import annotation_values
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.document import Setup
from milvus_l7.domain.setup.facts import Adopted, ServiceFacts
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

    @property
    def annotations(self) -> GkeAnnotations:
        """Return how ours are merged into annotations, and taken out of them."""
        return GkeAnnotations(self.objects, self.setup, self.service)

    def annotations_before(self) -> Mapping[str, str | None]:
        """Return the Service's three annotations as they are."""
        return health_check.present_annotations(self.objects, self.setup, self.service)

    def backend_to_adopt(self) -> Adopted | None:
        """Return the record of a BackendConfig of somebody else's."""
        return health_check.to_adopt(self.objects, self.setup, self.service)

    def exposure_to_adopt(self) -> Adopted | None:
        """Return the record of an Ingress of somebody else's."""
        live = self.objects.get(self._ref)
        return handover.to_adopt(self.setup, live, adoptable.INGRESS_FIELDS, self._fault)

    def _fault(self, live: Manifest) -> str | None:
        return adoptable.ingress_fault(live, self.setup.desired, self.service)

    def configure_backend(self) -> None:
        """Apply BackendConfig and annotations where they differ; a second call writes nothing."""
        health_check.configure(self.objects, self.setup, self.service)

    def restore_backend(self) -> None:
        """Give the annotations back, and remove the BackendConfig, or give an adopted one back.

        Those that were changed in the release's own values go back there.
        """
        of_the_release = annotation_values.recorded(self.setup.facts.before)
        before = (self.setup.facts.annotations_before or {}).items()
        past_it = {key: text for key, text in before if key not in of_the_release}
        health_check.restore(self.objects, self.setup, self.service, past_it)

    def expose(self, now: datetime) -> Exposed | Waiting:
        """Apply the Ingress where it differs, and return its address, or why it has none.

        An address that was there before an update stays valid: the controller does not change it. One that
        was left behind by a change of class does not.
        """
        wanted, live = attachment.wanted(self.setup), self.objects.get(self._ref)
        handover.refuse_unrecorded(self.setup, live)
        secrets = self._secrets(now)
        gathered = attached_certificates.gather(secrets, self.setup, wanted, live)
        _refuse_if_gone(wanted, gathered.seen)
        attachments = attachment.attach(wanted, gathered.seen)
        labels = manifests.mark(live)
        manifest = ingress_objects.ingress(self.setup.desired, self.service, attachments, labels)
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
        """Delete the Ingress, if it is ours; None once GKE has released the load balancer.

        One that was adopted is given back, with its load balancer.
        """
        live = self.objects.get(self._ref)
        if live is None:
            return None
        if manifests.is_adopted(live):
            handover.give_back(self.objects, self.setup, live)
        if not manifests.is_ours(live):
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


def _refuse_if_gone(wanted: Wanted, seen: Seen) -> None:
    """Raise `Permanent(MANAGED_CERTIFICATE_GONE)` if the wanted ManagedCertificate does not exist.

    A name without an object keeps the controller from attaching any ManagedCertificate to the Ingress.
    """
    present = {each.name for each in seen.managed if not each.is_terminating}
    if wanted.managed is not None and wanted.managed not in present:
        message = f"ManagedCertificate {wanted.managed} is gone"
        raise Permanent(Reason.MANAGED_CERTIFICATE_GONE, message)
