"""The deployed functions and the topics between them, as `infra/topology.yaml` lists them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from milvus_l7.domain.setup.chain import Stage


@dataclass(frozen=True, slots=True)
class FunctionFacts:
    """What the topology says of one function."""

    trigger: str
    timeout_s: int
    announces: str | None = None


@dataclass(frozen=True, slots=True)
class Topology:
    """The deployed functions and the topics between them."""

    functions: Mapping[str, FunctionFacts]
    lease_margin_s: int
    failed_topic: str
    rejected_topic: str
    reissued_topic: str
    dry_run_topic: str  # asks for a plan alone; nothing else is accepted there
    plan_made_topic: str

    def trigger(self, stage: Stage) -> str:
        """The topic whose events start `stage`."""
        return self.functions[stage].trigger

    def announcement(self, stage: Stage) -> str:
        """The topic on which the success of `stage` is announced."""
        topic = self.functions[stage].announces
        if topic is None:
            raise ValueError(f"{stage} announces nothing")
        return topic

    def lease_s(self, stage: Stage) -> int:
        """Seconds that a lease on `stage` lasts: longer than any execution of it can."""
        return self.functions[stage].timeout_s + self.lease_margin_s


def topology(document: Mapping[str, Any]) -> Topology:
    """The topology that a parsed `infra/topology.yaml` describes; `KeyError` if a part is missing."""
    functions = {
        name: FunctionFacts(row["trigger"], int(row["timeout_s"]), row.get("announces"))
        for name, row in document["functions"].items()
    }
    return Topology(
        functions,
        int(document["lease_margin_s"]),
        document["notices"]["failed"],
        document["notices"]["rejected"],
        document["notices"]["reissued"],
        document["functions"][Stage.PLAN_SETUP]["also_triggered_by"][0],
        document["notices"]["plan_made"],
    )
