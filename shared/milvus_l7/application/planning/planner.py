"""Plan a set-up: every stage in turn, run dry, each with what the earlier ones would have found out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from milvus_l7.application.dns import records
from milvus_l7.application.frontend import retirement
from milvus_l7.application.planning.dry_run import DryRunConnections, DryRunZones, Recorder
from milvus_l7.application.stages.configure_health_check import ConfigureHealthCheck
from milvus_l7.application.stages.create_ingress import CreateIngress
from milvus_l7.application.stages.prepare_tls import PrepareTls
from milvus_l7.application.stages.provision_certificate import ProvisionCertificate
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
from milvus_l7.domain.setup.document import Setup
from milvus_l7.domain.setup.outcome import Failed, Outcome
from milvus_l7.ports import Certificates, Connections, DnsZones, ObjectRef

StageWork = Callable[[Setup, datetime], Outcome]

# What a DNS record would lead to, before there is a load balancer.
UNKNOWN_ADDRESS = "(the load balancer's address)"


@dataclass(frozen=True, slots=True)
class StageDryRun:
    """One stage of a dry run: what it would write, and how it ended or why it did not."""

    stage: Stage
    step: Step
    setup: Setup  # with the facts that the stage found out
    ended: Outcome | Transient | Permanent


@dataclass(slots=True)
class DryRun:
    """The stages that write, over one cluster; for one setup, and used once."""

    connections: DryRunConnections
    zones: DnsZones
    certificates: Certificates
    recorder: Recorder

    @classmethod
    def over(cls, connections: Connections, zones: DnsZones, certificates: Certificates) -> DryRun:
        """Return a dry run over the real thing, which it does not change."""
        recorder = Recorder()
        return cls(
            DryRunConnections(connections, recorder),
            DryRunZones(zones, recorder),
            certificates,
            recorder,
        )

    @property
    def works(self) -> Mapping[Stage, StageWork]:
        """The stages that write, in order."""
        return {
            Stage.PREPARE_TLS: PrepareTls(self.connections),
            Stage.CONFIGURE_HEALTH_CHECK: ConfigureHealthCheck(self.connections),
            Stage.PROVISION_CERTIFICATE: ProvisionCertificate(self.connections, self.certificates),
            Stage.CREATE_INGRESS: CreateIngress(self.connections, self.zones),
        }

    def run_stage(self, stage: Stage, work: StageWork, setup: Setup, now: datetime) -> StageDryRun:
        """Run one stage. Waiting is no fault: it is what a set-up does. Nothing is written."""
        ended: Outcome | Transient | Permanent
        try:
            ended = work(setup, now)
        except (Transient, Permanent) as error:
            ended = error
        facts = None if isinstance(ended, Transient | Permanent) else ended.facts
        is_fault = isinstance(ended, Transient | Permanent | Failed)
        fault = Condition(ended.reason, ended.message) if is_fault else None  # type: ignore[union-attr]
        step = Step(stage, self.recorder.take(), AT_ONCE, fault)
        return StageDryRun(stage, step, replace(setup, facts=facts or setup.facts), ended)


@dataclass(frozen=True, slots=True)
class Planner:
    """Plans set-ups."""

    connections: Connections
    zones: DnsZones
    certificates: Certificates

    def dry_run(self) -> DryRun:
        """Return a new dry run, for one setup."""
        return DryRun.over(self.connections, self.zones, self.certificates)

    def plan(self, setup: Setup, now: datetime) -> ChainPlan:
        """Everything that the chain would write for the setup, in order; nothing is written.

        A stage that would fail, or that cannot be looked at, ends the plan with the reason. Raises what the
        cluster or Cloud DNS raise while it is planned what becomes of the old certificate.
        """
        dry_run = self.dry_run()
        steps: list[Step] = []
        for stage, work in dry_run.works.items():
            act = dry_run.run_stage(stage, work, setup, now)
            steps.append(act.step)
            setup = act.setup
            if act.step.fault:
                break
        else:
            steps += _at_last(dry_run, setup)
        found = tuple(steps)
        return ChainPlan(setup.setup_id, found, chain_plan.impacts(found, _ways(dry_run, setup)))


def _at_last(dry_run: DryRun, setup: Setup) -> Iterator[Step]:
    """The DNS record that waits for an address, and what is taken away when all is verified."""
    if setup.facts.address is None and setup.desired.dns_zone is not None:
        refused = records.publish(dry_run.zones, setup, UNKNOWN_ADDRESS)
        fault = Condition(refused.reason, refused.message) if refused else None
        yield Step(Stage.CREATE_INGRESS, dry_run.recorder.take(), WHEN_ADDRESSED, fault)
    retirement.retire(dry_run.connections.objects(setup.desired.cluster), setup)
    yield Step(Stage.VERIFY_ENDPOINT, dry_run.recorder.take(), WHEN_SERVED)


def _ways(dry_run: DryRun, setup: Setup) -> ClientAccess:
    """How clients come in now; nothing is known if the Service or the release is not."""
    service, desired = setup.facts.service, setup.desired
    if service is None:
        return ClientAccess()
    objects = dry_run.connections.objects(desired.cluster)
    live = objects.get(ObjectRef("v1", "Service", desired.namespace, service.name))
    return ClientAccess(milvus_service.address(live), is_standalone=milvus_service.is_standalone(live))
