"""Ask again and again until there is an answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Time:
    """The present moment, how to wait, and how long between two attempts."""

    now: Callable[[], datetime]
    sleep: Callable[[float], None]
    interval_s: float = 1.0


def answer(ask: Callable[[], T | None], time: Time, within_s: float) -> T | None:
    """Return the first answer that `ask` gives within the time; None if there is none."""
    end = time.now() + timedelta(seconds=within_s)
    while (given := ask()) is None and time.now() < end:
        time.sleep(time.interval_s)
    return given
