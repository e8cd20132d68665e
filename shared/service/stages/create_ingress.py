"""The stage that creates the Ingress and waits for the load balancer's address."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from shared.domain import ingress_state, manifests
from shared.domain.errors import Permanent
from shared.domain.outcome import Done, Outcome
from shared.domain.reasons import Reason
from shared.domain.setup import Setup
from shared.ports import Connections, KubeObjects, Manifest, ObjectRef
from shared.service import applying
from shared.service.applying import Target


@dataclass(frozen=True, slots=True)
class CreateIngress:
    """Owns the Ingress of the Service's name."""

    connections: Connections

    def __call__(self, setup: Setup, now: datetime) -> Outcome:  # noqa: ARG002  (the shape of every stage)
        """Apply the Ingress where it differs; done when it has an address, which goes into the facts.

        Waits with ADDRESS_PENDING, or INGRESS_SYNC_FAILING and the controller's own words. Raises
        `Permanent(OBJECT_NOT_OURS)` if somebody else made an Ingress of that name, for example the chart.
        """
        objects = self.connections.objects(setup.desired.cluster)
        ref = ObjectRef(
            "networking.k8s.io/v1", "Ingress", setup.desired.namespace, manifests.service_of(setup).name
        )
        live = objects.get(ref)
        applying.act(objects, _target(setup, live))
        return _outcome(objects, setup, ref, live)


def _target(setup: Setup, live: Manifest | None) -> Target:
    service, certificate = manifests.service_of(setup), setup.facts.certificate
    if certificate is None:
        raise Permanent(Reason.SECRET_NOT_FOUND, "no certificate is known for the setup; set it up again")
    if not manifests.is_ours(live):
        message = (
            f"Ingress {service.name} in namespace {setup.desired.namespace} lacks the label "
            f"{manifests.MANAGED_BY}: {manifests.OURS}; does the chart's ingress.enabled make it?"
        )
        raise Permanent(Reason.OBJECT_NOT_OURS, message)
    # The object is ours, so a value that somebody else has put into our fields is drift to be repaired.
    return Target(live, manifests.ingress(setup.desired, service, certificate.secret), force=True)


def _outcome(objects: KubeObjects, setup: Setup, ref: ObjectRef, live: Manifest | None) -> Outcome:
    """An address that was there before an update stays valid: the controller never changes it by itself."""
    address = ingress_state.address(live)
    if address is None:
        return ingress_state.waiting(live, objects.events(ref) if live else ())
    return Done(replace(setup.facts, address=address))
