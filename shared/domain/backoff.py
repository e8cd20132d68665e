"""How long to wait before the next look, and for how long at most."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum


@dataclass(frozen=True, slots=True)
class Pace:
    """Exponential back-off with a cap, and a deadline after which waiting has failed. All in seconds."""

    first_s: float
    cap_s: float
    deadline_s: float

    def delay(self, looks: int) -> timedelta:
        """Time until the next look, after `looks` looks (1 or more) that saw the same reason."""
        exponent = min(max(looks - 1, 0), 30)
        return timedelta(seconds=min(self.first_s * 2**exponent, self.cap_s))

    @property
    def deadline(self) -> timedelta:
        """How long one wait for this reason may last."""
        return timedelta(seconds=self.deadline_s)


class Paces(Enum):
    """The paces that reasons choose from."""

    QUICK = Pace(first_s=5, cap_s=60, deadline_s=30 * 60)  # something is being programmed right now
    RETRY = Pace(first_s=5, cap_s=300, deadline_s=6 * 3600)  # a service did not answer as it should
    HUMAN = Pace(first_s=30, cap_s=600, deadline_s=24 * 3600)  # somebody must change something first
