"""The errors that ports raise.

L7Error
+-- Transient          retried by state, with back-off: 409, 429, 5xx, time-outs
|   +-- Conflict       what was read has changed since: read again at once, a few times
|   +-- Unanswered     a write was sent and not answered: it may still take effect
|   +-- Deferred       it may not begin before a moment which is known; nothing was written
+-- Permanent          ends the stage: 400, 403, things that are not there
+-- StateUnavailable   our own state store or event bus: thrown back to Pub/Sub
+-- StateConflict      a setup document is no longer the version that was read
+-- LeaseLost          another execution has taken over: nothing may be committed
+-- MalformedEvent     an event that no release of ours wrote: refused, so that it is dead-lettered
"""

from __future__ import annotations

from datetime import datetime

from milvus_l7.domain.reasons import Reason


class L7Error(Exception):
    """Root of the tree."""


class Transient(L7Error):
    """Something that is expected to go away. Users see the message: no secrets, no whole bodies."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class Conflict(Transient):
    """What was read has changed since, so nothing was written."""


class Unanswered(Transient):
    """A write was sent, and its answer never came: it may still take effect."""


class Deferred(Transient):
    """What all is proven for may not begin before `until`, so nothing was written."""

    def __init__(self, reason: Reason, message: str, until: datetime) -> None:
        super().__init__(reason, message)
        self.until = until


class Permanent(L7Error):
    """Something that someone must change. Users see the message: no secrets, no whole bodies."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class StateUnavailable(L7Error):
    """State could not be read or written, or an event not be published; the delivery is retried."""


class StateConflict(L7Error):
    """A setup document is no longer the version that was read."""


class LeaseLost(L7Error):
    """The setup changed under this execution, which therefore commits nothing."""


class MalformedEvent(L7Error):
    """A chain event that does not follow the event schema."""
