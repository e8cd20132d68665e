"""What is wrong, in one value: a reason, and the words for this case."""

from __future__ import annotations

from dataclasses import dataclass

from milvus_l7.domain.reasons import Reason


@dataclass(frozen=True, slots=True)
class Condition:
    """A cause that a diagnosis has found; `reason.remedy` says what helps."""

    reason: Reason
    message: str
