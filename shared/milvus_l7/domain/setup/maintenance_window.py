"""When Milvus may restart: a span of the day, or of some days of the week, by the clocks of a time zone.

    clocks skip its start        it begins that much later
    clocks skip its end          it ends that much earlier
    clocks show its start twice  it begins the second time
    clocks show its end twice    it ends the first time

So at every moment of it they show a time between start and end. In such a night it may be shorter, or left
out; the next one is found all the same. The rules of time zones are the standard library's and `tzdata`'s.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import count
from typing import Literal, get_args
from zoneinfo import ZoneInfo

# Of a window, by the clocks. It takes a minute to be woken, some to prove the upgrade and to begin it.
SHORTEST = timedelta(minutes=15)
# Of a window, when what restarts Milvus is to begin: an upgrade is proven and written within that
# (adapters.release.limits; tests/adapters/test_fencing.py holds them together).
LEAST_LEFT = timedelta(minutes=5)
_DAY = timedelta(days=1)


# A day of the week, as GKE's recurring maintenance windows name it (RFC 5545, BYDAY).
Day = Literal["MO", "TU", "WE", "TH", "FR", "SA", "SU"]
WEEK: tuple[Day, ...] = get_args(Day)


@dataclass(frozen=True, slots=True)
class MaintenanceWindow:
    """A window; one whose end is not after its start ends on the next day."""

    start_time: str  # HH:MM
    end_time: str
    time_zone: str = "UTC"  # IANA's name
    days: tuple[Day, ...] = ()  # on which it begins; (): every day

    @property
    def length(self) -> timedelta:
        """Return how long it lasts by the clocks, on days on which none is changed."""
        day = date(2000, 1, 1)
        start, end = (datetime.combine(day, each, UTC) for each in (self._start, self._end))
        return (end - start) % _DAY

    def opening(self, now: datetime) -> datetime:
        """Return the first moment from `now` on at which something may begin that restarts Milvus.

        That is `now` itself within a window with enough of it left, else the beginning of one, in UTC.
        """
        return next(begin for begin, end in self._spans(now) if end - begin >= LEAST_LEFT)

    def words(self) -> str:
        """Return the window in words: `SA, SU 02:00-04:00 Europe/Berlin`."""
        days = ", ".join(self.days)
        return f"{days} {self.start_time}-{self.end_time} {self.time_zone}".lstrip()

    def shown(self, moment: datetime) -> str:
        """Return a moment as the window's zone has it: `2026-11-29 02:00 CET`."""
        return f"{moment.astimezone(self._zone):%Y-%m-%d %H:%M %Z}"

    @property
    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    @property
    def _start(self) -> time:
        return time.fromisoformat(self.start_time)

    @property
    def _end(self) -> time:
        return time.fromisoformat(self.end_time)

    def _spans(self, now: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Yield what is left of each window from `now` on: its beginning and, if any is left, a later end.

        There is always a next one that is as long as it is meant to be.
        """
        yesterday = now.astimezone(self._zone).date() - _DAY
        for number in count():
            day = yesterday + number * _DAY
            if not self.days or WEEK[day.weekday()] in self.days:
                begin, end = self._on(day)
                yield max(begin, now.astimezone(UTC)), end

    def _on(self, day: date) -> tuple[datetime, datetime]:
        last = day if self._start < self._end else day + _DAY
        return max(self._moments(day, self._start)), min(self._moments(last, self._end))

    def _moments(self, day: date, at: time) -> list[datetime]:
        """Return when clocks show that time; for one that they skip, a moment before and one after."""
        local = datetime.combine(day, at, self._zone)
        return [local.replace(fold=fold).astimezone(UTC) for fold in (0, 1)]
