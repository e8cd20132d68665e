"""Where plans are kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.setup.desired import SetupId


@dataclass(frozen=True, slots=True)
class PlanRecord:
    """A dry run that was asked for, and what came of it."""

    plan_id: str
    setup_id: SetupId
    request: str  # the request's JSON, as it was published
    requested_at: datetime
    made_at: datetime | None = None  # None: not made yet
    plan: str | None = None  # JSON, see `domain.planning.chain_plan`
    reason: Reason | None = None  # why there is no plan
    message: str = ""


class Plans(Protocol):
    """Where plans are kept for whoever asked for them. Raises `StateUnavailable`."""

    def request(self, record: PlanRecord) -> None:
        """Keep the record unless there is one of its id already. Safe to repeat."""
        ...

    def load(self, plan_id: str) -> PlanRecord | None:
        """Return the record, or None if there is none."""
        ...

    def store(self, record: PlanRecord) -> None:
        """Replace the record. Safe to repeat."""
        ...
