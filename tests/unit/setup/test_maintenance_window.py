"""When a maintenance window is open, in every zone and every night."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.setup.maintenance_window import LEAST_LEFT, SHORTEST, WEEK, MaintenanceWindow

BERLIN = MaintenanceWindow("02:00", "04:00", "Europe/Berlin", ("SA", "SU"))
# With clocks that change by an hour, by half an hour, across midnight, south of the equator, and not at all.
ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/St_Johns",
    "Australia/Lord_Howe",
    "America/Santiago",
    "Africa/Cairo",
    "Asia/Kathmandu",
    "Pacific/Apia",
    "Africa/Casablanca",
    "Antarctica/Troll",
)
TIMES = st.integers(0, 24 * 60 - 1).map(lambda minute: f"{minute // 60:02}:{minute % 60:02}")
WINDOWS = st.builds(
    MaintenanceWindow,
    TIMES,
    TIMES,
    st.sampled_from(ZONES),
    st.lists(st.sampled_from(WEEK), unique=True, max_size=3).map(tuple),
).filter(lambda window: window.length >= SHORTEST)


def nights(zone: str) -> list[datetime]:
    """Midnights of UTC in 2026 to 2028, on the day after which clocks of the zone are changed."""
    days = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=number) for number in range(3 * 365)]
    offsets = [day.astimezone(ZoneInfo(zone)).utcoffset() for day in days]
    return [day for day, now, then in zip(days, offsets, offsets[1:], strict=False) if now != then]


NIGHTS = sorted(night for zone in ZONES for night in nights(zone))
HOURS = st.integers(-48 * 60, 48 * 60).map(lambda minutes: timedelta(minutes=minutes))
MOMENTS = st.builds(datetime.__add__, st.sampled_from(NIGHTS), HOURS)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "opening"),
    [
        ("2026-11-27 12:00", "2026-11-28 01:00"),  # a Friday: on Saturday at 02:00 CET
        ("2026-11-28 01:00", "2026-11-28 01:00"),  # it begins now
        ("2026-11-28 02:55", "2026-11-28 02:55"),  # five minutes are left
        ("2026-11-28 02:56", "2026-11-29 01:00"),  # too few are
        ("2026-11-29 03:00", "2026-12-05 01:00"),  # it has ended for this week
        ("2026-07-11 00:00", "2026-07-11 00:00"),  # 02:00 CEST
        ("2027-03-28 00:00", "2027-03-28 01:00"),  # clocks skip 02:00, and show 03:00 an hour early
        ("2026-10-25 00:00", "2026-10-25 01:00"),  # they show 02:00 twice: the second time
    ],
)
def test_window_opens_when_the_clocks_of_its_zone_say_so(now: str, opening: str) -> None:
    assert BERLIN.opening(at(now)) == at(opening)


def test_window_over_midnight_belongs_to_the_day_on_which_it_begins() -> None:
    window = MaintenanceWindow("23:00", "01:00", days=("SA",))
    assert window.opening(at("2026-11-28 22:00")) == at("2026-11-28 23:00")
    assert window.opening(at("2026-11-29 00:30")) == at("2026-11-29 00:30")
    assert window.opening(at("2026-11-29 23:30")) == at("2026-12-05 23:00")


def test_hour_that_clocks_skip_is_no_window_and_the_wait_for_the_next_one_is_not_too_long() -> None:
    window = MaintenanceWindow("02:00", "03:00", "Europe/Berlin", ("SU",))
    after_the_last, opening = at("2027-03-21 02:00"), at("2027-04-04 00:00")
    assert window.opening(after_the_last) == opening
    assert opening - after_the_last < Reason.OUTSIDE_MAINTENANCE_WINDOW.pace.deadline


@pytest.mark.parametrize(
    ("window", "hours"), [(BERLIN, 2), (MaintenanceWindow("23:00", "01:30"), 2.5)], ids=str
)
def test_length_is_what_the_clocks_show(window: MaintenanceWindow, hours: float) -> None:
    assert window.length == timedelta(hours=hours)


def test_window_and_moment_are_told_in_the_words_of_its_zone() -> None:
    assert BERLIN.words() == "SA, SU 02:00-04:00 Europe/Berlin"
    assert MaintenanceWindow("02:00", "04:00").words() == "02:00-04:00 UTC"
    assert BERLIN.shown(at("2026-11-28 01:00")) == "2026-11-28 02:00 CET"


def clocks(window: MaintenanceWindow, moment: datetime) -> datetime:
    """What the clocks of the window's zone show."""
    return moment.astimezone(ZoneInfo(window.time_zone)).replace(tzinfo=None)


def is_within(window: MaintenanceWindow, shown: datetime) -> bool:
    """Whether clocks show a time of the window, on one of its days."""
    began = shown
    if window.start_time < window.end_time:
        is_open = window.start_time <= f"{shown:%H:%M}" < window.end_time
    else:
        is_early = f"{shown:%H:%M}" < window.end_time
        began = shown - timedelta(days=1) if is_early else shown
        is_open = is_early or f"{shown:%H:%M}" >= window.start_time
    return is_open and (not window.days or WEEK[began.weekday()] in window.days)


@given(WINDOWS, MOMENTS, st.integers(0, 4))
def test_at_every_opening_and_as_long_as_is_needed_after_it_clocks_show_a_time_of_the_window(
    window: MaintenanceWindow, now: datetime, minutes: int
) -> None:
    opening = window.opening(now)
    assert opening >= now
    assert minutes < LEAST_LEFT / timedelta(minutes=1)
    assert is_within(window, clocks(window, opening + timedelta(minutes=minutes)))


@given(WINDOWS, MOMENTS)
def test_what_is_open_stays_open_and_is_waited_for_within_the_deadline(
    window: MaintenanceWindow, now: datetime
) -> None:
    opening = window.opening(now)
    assert window.opening(opening) == opening
    assert opening - now < Reason.OUTSIDE_MAINTENANCE_WINDOW.pace.deadline


@given(WINDOWS, MOMENTS)
def test_no_earlier_moment_would_do(window: MaintenanceWindow, now: datetime) -> None:
    opening = window.opening(now)
    earlier = now + (opening - now) / 2
    assert window.opening(earlier) == opening or opening == now
