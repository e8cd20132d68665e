"""Word moments and spans of time."""

from __future__ import annotations

from datetime import datetime, timedelta

LONG_S = 120
MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86400


def duration(time_span: timedelta, digits: int = 0) -> str:
    """Return `12 s`, with `digits` decimals; from two minutes on `3 min 20 s`, `5 h 12 min` or `3 d 4 h`."""
    seconds = time_span.total_seconds()
    if seconds < LONG_S:
        return f"{seconds:.{digits}f} s"
    whole = int(seconds)
    if whole < 2 * HOUR_S:
        return f"{whole // MINUTE_S} min {whole % MINUTE_S:02d} s"
    if whole < 2 * DAY_S:
        return f"{whole // HOUR_S} h {whole % HOUR_S // MINUTE_S:02d} min"
    return f"{whole // DAY_S} d {whole % DAY_S // HOUR_S} h"


def ago(moment: datetime, now: datetime) -> str:
    """Return `12 s ago`. Clocks may differ a little: a moment in the future is `0 s ago`."""
    return f"{duration(max(now - moment, timedelta()))} ago"


def until(moment: datetime, now: datetime) -> str:
    """Return `in 12 s`; "now" for what is due."""
    return f"in {duration(moment - now)}" if moment > now else "now"


def clock(moment: datetime) -> str:
    """Return the moment in UTC, to the second."""
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
