"""In-memory state store, event bus and clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from milvus_l7.adapters.setup import documents
from milvus_l7.adapters.setup.server_time import has_server_time, with_server_time
from milvus_l7.domain.reasons.errors import StateConflict
from milvus_l7.domain.request.rejection import Rejection
from milvus_l7.domain.setup.desired import SetupId
from milvus_l7.domain.setup.document import Setup
from milvus_l7.domain.setup.event import Event
from milvus_l7.ports import Commit, HistoryEntry, Postponed, Queue, Versioned

START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class FakeClock:
    """A clock that moves only when told."""

    moment: datetime = START

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return self.moment.timestamp()

    def advance(self, **span: float) -> None:
        self.moment += timedelta(**span)


@dataclass
class FakeSetups:
    """The state store: versions count up, the outbox keeps what is not published."""

    clock: FakeClock = field(default_factory=FakeClock)
    stored: dict[SetupId, Versioned] = field(default_factory=dict)
    outbox: dict[str, tuple[datetime, Event]] = field(default_factory=dict)
    history: list[HistoryEntry] = field(default_factory=list)
    entries: set[tuple[SetupId, str]] = field(default_factory=set)
    to_document: Callable[[Setup], dict[str, Any]] = documents.to_document

    def load(self, setup_id: SetupId) -> Versioned | None:
        found = self.stored.get(setup_id)
        return self._read(found) if found else None

    def generation(self, setup_id: SetupId) -> int | None:
        found = self.stored.get(setup_id)
        return found.setup.generation if found else None

    def has_entry(self, setup_id: SetupId, entry_id: str) -> bool:
        return (setup_id, entry_id) in self.entries

    def commit(self, commit: Commit) -> Versioned:
        setup_id, now = commit.setup.setup_id, self.clock.now()
        known = self.stored.get(setup_id)
        if (known.version if known else None) != commit.version:
            raise StateConflict(setup_id)
        written = self.stored[setup_id] = self._next(known, commit.setup, now)
        self.outbox.update({event.event_id: (now, event) for event in commit.events})
        if commit.history:
            self.history.append(commit.history)
            self.entries.add((setup_id, commit.history.entry_id))
        return written

    def _next(self, known: Versioned | None, setup: Setup, now: datetime) -> Versioned:
        """Return what is stored; a commit that changes nothing leaves the version as it was.

        One that asks for the store's own time changes something, for that moves on.
        """
        written = self._written(setup, now)
        if known is None:
            return Versioned(written, 1, now)
        document = self.to_document(setup)
        is_same = not has_server_time(document) and self.to_document(known.setup) == document
        return Versioned(written, known.version if is_same else known.version + 1, now)  # type: ignore[operator]

    def _written(self, setup: Setup, now: datetime) -> Setup:
        document = self.to_document(setup)
        if not has_server_time(document):
            return setup
        milliseconds = now.replace(microsecond=now.microsecond // 1000 * 1000)
        return documents.from_document(with_server_time(document, milliseconds))

    def _read(self, found: Versioned) -> Versioned:
        return replace(found, read_at=self.clock.now())

    def page(self, after: SetupId | None, limit: int) -> list[Setup]:
        later = sorted(setup_id for setup_id in self.stored if after is None or setup_id > after)
        return [self.stored[setup_id].setup for setup_id in later][:limit]

    def due(self, queue: Queue, now: datetime, limit: int) -> list[Versioned]:
        moments = [(getattr(v.setup, queue), v) for v in self.stored.values()]
        due = [(moment, v) for moment, v in moments if moment is not None and moment <= now]
        return [self._read(v) for _, v in sorted(due, key=lambda pair: pair[0])][:limit]

    def postpone(self, queue: Queue, due: Sequence[Postponed]) -> list[Versioned]:
        return [each.found for each in due if self._is_postponed(queue, each)]

    def _is_postponed(self, queue: Queue, each: Postponed) -> bool:
        with suppress(StateConflict):
            self.commit(Commit(replace(each.found.setup, **{queue: each.until}), each.found.version))
            return True
        return False

    def unpublished(self, before: datetime, limit: int) -> list[Event]:
        old = sorted((at, event.event_id, event) for at, event in self.outbox.values() if at < before)
        return [event for _, _, event in old][:limit]

    def mark_published(self, event_id: str) -> None:
        self.outbox.pop(event_id, None)

    def only(self) -> Setup:
        """The one setup that is stored."""
        (versioned,) = self.stored.values()
        return versioned.setup


@dataclass
class FakeEvents:
    """The event bus: keeps what was published; fails `failures` times first."""

    published: list[Event] = field(default_factory=list)
    rejected: list[Rejection] = field(default_factory=list)
    failure: Exception | None = None

    def publish(self, event: Event) -> None:
        if self.failure:
            raise self.failure
        self.published.append(event)

    def publish_all(self, events: Sequence[Event]) -> None:
        for event in events:
            self.publish(event)

    def reject(self, rejection: Rejection) -> None:
        if self.failure:
            raise self.failure
        self.rejected.append(rejection)
