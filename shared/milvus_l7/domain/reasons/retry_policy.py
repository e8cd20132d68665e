"""How long to wait before the next check, and for how long at most."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

# How much earlier than its pace a wait may end.
SPREAD = 0.1


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential back-off with a cap, and a deadline after which waiting has failed. All in seconds."""

    first_s: float
    cap_s: float
    deadline_s: float

    def delay(self, attempts: int) -> timedelta:
        """Return the time until the next check, after so many attempts (1 or more) with the same reason."""
        exponent = min(max(attempts - 1, 0), 30)
        return timedelta(seconds=min(self.first_s * 2**exponent, self.cap_s))

    @property
    def is_scheduled(self) -> bool:
        """Whether the wait itself says when it ends."""
        return self.cap_s == 0

    @property
    def deadline(self) -> timedelta:
        """How long one wait for this reason may last."""
        return timedelta(seconds=self.deadline_s)


def scheduled(deadline_s: float) -> RetryPolicy:
    """Return the policy of a wait that ends at a moment which is known; nothing is looked at before."""
    return RetryPolicy(first_s=0, cap_s=0, deadline_s=deadline_s)


class RetryPolicies(Enum):
    """The paces that reasons choose from."""

    QUICK = RetryPolicy(first_s=5, cap_s=60, deadline_s=30 * 60)  # something is being programmed right now
    RETRY = RetryPolicy(first_s=5, cap_s=300, deadline_s=6 * 3600)  # a service did not answer as it should
    ISSUING = RetryPolicy(
        first_s=15, cap_s=120, deadline_s=12 * 3600
    )  # Google issues a certificate: hours at worst
    HUMAN = RetryPolicy(
        first_s=30, cap_s=600, deadline_s=24 * 3600
    )  # an operator must change something first
    SCHEDULED = scheduled(15 * 86400)  # two weeks and a day: clocks may skip one of a week's only windows


def spread(key: str) -> float:
    """Return a factor on delays, above 0.9 and at most 1; the same key always gives the same.

    Setups that began to wait together drift apart with every check, so they do not come due in one tick, and
    their writes do not go on meeting at one end of the index. Only ever earlier: the cap stays the cap.
    """
    return 1 - SPREAD * zlib.crc32(key.encode()) / 2**32
