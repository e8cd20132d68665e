"""The stage that creates the Ingress and waits for the load balancer's address."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from milvus_l7.application.dns import records
from milvus_l7.application.frontend import attached_certificates
from milvus_l7.application.kubernetes import apply
from milvus_l7.application.kubernetes.apply import ApplyRequest
from milvus_l7.domain.frontend import attachment, ingress_objects, ingress_status
from milvus_l7.domain.frontend.attachment import Seen, Wanted
from milvus_l7.domain.frontend.ingress_objects import Attachments
from milvus_l7.domain.kubernetes import manifests
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Permanent
from milvus_l7.domain.setup import document
from milvus_l7.domain.setup.document import Setup
from milvus_l7.domain.setup.outcome import Done, Outcome
from milvus_l7.ports import Connections, DnsZones, KubeObjects, Manifest, ObjectRef


@dataclass(frozen=True, slots=True)
class CreateIngress:
    """Owns the Ingress of the Service's name."""

    connections: Connections
    zones: DnsZones

    def __call__(self, setup: Setup, now: datetime) -> Outcome:  # noqa: ARG002  (the shape of every stage)
        """Apply the Ingress where it differs; done when it has an address, which goes into the facts.

        The wanted certificate is attached beside what serves now; `retirement` takes that away
        when the wanted one is verified. Waits with ADDRESS_PENDING, or for what the controller's own words
        mean. Raises `Permanent` with OBJECT_NOT_OURS if somebody else made an Ingress of that name, for
        example the chart, and MANAGED_CERTIFICATE_GONE if the wanted one was deleted meanwhile.
        """
        objects = self.connections.objects(setup.desired.cluster)
        wanted = attachment.wanted(setup)
        ref = attached_certificates.ingress_ref(setup, wanted)
        live = objects.get(ref)
        _refuse_if_foreign(setup, live)
        seen = attached_certificates.gather(objects, setup, wanted, live).seen
        _refuse_if_gone(wanted, seen)
        apply.apply_if_changed(objects, _target(setup, live, attachment.attach(wanted, seen)))
        return self._outcome(objects, setup, ref, live)

    def _outcome(self, objects: KubeObjects, setup: Setup, ref: ObjectRef, live: Manifest | None) -> Outcome:
        """An address that was there before an update stays valid: the controller does not change it."""
        address = ingress_status.address(live)
        if address is None:
            return ingress_status.waiting(live, objects.events(ref) if live else ())
        facts = replace(setup.facts, address=address)
        waiting = records.publish(self.zones, setup, address)
        return Done(facts) if waiting is None else replace(waiting, facts=facts)


def _refuse_if_foreign(setup: Setup, live: Manifest | None) -> None:
    if not manifests.is_ours(live):
        message = (
            f"Ingress {document.service_of(setup).name} in namespace {setup.desired.namespace} lacks the "
            f"label {manifests.MANAGED_BY}: {manifests.OURS}; does the chart's ingress.enabled make it?"
        )
        raise Permanent(Reason.OBJECT_NOT_OURS, message)


def _refuse_if_gone(wanted: Wanted, seen: Seen) -> None:
    """A name without an object keeps the controller from attaching any ManagedCertificate to the Ingress."""
    present = {each.name for each in seen.managed if not each.is_terminating}
    if wanted.managed is not None and wanted.managed not in present:
        message = f"ManagedCertificate {wanted.managed} is gone"
        raise Permanent(Reason.MANAGED_CERTIFICATE_GONE, message)


def _target(setup: Setup, live: Manifest | None, attachments: Attachments) -> ApplyRequest:
    # The object is ours, so a value that somebody else has put into our fields is drift to be repaired.
    return ApplyRequest(
        live, ingress_objects.ingress(setup.desired, document.service_of(setup), attachments), force=True
    )
