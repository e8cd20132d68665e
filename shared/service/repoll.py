"""Wake what is due: waiting setups, expired leases, announcements that nobody followed, left-over events."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from shared.domain import event as events
from shared.domain import transitions
from shared.domain.chain import Topology
from shared.domain.errors import StateConflict
from shared.ports import Clock, Commit, Versioned
from shared.service.publishing import Outbox

PAGE = 100
# A tick handles at most this many pages; what is left is the next tick's.
PAGES = 20
# Younger outbox entries are still being published by the execution that wrote them.
OUTBOX_AGE = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Tick:
    """What one tick did."""

    woken: int
    published: int


@dataclass(frozen=True, slots=True)
class Repoll:
    """The use case behind `l7-poll-due`."""

    outbox: Outbox
    clock: Clock
    topology: Topology
    outbox_age: timedelta = OUTBOX_AGE

    def handle(self) -> Tick:
        """Wake every due setup once and publish left-over events. Overlapping ticks wake nothing twice.

        Raises `StateUnavailable` if state or event bus do not answer; the next tick goes on.
        """
        return Tick(self._wake_due(), self._publish_left_over())

    def _wake_due(self) -> int:
        woken = 0
        for _ in range(PAGES):
            page = self.outbox.setups.due(self.clock.now(), PAGE)
            woken += sum(self._wake(found) for found in page)
            if len(page) < PAGE:
                break
        return woken

    def _wake(self, found: Versioned) -> bool:
        """Move `poll_at` on first: if publishing fails or the wake-up is lost, the setup is due again."""
        now = self.clock.now()
        stage = found.setup.current
        if stage is None:
            return False
        try:
            self.outbox.setups.commit(Commit(transitions.polled(found.setup, now), found.version))
        except StateConflict:
            return False  # somebody acts on it already
        mark = f"{(found.setup.poll_at or now).timestamp():.3f}"
        self.outbox.events.publish(events.wake_up(found.setup, stage, self.topology, mark))
        return True

    def _publish_left_over(self) -> int:
        published = 0
        for _ in range(PAGES):
            page = self.outbox.setups.unpublished(self.clock.now() - self.outbox_age, PAGE)
            for event in page:
                self.outbox.events.publish(event)
                self.outbox.setups.mark_published(event.event_id)
            published += len(page)
            if len(page) < PAGE:
                break
        return published
