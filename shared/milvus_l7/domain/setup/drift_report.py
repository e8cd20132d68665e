"""What drift checks found of a setup, as it is stored and shown."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from milvus_l7.domain.reasons import Reason


class Verdict(StrEnum):
    """What a drift check says of the whole setup."""

    HEALTHY = "healthy"
    DRIFTED = "drifted"
    UNKNOWN = "unknown"  # not everything could be looked at, and what could is as it should be


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference between what the setup needs and what there is. Texts are for people, never secret."""

    stage: str  # that would mend it
    target: str  # "Service default/my-release-milvus", or "checklist"
    field: str  # dotted path, or the name of the checklist's item
    expected: str
    found: str
    reason: Reason
    since: datetime  # of the first check in a row that found it
    by: str = ""  # who changed it, if the cluster tells
    is_repairable: bool = False  # whether it is ours to mend

    @property
    def key(self) -> str:
        """Names the same finding in the next check."""
        return f"{self.target} {self.field}".rstrip()


@dataclass(frozen=True, slots=True)
class Unobserved:
    """A stage that could not be looked at: nothing is known of it, good or bad."""

    stage: str
    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Repair:
    """How often one finding was repaired in a row, each time undone by somebody."""

    key: str
    count: int
    at: datetime  # of the last repair


@dataclass(frozen=True, slots=True)
class DriftReport:
    """The last drift check. Older than two intervals, it says nothing of the present."""

    checked_at: datetime
    verdict: Verdict
    findings: tuple[Finding, ...] = ()
    unobserved: tuple[Unobserved, ...] = ()
    repairs: tuple[Repair, ...] = ()
    repaired_at: tuple[datetime, ...] = ()  # when repairs began, within the last day
