"""Wake what is due: waiting setups, expired leases, announcements that nobody followed, left-over events.

    due, longest first --> postponed, a page at a time --> published
                            compare-and-set: of overlapping ticks one wins each setup

A tick is bounded in setups and in time. What is left stays due, and is the first of the next tick.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.domain import event as events
from shared.domain.chain import Topology
from shared.domain.errors import StateUnavailable
from shared.domain.event import Event
from shared.domain.transitions import WAKE_UP_PATIENCE
from shared.ports import Clock, Versioned
from shared.service.publishing import Outbox

# Setups, and left-over events, that one tick handles at most (docs/adr/0008). Not more, also because three
# writes to the index follow each wake-up.
LIMIT = 2000
# Setups that are postponed in one commit, and then published.
PAGE = 100
# When a tick begins nothing new any more; well below the function's time-out, because a call that is under
# way may be repeated for half a minute.
WAKING = timedelta(seconds=20)
FLUSHING = timedelta(seconds=25)
# Younger outbox entries are still being published by the execution that wrote them.
OUTBOX_AGE = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Tick:
    """What one tick did. `is_full`: more was due than it handled, so re-poll is behind."""

    woken: int
    published: int
    is_full: bool = False


@dataclass(frozen=True, slots=True)
class Repoll:
    """The use case behind `l7-poll-due`."""

    outbox: Outbox
    clock: Clock
    topology: Topology
    outbox_age: timedelta = OUTBOX_AGE

    def handle(self) -> Tick:
        """Wake due setups once for each due time and publish left-over events. Overlapping ticks are safe.

        Raises `StateUnavailable` if state or event bus do not answer; the next tick goes on.
        """
        started = self.clock.now()
        due = [found for found in self.outbox.setups.due(started, LIMIT) if found.setup.current]
        seen = woken = 0
        for page in _pages(due):
            if self.clock.now() - started >= WAKING:
                break
            woken += self._wake(page)
            seen += len(page)
        published = self._publish_left_over(started)
        return Tick(woken, published, is_full=seen < len(due) or len(due) == LIMIT)

    def _wake(self, page: Sequence[Versioned]) -> int:
        """Postpone first: if publishing fails or a wake-up is lost, the setup is due again."""
        until = self.clock.now() + WAKE_UP_PATIENCE
        postponed = self.outbox.setups.postpone(page, until)  # somebody acts on the others already
        self.outbox.events.publish_all([event for found in postponed for event in self._wake_up(found)])
        return len(postponed)

    def _wake_up(self, found: Versioned) -> Iterator[Event]:
        setup = found.setup
        if setup.current is not None and setup.poll_at is not None:
            yield events.wake_up(setup, setup.current, self.topology, f"{setup.poll_at.timestamp():.3f}")

    def _publish_left_over(self, started: datetime) -> int:
        """One that cannot be published does not hold up the others, but fails the tick."""
        published, failure = 0, None
        for event in self.outbox.setups.unpublished(started - self.outbox_age, LIMIT):
            if self.clock.now() - started >= FLUSHING:
                break
            try:
                self.outbox.events.publish(event)
                self.outbox.setups.mark_published(event.event_id)
                published += 1
            except StateUnavailable as error:
                failure = error
        if failure is not None:
            raise failure
        return published


def _pages(due: Sequence[Versioned]) -> Iterator[Sequence[Versioned]]:
    for start in range(0, len(due), PAGE):
        yield due[start : start + PAGE]
