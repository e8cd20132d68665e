"""The stage that creates the Ingress and waits for the load balancer's address."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from shared.domain import attachment, ingress_state, manifests
from shared.domain.attachment import Seen, Wanted
from shared.domain.errors import Permanent
from shared.domain.manifests import Attachments
from shared.domain.outcome import Done, Outcome
from shared.domain.reasons import Reason
from shared.domain.setup import Setup
from shared.ports import Connections, DnsZones, KubeObjects, Manifest, ObjectRef
from shared.service import applying, attached, dns_publishing
from shared.service.applying import Target


@dataclass(frozen=True, slots=True)
class CreateIngress:
    """Owns the Ingress of the Service's name."""

    connections: Connections
    zones: DnsZones

    def __call__(self, setup: Setup, now: datetime) -> Outcome:  # noqa: ARG002  (the shape of every stage)
        """Apply the Ingress where it differs; done when it has an address, which goes into the facts.

        The wanted certificate is attached beside what serves now; `shared.service.retiring` takes that away
        when the wanted one is verified. Waits with ADDRESS_PENDING, or for what the controller's own words
        mean. Raises `Permanent` with OBJECT_NOT_OURS if somebody else made an Ingress of that name, for
        example the chart, and MANAGED_CERTIFICATE_GONE if the wanted one was deleted meanwhile.
        """
        objects = self.connections.objects(setup.desired.cluster)
        wanted = attachment.wanted(setup)
        ref = attached.ingress_ref(setup, wanted)
        live = objects.get(ref)
        _refuse_if_foreign(setup, live)
        seen = attached.gather(objects, setup, wanted, live).seen
        _refuse_if_gone(wanted, seen)
        applying.act(objects, _target(setup, live, attachment.attach(wanted, seen)))
        return self._outcome(objects, setup, ref, live)

    def _outcome(self, objects: KubeObjects, setup: Setup, ref: ObjectRef, live: Manifest | None) -> Outcome:
        """An address that was there before an update stays valid: the controller does not change it."""
        address = ingress_state.address(live)
        if address is None:
            return ingress_state.waiting(live, objects.events(ref) if live else ())
        facts = replace(setup.facts, address=address)
        waiting = dns_publishing.publish(self.zones, setup, address)
        return Done(facts) if waiting is None else replace(waiting, facts=facts)


def _refuse_if_foreign(setup: Setup, live: Manifest | None) -> None:
    if not manifests.is_ours(live):
        message = (
            f"Ingress {manifests.service_of(setup).name} in namespace {setup.desired.namespace} lacks the "
            f"label {manifests.MANAGED_BY}: {manifests.OURS}; does the chart's ingress.enabled make it?"
        )
        raise Permanent(Reason.OBJECT_NOT_OURS, message)


def _refuse_if_gone(wanted: Wanted, seen: Seen) -> None:
    """A name without an object keeps the controller from attaching any ManagedCertificate to the Ingress."""
    present = {each.name for each in seen.managed if not each.is_going}
    if wanted.managed is not None and wanted.managed not in present:
        message = f"ManagedCertificate {wanted.managed} is gone"
        raise Permanent(Reason.MANAGED_CERTIFICATE_GONE, message)


def _target(setup: Setup, live: Manifest | None, attachments: Attachments) -> Target:
    # The object is ours, so a value that somebody else has put into our fields is drift to be repaired.
    return Target(
        live, manifests.ingress(setup.desired, manifests.service_of(setup), attachments), force=True
    )
