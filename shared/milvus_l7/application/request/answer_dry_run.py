"""Answer a dry run: make the plan that it asks for, and keep it for whoever asked."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

from milvus_l7.application.engine import log
from milvus_l7.application.engine.outbox import Outbox
from milvus_l7.application.planning.planner import Planner
from milvus_l7.domain.planning import chain_plan
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Permanent, Transient
from milvus_l7.domain.request import registration
from milvus_l7.domain.request.request import Refused, parse
from milvus_l7.domain.setup import event as events
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.event import Event
from milvus_l7.domain.setup.outcome import LONGEST_MESSAGE
from milvus_l7.domain.setup.topology import Topology
from milvus_l7.domain.text.excerpt import excerpt
from milvus_l7.ports import Clock, PlanRecord, Plans


@dataclass(frozen=True, slots=True)
class AnswerDryRun:
    """The use case behind `l7-plan-requested`."""

    outbox: Outbox
    plans: Plans
    clock: Clock
    topology: Topology
    planner: Planner

    def handle(self, event: Event) -> PlanRecord | None:
        """Make the plan named by the event, unless it is made; announce it. Return None if nobody asked.

        Writes nothing but the plan's record. Raises `StateUnavailable`: the delivery must be retried.
        """
        record = self.plans.load(event.event_id)
        if record is None:
            log.write("ERROR", "event names a plan that was not requested", event=event)
            return None
        if record.made_at is None:
            record = self._made(record)
            self.plans.store(record)
        self.outbox.events.publish(events.plan_made(record.plan_id, record.setup_id, self.topology))
        log.write("INFO", "plan made", event=event, reason=record.reason)
        return record

    def _made(self, record: PlanRecord) -> PlanRecord:
        now = self.clock.now()
        try:
            spec = parse(record.request.encode())
        except Refused as refused:
            message = "this release refuses the request, which an earlier one has taken"
            return replace(record, made_at=now, reason=refused.reason, message=message)
        found = self.outbox.setups.load(record.setup_id)
        setup = registration.proposed(found.setup if found else None, spec, now)
        try:
            plan = self.planner.plan(setup, now)
        except (Transient, Permanent) as error:
            message = excerpt(error.message, LONGEST_MESSAGE)
            return replace(record, made_at=now, reason=error.reason, message=message)
        except Exception as error:  # noqa: BLE001 - whoever asked must hear of it
            log.failure("plan raised an unknown error", setup, Stage.PLAN_SETUP)
            message = f"{type(error).__name__} in the plan"
            return replace(record, made_at=now, reason=Reason.INTERNAL_ERROR, message=message)
        made = json.dumps(chain_plan.to_json(plan), default=str)
        fault = plan.fault
        if fault is None:
            return replace(record, made_at=now, plan=made)
        return replace(record, made_at=now, plan=made, reason=fault.reason, message=fault.message)
