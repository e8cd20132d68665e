"""Serve the setups that are due in a queue: each is postponed, then its event is published.

    due, longest first --> postponed, a page at a time --> published
                            compare-and-set: of overlapping ticks one wins each setup

A tick is bounded in setups and in time. What is left stays due, and is the first of the next tick.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from milvus_l7.application.engine.outbox import Outbox
from milvus_l7.domain.setup.document import Setup
from milvus_l7.domain.setup.event import Event
from milvus_l7.ports import Clock, Postponed, Queue, Versioned

# Setups that one tick handles at most (docs/adr/0008). Not more, also because three writes to the index
# follow each wake-up.
LIMIT = 2000
# Setups that are postponed in one commit, and then published.
PAGE = 100
# When a tick begins nothing new any more; well below the function's time-out, because a call that is under
# way may be repeated for half a minute.
TICK_BUDGET = timedelta(seconds=20)


@dataclass(frozen=True, slots=True)
class QueueAction:
    """What is done for one due setup: it is due again at `until`, and `event` is published."""

    until: datetime
    event: Event


@dataclass(frozen=True, slots=True)
class TickResult:
    """What one tick did. `is_full`: more was due than it handled, so the queue is behind."""

    count: int
    is_full: bool


@dataclass(frozen=True, slots=True)
class DueSetups:
    """One queue. `service` says what to do for a setup at a moment; None: leave it."""

    outbox: Outbox
    clock: Clock
    queue: Queue
    service: Callable[[Setup, datetime], QueueAction | None]

    def serve(self) -> TickResult:
        """Serve what is due, once for each due time. Overlapping ticks are safe.

        Raises `StateUnavailable` if state or event bus do not answer; the next tick goes on.
        """
        started = self.clock.now()
        due = self.outbox.setups.due(self.queue, started, LIMIT)
        seen = served = 0
        for page in _pages(due):
            if self.clock.now() - started >= TICK_BUDGET:
                break
            served += self._serve(page)
            seen += len(page)
        return TickResult(served, is_full=seen < len(due) or len(due) == LIMIT)

    def _serve(self, page: Sequence[Versioned]) -> int:
        """Postpone first: if publishing fails or the event is lost, the setup is due again."""
        now = self.clock.now()
        found = [(each, self.service(each.setup, now)) for each in page]
        services = {each.setup.setup_id: service for each, service in found if service is not None}
        wanted = [Postponed(each, service.until) for each, service in found if service is not None]
        postponed = self.outbox.setups.postpone(self.queue, wanted)  # somebody acts on the others already
        self.outbox.events.publish_all([services[each.setup.setup_id].event for each in postponed])
        return len(postponed)


def _pages(due: Sequence[Versioned]) -> Iterator[Sequence[Versioned]]:
    for start in range(0, len(due), PAGE):
        yield due[start : start + PAGE]
