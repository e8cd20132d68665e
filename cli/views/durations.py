"""Spans of time in words."""

from __future__ import annotations

from datetime import datetime, timedelta

LONG_S = 120
MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86400


def duration(time_span: timedelta, digits: int = 0) -> str:
    """`12 s`, with so many decimal places; `3 min 20 s` from two minutes on, then `5 h 12 min`, `3 d 4 h`."""
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
    """`12 s ago`. Clocks may differ a little: what is still to come was just now."""
    return f"{duration(max(now - moment, timedelta()))} ago"


def until(moment: datetime, now: datetime) -> str:
    """`in 12 s`; "now" for what is due."""
    return f"in {duration(moment - now)}" if moment > now else "now"


def clock(moment: datetime) -> str:
    """The moment as people write it."""
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
