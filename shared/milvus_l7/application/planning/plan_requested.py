"""The chain's first stage: plan what is requested as a whole, and refuse it before anything is written."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from milvus_l7.application.planning.planner import Planner
from milvus_l7.domain.planning import chain_plan
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.setup.document import Setup
from milvus_l7.domain.setup.outcome import Done, Failed, Outcome, Waiting
from milvus_l7.domain.setup.planned import proposed
from milvus_l7.ports import PlanRecord, Plans


@dataclass(frozen=True, slots=True)
class PlanRequested:
    """The stage `plan_setup`. Writes nothing but the plan's record."""

    planner: Planner
    plans: Plans

    def __call__(self, setup: Setup, now: datetime) -> Outcome:
        """Return `Done` if nothing refuses, `Failed` with the refusal, `Waiting` for what will pass.

        What a stage would only wait for, when its time has come, refuses nothing. The plan is kept as
        `plans/<setup id>.plan.g<generation>.r<run>`. Raises what the cluster raises.
        """
        plan = self.planner.plan(proposed(setup), now)
        self.plans.store(_record(setup, plan, now))
        refusal = plan.refusal
        if refusal is None:
            return _without_leave(setup, plan) or Done()
        return (Waiting if plan.is_transient else Failed)(refusal.reason, refusal.message)


def _without_leave(setup: Setup, plan: chain_plan.ChainPlan) -> Failed | None:
    """Return why a repair, which nobody asked for now, may not interrupt anybody."""
    is_repair = setup.requested is not None and setup.requested.is_repair
    if not is_repair or not plan.impacts or setup.supervision.allow_outage:
        return None
    return Failed(Reason.REPAIR_NEEDS_LEAVE, " ".join(impact.message for impact in plan.impacts))


def _record(setup: Setup, plan: chain_plan.ChainPlan, now: datetime) -> PlanRecord:
    refusal = plan.refusal
    return PlanRecord(
        plan_id=f"{setup.setup_id}.plan.g{setup.generation}.r{setup.run}",
        setup_id=setup.setup_id,
        request="",
        requested_at=setup.order.published_at,
        made_at=now,
        plan=json.dumps(chain_plan.to_json(plan), default=str),
        reason=refusal.reason if refusal else None,
        message=refusal.message if refusal else "",
    )
