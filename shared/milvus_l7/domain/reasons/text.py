"""What a reason says, before it gets its place in the enumeration."""

from __future__ import annotations

from typing import NamedTuple

from milvus_l7.domain.reasons.retry_policy import RetryPolicies


class Text(NamedTuple):
    """The constant's value, one sentence of meaning, one of remedy, and how waits for it are paced."""

    value: str
    meaning: str
    remedy: str
    pace: RetryPolicies = RetryPolicies.RETRY
