"""How far GKE's Ingress controller has come with an Ingress: why there is no address yet.

    Warning --> success                                  settled: it got on
    Warning --> "Scheduled for sync" --> SYNC_TIME       settled: that sync had nothing to complain about
    Warning --> "Scheduled for sync"                     still counts: that sync may be under way

A sync says that it begins, when the Ingress has changed and every ten minutes, and then only what it made or
why it failed; tries in between, after a failure, announce nothing. Events expire after an hour.

Source: kubernetes/ingress-gce `pkg/events`, `pkg/controller/controller.go`, `pkg/annotations/ingress.go`;
GoogleCloudPlatform/gke-managed-certs `pkg/controller/sync`. Ingress and events are untrusted input.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from milvus_l7.domain.frontend import ingress_warnings
from milvus_l7.domain.frontend.ingress_freshness import SYNC_TIME
from milvus_l7.domain.frontend.ingress_objects import MANAGED_CERTIFICATES
from milvus_l7.domain.kubernetes import events as kube_events
from milvus_l7.domain.kubernetes.manifests import Manifest
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.condition import Condition
from milvus_l7.domain.setup.outcome import Waiting
from milvus_l7.domain.text import untrusted

SCHEDULED = "Scheduled for sync"  # said before every attempt, so it is no success
# Warnings that hold nothing back (kubernetes/ingress-gce `pkg/controller`, `pkg/healthchecks`).
_HARMLESS = frozenset({"THCAnnotationWithoutFlag"})


def names(ingress: Manifest | None, annotation: str) -> tuple[str, ...]:
    """Return the names in an annotation that holds a list separated by commas; spaces do not count."""
    text = untrusted.text(untrusted.mapping(ingress, "metadata", "annotations").get(annotation))
    return tuple(name.strip() for name in text.split(",") if name.strip())


def waiting(ingress: Manifest | None, events: Sequence[Manifest], now: datetime | None = None) -> Waiting:
    """Return why there is no address yet, judged by the Ingress' events, oldest first."""
    return pending(warning(ingress, events, now=now))


def pending(found: Condition | None, stale: str = "") -> Waiting:
    """Return why there is no address yet, given what the controller complains about.

    `stale`: why the one that the Ingress shows may be none.
    """
    if found is None and stale:
        return Waiting(Reason.LOAD_BALANCER_REPLACED, stale)
    if found is None:
        return Waiting(Reason.ADDRESS_PENDING, "the load balancer has no address yet")
    return Waiting(found.reason, found.message)


def warning(
    ingress: Manifest | None,
    events: Sequence[Manifest],
    present: Collection[str] = (),
    now: datetime | None = None,
) -> Condition | None:
    """Return what the newest Warning means that still counts and is about this very Ingress.

    `present`: ManagedCertificates that are known to exist, so that a warning that misses one is old. Without
    `now` no age is told, and only a success settles a Warning.
    """
    wanted = set(names(ingress, MANAGED_CERTIFICATES)) - set(present)
    event = _unsettled(ingress, events, wanted, now)
    if event is None:
        return None
    return ingress_warnings.classified(
        untrusted.text(event.get("reason")), kube_events.message(event), kube_events.age(event, now)
    )


def missed_certificates(ingress: Manifest | None, events: Sequence[Manifest]) -> frozenset[str]:
    """Return the ManagedCertificates that the Ingress names and that a Warning has missed."""
    told = (ingress_warnings.missing_certificate(kube_events.message(event)) for event in events)
    return frozenset(names(ingress, MANAGED_CERTIFICATES)) & frozenset(filter(None, told))


def unusable_secret(
    ingress: Manifest | None, events: Sequence[Manifest], now: datetime | None = None
) -> str | None:
    """Return the TLS Secret that keeps the controller from syncing the Ingress now, if it says which.

    One entry of TLS whose Secret is gone or broken holds back all the others (kubernetes/ingress-gce#1334).
    """
    event = _unsettled(ingress, events, (), now)
    return ingress_warnings.unusable_secret(kube_events.message(event)) if event is not None else None


def collection_warning(events: Sequence[Manifest]) -> str | None:
    """Return why the controller cannot take the load balancer down, in its own words, or None."""
    failed = [kube_events.message(event) for event in events if event.get("reason") == "GarbageCollection"]
    return ingress_warnings.words(failed[-1]) if failed else None


def firewall_change(events: Sequence[Manifest]) -> str | None:
    """Return the firewall rule that a Shared VPC's admin must create, in the controller's words, or None."""
    asked = [kube_events.message(event) for event in events if _asks_for_firewall(event)]
    return asked[-1] if asked else None


def _asks_for_firewall(event: Manifest) -> bool:
    """Return whether it leaves a firewall rule to an admin: on an Ingress, or on a Service."""
    return event.get("reason") == "XPN" or kube_events.message(event).startswith("Firewall change required")


def _unsettled(
    ingress: Manifest | None,
    events: Sequence[Manifest],
    wanted: Collection[str],
    now: datetime | None,
) -> Manifest | None:
    """Return the newest Warning about this Ingress that still counts.

    That a ManagedCertificate is missing is said by another controller, which says nothing when all is well.
    """
    uid = untrusted.mapping(ingress, "metadata").get("uid")
    synced: Manifest | None = None  # the newest announcement of a sync
    is_over = False  # whether the older warnings of the load balancer's controller are settled
    for event in reversed([event for event in events if kube_events.is_about(event, uid)]):
        missed = ingress_warnings.missing_certificate(kube_events.message(event))
        if not kube_events.is_warning(event):
            is_over = is_over or _is_success(event)
            synced = synced or (event if _announces_sync(event) else None)
        elif missed is not None:
            if missed in wanted:
                return event
        elif not is_over and untrusted.text(event.get("reason")) not in _HARMLESS:
            is_over = kube_events.is_older(event, synced, now, SYNC_TIME)
            if not is_over:
                return event
    return None


def _announces_sync(event: Manifest) -> bool:
    return kube_events.message(event).startswith(SCHEDULED)


def _is_success(event: Manifest) -> bool:
    """Return whether the event says that the controller got on: a created part, or an address."""
    if event.get("reason") == "IPChanged":
        return True
    return event.get("reason") == "Sync" and not _announces_sync(event)
