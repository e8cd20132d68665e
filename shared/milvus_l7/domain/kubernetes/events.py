"""Kubernetes Events, which are untrusted input: what one says, when it last did, and what it is about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from milvus_l7.domain.kubernetes.manifests import LONG_AGO, Manifest
from milvus_l7.domain.text import untrusted

LOOKED_AT = 4000  # characters of a message; the controllers write some hundred

# What client-go writes before the newest of more than ten messages with the same reason.
_COMBINED = "(combined from similar events): "


def message(event: Manifest) -> str:
    """Return what the event says, cut at a bound."""
    return untrusted.text(event.get("message"))[:LOOKED_AT].removeprefix(_COMBINED)


def last_seen(event: Manifest) -> datetime:
    """Return when the event last happened, in UTC; long ago if it does not tell.

    Old and new ways to report one fill different fields.
    """
    times = (
        untrusted.mapping(event, "series").get("lastObservedTime"),
        event.get("lastTimestamp"),
        event.get("eventTime"),
        untrusted.mapping(event, "metadata").get("creationTimestamp"),
    )
    told = next((text for text in map(untrusted.text, times) if text), "")
    try:
        return datetime.fromisoformat(told).astimezone(UTC) if told else LONG_AGO
    except (ValueError, OverflowError):
        return LONG_AGO


def is_about(event: Manifest, uid: object) -> bool:
    """Return whether it is about this very object; an earlier one of the same name left its own behind."""
    about = untrusted.mapping(event, "involvedObject").get("uid")
    return about is None or about == uid


def is_warning(event: Manifest) -> bool:
    """Return whether it reports that something went wrong."""
    return event.get("type") == "Warning"


def is_older(event: Manifest, other: Manifest | None, now: datetime | None, patience: timedelta) -> bool:
    """Return whether `other` came after the event, and has had `patience` to be followed by another.

    Both say when they happened, in whole seconds, so of two in the same second neither is older.
    """
    if other is None or now is None:
        return False
    then, later = last_seen(event), last_seen(other)
    return LONG_AGO < then < later <= now - patience


def age(event: Manifest, now: datetime | None) -> str:
    """Return how long ago it last happened, for people; "" if that is not known."""
    then = last_seen(event)
    if now is None or then == LONG_AGO:
        return ""
    seconds = max(int((now - then).total_seconds()), 0)
    return f"{seconds} s ago" if seconds < 120 else f"{seconds // 60} min ago"
