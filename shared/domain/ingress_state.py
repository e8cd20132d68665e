"""How far GKE's Ingress controller has come with an Ingress: its address, or its own words on why not.

Source: kubernetes/ingress-gce `pkg/events`, `pkg/controller/controller.go`, `pkg/loadbalancers/l7s.go`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from shared.domain.outcome import Waiting
from shared.domain.reasons import Reason

Manifest = Mapping[str, Any]

SHOWN_WORDS = 300  # characters of an event's message that are passed on

# Wraps any error of the frontend, also when the load balancer is first made: the rest is the cause.
_MISLEADING = re.compile(r"^.*loadbalancer \S+ does not exist:\s*", re.DOTALL)


def address(ingress: Manifest | None) -> str | None:
    """The load balancer's IP address, or None while it has none. Having one does not mean that it serves."""
    status = (ingress or {}).get("status") or {}
    entries = (status.get("loadBalancer") or {}).get("ingress") or [{}]
    return entries[0].get("ip") or None


def waiting(ingress: Manifest | None, events: Sequence[Manifest]) -> Waiting:
    """Why there is no address yet, judged by the Ingress' events, oldest first."""
    uid = (ingress or {}).get("metadata", {}).get("uid")
    trouble = _trouble([event for event in events if _is_about(event, uid)])
    if trouble is None:
        return Waiting(Reason.ADDRESS_PENDING, "the load balancer has no address yet")
    return Waiting(
        Reason.INGRESS_SYNC_FAILING, f"{trouble.get('reason', 'Warning')!s:.40}: {_words(trouble)}"
    )


def _trouble(events: Sequence[Manifest]) -> Manifest | None:
    """The newest Warning that no success has followed."""
    for event in reversed(events):
        if event.get("type") == "Warning":
            return event
        if _is_success(event):
            return None
    return None


def _is_success(event: Manifest) -> bool:
    """`Scheduled for sync` is said before every attempt, so it is none; a created part or an address is."""
    if event.get("reason") == "IPChanged":
        return True
    return event.get("reason") == "Sync" and not str(event.get("message")).startswith("Scheduled")


def _is_about(event: Manifest, uid: str | None) -> bool:
    """An earlier Ingress of the same name has left its events behind."""
    about = (event.get("involvedObject") or {}).get("uid")
    return about is None or about == uid


def _words(event: Manifest) -> str:
    text = _MISLEADING.sub("", str(event.get("message") or ""))
    printable = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(printable.split())[:SHOWN_WORDS]
