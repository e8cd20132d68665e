"""The state store, the event bus, and the time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from milvus_l7.domain.request.rejection import Rejection
from milvus_l7.domain.setup.desired import SetupId
from milvus_l7.domain.setup.document import Setup
from milvus_l7.domain.setup.event import Event


class Clock(Protocol):
    """The time."""

    def now(self) -> datetime:
        """Return the present moment, with time zone UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never run backwards, from any beginning."""
        ...


@dataclass(frozen=True, slots=True)
class Versioned:
    """A setup as it was read or written, with the store's version of it (opaque)."""

    setup: Setup
    version: object
    read_at: datetime  # by the store's own clock; after a commit, the time of that


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One outcome, kept forever beside the setup. `entry_id` is unique within the setup."""

    entry_id: str
    at: datetime
    generation: int
    stage: str
    outcome: str  # created | changed | restarted | none, or the state that the stage reached
    reason: str | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Commit:
    """One atomic change: a setup document, the events that follow from it, and its history entry."""

    setup: Setup
    version: object | None  # version that was read; None: the setup must not exist yet
    events: tuple[Event, ...] = ()
    history: HistoryEntry | None = None


class Queue(StrEnum):
    """What setups are due for; the value is the document's field that holds the time."""

    POLL = "poll_at"  # re-poll
    CHECK = "check_at"  # drift check


@dataclass(frozen=True, slots=True)
class Postponed:
    """A setup as it was read, and its new time in a queue."""

    found: Versioned
    until: datetime


class Setups(Protocol):
    """The state store."""

    def load(self, setup_id: SetupId) -> Versioned | None:
        """Return the setup, or None if there is none."""
        ...

    def generation(self, setup_id: SetupId) -> int | None:
        """The setup's generation alone, or None if there is no such setup. Cheaper than `load`."""
        ...

    def has_entry(self, setup_id: SetupId, entry_id: str) -> bool:
        """Whether the setup's history has the entry."""
        ...

    def commit(self, commit: Commit) -> Versioned:
        """Write everything or nothing, and return the setup as it is stored now.

        That is `commit.setup` with the times that are left to the store. Raises `StateConflict` if the stored
        version is not `commit.version`.
        """
        ...

    def page(self, after: SetupId | None, limit: int) -> Sequence[Setup]:
        """Return at most `limit` setups in the order of their ids, from the one behind `after` on."""
        ...

    def due(self, queue: Queue, now: datetime, limit: int) -> Sequence[Versioned]:
        """Return at most `limit` setups whose time in the queue has come, the longest due first.

        Documents that this release cannot read are passed over.
        """
        ...

    def postpone(self, queue: Queue, due: Sequence[Postponed]) -> Sequence[Versioned]:
        """Set only the queue's time, of those that are still the version that was read, and return these.

        Of several callers with the same version one succeeds. Not safe to repeat: the version has moved.
        """
        ...

    def unpublished(self, before: datetime, limit: int) -> Sequence[Event]:
        """Return at most `limit` events left in the outbox since before that moment, oldest first."""
        ...

    def mark_published(self, event_id: str) -> None:
        """Take the event out of the outbox. Safe to repeat."""
        ...


class Events(Protocol):
    """The event bus."""

    def publish(self, event: Event) -> None:
        """Publish and wait until the bus has taken it. Repeating publishes again, with the same event id."""
        ...

    def publish_all(self, events: Sequence[Event]) -> None:
        """Publish all, in few calls, and wait until the bus has taken them. Some may be out if it raises."""
        ...

    def reject(self, rejection: Rejection) -> None:
        """Announce that a message is not a valid request, and wait until the bus has taken it."""
        ...
