"""Plans in memory."""

from __future__ import annotations

from dataclasses import dataclass, field

from milvus_l7.ports import PlanRecord


@dataclass
class FakePlans:
    """Where plans are kept."""

    stored: dict[str, PlanRecord] = field(default_factory=dict)

    def request(self, record: PlanRecord) -> None:
        self.stored.setdefault(record.plan_id, record)

    def load(self, plan_id: str) -> PlanRecord | None:
        return self.stored.get(plan_id)

    def store(self, record: PlanRecord) -> None:
        self.stored[record.plan_id] = record
