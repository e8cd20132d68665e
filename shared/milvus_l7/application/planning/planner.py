"""Plan a set-up: every stage in turn, run dry, each with what the earlier ones would have found out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from milvus_l7.application.dns import records
from milvus_l7.domain.kubernetes import kinds
from milvus_l7.domain.planning import chain_plan
from milvus_l7.domain.planning.chain_plan import (
    AT_ONCE,
    WHEN_ADDRESSED,
    WHEN_SERVED,
    ChainPlan,
    ClientAccess,
    Step,
)
from milvus_l7.domain.reasons.condition import Condition
from milvus_l7.domain.reasons.errors import Permanent, Transient
from milvus_l7.domain.release import milvus_service
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.document import Setup, service_of
from milvus_l7.domain.setup.outcome import LONGEST_MESSAGE, Failed, Outcome, Waiting
from milvus_l7.domain.setup.work import StageWork
from milvus_l7.domain.text.excerpt import excerpt
from milvus_l7.ports import DryRunPorts, ObjectRef, StagePorts

# What a DNS record would lead to, before there is a load balancer.
UNKNOWN_ADDRESS = "(the load balancer's address)"


@dataclass(frozen=True, slots=True)
class StageDryRun:
    """One stage of a dry run: what it would write, and how it ended or why it did not."""

    stage: Stage
    step: Step
    setup: Setup  # with the facts that the stage found out
    ended: Outcome | Transient | Permanent


def run_stage(ports: DryRunPorts, stage: Stage, work: StageWork, setup: Setup, now: datetime) -> StageDryRun:
    """Run one stage dry. Waiting is no fault: it is what a set-up does. Nothing is written."""
    ended: Outcome | Transient | Permanent
    try:
        ended = work(setup, now)
    except (Transient, Permanent) as error:
        ended = error
    facts = None if isinstance(ended, Transient | Permanent) else ended.facts
    # Without a Service nothing after it can be planned: the release is busy.
    is_busy = isinstance(ended, Waiting) and (facts or setup.facts).service is None
    is_fault = is_busy or isinstance(ended, Transient | Permanent | Failed)
    message = excerpt(ended.message, LONGEST_MESSAGE) if is_fault else ""
    fault = Condition(ended.reason, message) if is_fault else None  # type: ignore[union-attr]
    step = Step(stage, ports.take(), AT_ONCE, fault)
    return StageDryRun(stage, step, replace(setup, facts=facts or setup.facts), ended)


@dataclass(frozen=True, slots=True)
class Planner:
    """Plans set-ups."""

    dry_run: Callable[[], DryRunPorts]  # a new one for each plan
    stages: Callable[[StagePorts], Mapping[Stage, StageWork]]  # those that write, in order

    def plan(self, setup: Setup, now: datetime) -> ChainPlan:
        """Return everything that the chain would write for the setup, in order; nothing is written.

        A stage that would fail, or that cannot be looked at, ends the plan with the reason. Raises what the
        cluster or Cloud DNS raise while it is planned what becomes of the old certificate.
        """
        ports = self.dry_run()
        steps: list[Step] = []
        is_transient = False
        for stage, work in self.stages(ports).items():
            ran = run_stage(ports, stage, work, setup, now)
            steps.append(ran.step)
            setup = ran.setup
            if ran.step.fault:
                is_transient = isinstance(ran.ended, Transient | Waiting)
                break
        else:
            waits = isinstance(ran.ended, Waiting) and ran.ended.facts is None
            steps += _at_last(ports, setup, now, is_addressed=not waits)
        found = tuple(steps)
        impacts = chain_plan.impacts(found, _access(ports, setup))
        return ChainPlan(setup.setup_id, found, impacts, is_transient=is_transient)


def _at_last(ports: DryRunPorts, setup: Setup, now: datetime, *, is_addressed: bool) -> Iterator[Step]:
    """Yield the DNS record that waits for an address, and what is removed when all is verified.

    An address that is known may be of a load balancer that is no more.
    """
    if not is_addressed and setup.desired.dns_zone is not None:
        refused = records.publish(ports.zones, setup, UNKNOWN_ADDRESS, ports.ahead).waiting
        fault = Condition(refused.reason, refused.message) if refused else None
        yield Step(Stage.CREATE_INGRESS, ports.take(), WHEN_ADDRESSED, fault)
    ports.frontends.of(setup, service_of(setup)).retire(now)
    yield Step(Stage.VERIFY_ENDPOINT, ports.take(), WHEN_SERVED)


def _access(ports: DryRunPorts, setup: Setup) -> ClientAccess:
    """Return how clients come in now; nothing is known if the Service or the release is not."""
    service, desired = setup.facts.service, setup.desired
    if service is None:
        return ClientAccess()
    objects = ports.connections.objects(desired.cluster)
    live = objects.get(ObjectRef(*kinds.SERVICE, desired.namespace, service.name))
    return ClientAccess(milvus_service.address(live), is_standalone=milvus_service.is_standalone(live))
