"""Time: what happens when, and the clocks that tell it."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import NamedTuple

from greenlet import getcurrent, greenlet

from tests.fakes.state import START


@dataclass
class TrueClock:
    """The time as the state store has it."""

    moment: datetime = START

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return self.moment.timestamp()


@dataclass(frozen=True)
class ProcessClock:
    """A process' clock, which is wrong by some minutes."""

    true: TrueClock
    skew: timedelta

    def now(self) -> datetime:
        return self.true.now() + self.skew

    def monotonic(self) -> float:
        return self.true.monotonic()


class Due(NamedTuple):
    """Something that happens at a moment. The number, which is unique, decides between equal moments."""

    at: datetime
    number: int
    act: Callable[[], object]
    is_tick: bool


@dataclass
class Agenda:
    """What is to happen. Greenlets that pause are resumed in their turn; `between` is called in between."""

    between: Callable[[], None]
    clock: TrueClock = field(default_factory=TrueClock)
    dues: list[Due] = field(default_factory=list)
    until: datetime = START
    main: greenlet = field(default_factory=getcurrent)
    numbers: count[int] = field(default_factory=count)

    def later(self, seconds: float, act: Callable[[], object], *, is_tick: bool = False) -> None:
        """Let something happen after so many seconds."""
        at = self.clock.moment + timedelta(seconds=seconds)
        heapq.heappush(self.dues, Due(at, next(self.numbers), act, is_tick))

    def run(self, until: datetime) -> None:
        """Let everything happen that is due until then."""
        self.until = until
        while self.dues and self.dues[0].at <= until:
            due = heapq.heappop(self.dues)
            self.clock.moment = max(self.clock.moment, due.at)
            due.act()
            self.between()
        self.clock.moment = max(self.clock.moment, until)

    def pause(self, seconds: float) -> None:
        """Let time pass for the greenlet that is running; if nothing else happens meanwhile, it goes on."""
        current = getcurrent()
        if current is self.main:
            return
        end = self.clock.moment + timedelta(seconds=seconds)
        if end <= self.until and (not self.dues or end < self.dues[0].at):
            self.between()
            self.clock.moment = end
        else:
            self.later(seconds, current.switch)
            self.main.switch()

    @property
    def next_at(self) -> datetime | None:
        """When the next thing happens."""
        return self.dues[0].at if self.dues else None

    @property
    def has_only_ticks(self) -> bool:
        """Whether nothing but a tick of the scheduler is to happen."""
        return all(due.is_tick for due in self.dues)
