"""How far GKE's Ingress controller has come with an Ingress: why there is no address yet.

Source: kubernetes/ingress-gce `pkg/events`, `pkg/controller/controller.go`, `pkg/annotations/ingress.go`;
GoogleCloudPlatform/gke-managed-certs `pkg/controller/sync`. Ingress and events are untrusted input.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from milvus_l7.domain.frontend import ingress_warnings
from milvus_l7.domain.frontend.ingress_objects import MANAGED_CERTIFICATES
from milvus_l7.domain.kubernetes.manifests import Manifest
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.condition import Condition
from milvus_l7.domain.setup.outcome import Waiting
from milvus_l7.domain.text import untrusted

LOOKED_AT = 4000  # characters of an event's message; the controller writes some hundred


def names(ingress: Manifest | None, annotation: str) -> tuple[str, ...]:
    """Return the names in an annotation that holds a list separated by commas; spaces do not count."""
    text = untrusted.text(untrusted.mapping(ingress, "metadata", "annotations").get(annotation))
    return tuple(name.strip() for name in text.split(",") if name.strip())


def waiting(ingress: Manifest | None, events: Sequence[Manifest]) -> Waiting:
    """Return why there is no address yet, judged by the Ingress' events, oldest first."""
    found = warning(ingress, events)
    if found is None:
        return Waiting(Reason.ADDRESS_PENDING, "the load balancer has no address yet")
    return Waiting(found.reason, found.message)


def warning(
    ingress: Manifest | None, events: Sequence[Manifest], present: Collection[str] = ()
) -> Condition | None:
    """Return what the newest Warning means that no success has followed and that is about this very Ingress.

    `present`: ManagedCertificates that are known to exist, so that a warning that misses one is old.
    """
    wanted = set(names(ingress, MANAGED_CERTIFICATES)) - set(present)
    event = _unsettled(ingress, events, wanted)
    if event is None:
        return None
    return ingress_warnings.classified(untrusted.text(event.get("reason")), _message(event))


def unusable_secret(ingress: Manifest | None, events: Sequence[Manifest]) -> str | None:
    """Return the TLS Secret that keeps the controller from syncing the Ingress now, if it says which.

    One entry of TLS whose Secret is gone or broken holds back all the others (kubernetes/ingress-gce#1334).
    """
    event = _unsettled(ingress, events, ())
    return ingress_warnings.unusable_secret(_message(event)) if event is not None else None


def collection_warning(events: Sequence[Manifest]) -> str | None:
    """Return why the controller cannot take the load balancer down, in its own words, or None."""
    failed = [_message(event) for event in events if event.get("reason") == "GarbageCollection"]
    return ingress_warnings.words(failed[-1]) if failed else None


def firewall_change(events: Sequence[Manifest]) -> str | None:
    """Return the firewall rule that a Shared VPC's admin must create, in the controller's words, or None."""
    asked = [_message(event) for event in events if event.get("reason") == "XPN"]
    return asked[-1] if asked else None


def _unsettled(
    ingress: Manifest | None, events: Sequence[Manifest], wanted: Collection[str]
) -> Manifest | None:
    """Return the newest Warning about this Ingress that no success has followed, and that is not settled."""
    uid = untrusted.mapping(ingress, "metadata").get("uid")
    for event in reversed(events):
        if not _is_about(event, uid):
            continue
        if event.get("type") == "Warning" and not _is_settled(event, wanted):
            return event
        if _is_success(event):
            return None
    return None


def _is_settled(event: Manifest, wanted: Collection[str]) -> bool:
    """Return whether it misses a ManagedCertificate that is no longer `wanted`.

    No event says that all is well with such a one.
    """
    missed = ingress_warnings.missing_certificate(_message(event))
    return missed is not None and missed not in wanted


def _is_success(event: Manifest) -> bool:
    """Return whether the event says that the controller got on: a created part, or an address.

    `Scheduled for sync` is said before every attempt, so it is none.
    """
    if event.get("type") == "Warning":
        return False
    if event.get("reason") == "IPChanged":
        return True
    return event.get("reason") == "Sync" and not _message(event).startswith("Scheduled")


def _is_about(event: Manifest, uid: object) -> bool:
    """Return whether the event is about this Ingress; an earlier one of the same name left its own behind."""
    about = untrusted.mapping(event, "involvedObject").get("uid")
    return about is None or about == uid


def _message(event: Manifest) -> str:
    return untrusted.text(event.get("message"))[:LOOKED_AT]
