"""Wake what is due: waiting setups, expired leases, announcements that nobody followed, left-over events."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from milvus_l7.application.engine.due_queue import LIMIT, DueSetups, QueueAction
from milvus_l7.application.engine.outbox import Outbox
from milvus_l7.domain.reasons.errors import StateUnavailable
from milvus_l7.domain.setup import event as events
from milvus_l7.domain.setup.document import Setup
from milvus_l7.domain.setup.schedule import WAKE_UP_RETRY_AFTER
from milvus_l7.domain.setup.topology import Topology
from milvus_l7.ports import Clock, Queue

# When a tick publishes no further left-over event; see `application.engine.due_queue.SERVING`.
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
        served = DueSetups(self.outbox, self.clock, Queue.POLL, self._wake_up).serve()
        published = self._publish_left_over(started)
        return Tick(served.count, published, served.is_full)

    def _wake_up(self, setup: Setup, now: datetime) -> QueueAction | None:
        if setup.current is None or setup.poll_at is None:
            return None
        mark = f"{setup.poll_at.timestamp():.3f}"
        wake_up = events.wake_up(setup, setup.current, self.topology, mark)
        return QueueAction(now + WAKE_UP_RETRY_AFTER, wake_up)

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
