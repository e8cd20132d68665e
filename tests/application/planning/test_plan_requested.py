"""The chain's first stage: what is requested is planned, and refused before anything is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pytest

from milvus_l7.application.engine.execution import Execution
from milvus_l7.application.planning.plan_requested import PlanRequested
from milvus_l7.application.planning.planner import Planner
from milvus_l7.application.stages import registry
from milvus_l7.domain.dns.records import RecordSet
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Permanent, Transient
from milvus_l7.domain.request import registration
from milvus_l7.domain.request.registration import register, tear_down
from milvus_l7.domain.request.request import TearDownSpec
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.document import Setup, Status
from milvus_l7.domain.setup.facts import Facts
from milvus_l7.domain.setup.outcome import Done, Failed, Outcome, Waiting
from milvus_l7.domain.setup.supervision import DriftPolicy, Supervision
from milvus_l7.domain.setup.work import StageWork
from milvus_l7.ports import ObjectRef, StagePorts
from tests.builders import arrival, desired, finished, new_setup, request, requested_setup, wish
from tests.fakes.dns_zones import ZONE, FakeDnsZones
from tests.fakes.engine import FakeEngine
from tests.fakes.plaintext_release import cluster, release
from tests.fakes.plans import FakePlans
from tests.fakes.ports import FakePorts, stage
from tests.fakes.provisioning import FakeCertificates
from tests.fakes.releases import ReleaseCluster
from tests.fakes.state import START

OTHER = wish(domain="other.example.com")
MUTUAL_TLS = {"extraConfigFiles": {"user.yaml": "common: {security: {tlsMode: 2}}"}}


def work(there: ReleaseCluster, plans: FakePlans) -> StageWork:
    return stage(Stage.PLAN_SETUP, there, certificates=FakeCertificates(), plans=plans)


def versions(there: ReleaseCluster) -> dict[ObjectRef, str | None]:
    return {ref: live["metadata"].get("resourceVersion") for ref, live in there.kube.stored.items()}


def test_plan_without_a_refusal_is_done_writes_nothing_and_is_kept() -> None:
    there, plans = cluster(release()), FakePlans()
    setup, before = requested_setup(), versions(there)
    assert isinstance(work(there, plans)(setup, START), Done)
    assert (there.helm.writes, versions(there)) == (0, before)
    (record,) = plans.stored.values()
    assert record.plan_id == f"{setup.setup_id}.plan.g1.r1"
    assert (record.made_at, record.reason) == (START, None)
    assert record.plan is not None
    assert "service.type" in record.plan


def test_repair_that_would_interrupt_clients_is_refused_unless_that_is_allowed_or_asked_for() -> None:
    verified = finished(new_setup(supervision=Supervision(policy=DriftPolicy.REPAIR)))
    repair = replace(registration.repair(verified, START), facts=Facts())
    outcome = work(cluster(release()), FakePlans())(repair, START)
    assert isinstance(outcome, Failed)
    assert (outcome.reason, "TLS only" in outcome.message) == (Reason.REPAIR_NEEDS_LEAVE, True)
    allowed = replace(repair, supervision=Supervision(policy=DriftPolicy.REPAIR, allow_outage=True))
    asked_for, _ = register(repair, wish(repair.supervision), arrival("m2", seconds=1))
    for setup in (allowed, asked_for):
        assert isinstance(work(cluster(release()), FakePlans())(setup, START), Done)


def test_what_any_stage_would_refuse_fails_the_plan_with_its_reason() -> None:
    there, plans = cluster(release(values=MUTUAL_TLS)), FakePlans()
    outcome = work(there, plans)(requested_setup(), START)
    assert isinstance(outcome, Failed)
    assert outcome.reason is Reason.MUTUAL_TLS
    (record,) = plans.stored.values()
    assert (record.reason, record.message) == (Reason.MUTUAL_TLS, outcome.message)


@pytest.mark.parametrize("key", ["type", "portName"])
def test_plan_fits_into_a_document_whatever_the_release_holds(key: str) -> None:
    there, plans = cluster(release(values={"service": {key: "x" * 2_000_000}})), FakePlans()
    work(there, plans)(requested_setup(), START)
    (record,) = plans.stored.values()
    assert len(f"{record.plan} {record.message}") < 64 * 1024


def test_release_that_is_busy_is_waited_for() -> None:
    busy = cluster(release(), release(revision=2, status="pending-upgrade"))
    outcome = work(busy, FakePlans())(requested_setup(), START)
    assert isinstance(outcome, Waiting)
    assert outcome.reason is Reason.RELEASE_BUSY


def test_what_a_stage_would_wait_for_a_person_for_refuses_nothing() -> None:
    theirs = RecordSet("my-release.milvus.io.", "A", 60, ("203.0.113.9",))
    ports = FakePorts(cluster(release()), FakeDnsZones([theirs]), FakeCertificates())
    for address in (None, "192.0.2.1"):
        setup = requested_setup(dns_zone=ZONE)
        known = replace(setup, facts=replace(setup.facts, address=address))
        assert isinstance(registry.work(Stage.PLAN_SETUP, ports)(known, START), Done)
    assert {record.reason for record in ports.plans.stored.values()} == {None}


@pytest.mark.parametrize("address", [None, "192.0.2.1"])
def test_zone_that_nothing_can_be_published_in_refuses_also_when_the_load_balancer_is_gone(
    address: str | None,
) -> None:
    setup = requested_setup(dns_zone="projects/p/managedZones/none")
    known = replace(setup, facts=replace(setup.facts, address=address))
    with pytest.raises(Permanent, match="no zone"):
        work(cluster(release()), FakePlans())(known, START)


@dataclass
class Scripted:
    """A stage that ends like this when it is run dry."""

    ended: Outcome | Exception
    wanted: Setup | None = None

    def stages(self, ports: StagePorts) -> Mapping[Stage, StageWork]:
        return {Stage.PREPARE_TLS: self.work}

    def work(self, setup: Setup, now: datetime) -> Outcome:
        self.wanted = setup
        if isinstance(self.ended, Exception):
            raise self.ended
        return self.ended

    def plan(self, setup: Setup) -> Outcome:
        ports: Any = FakePorts(cluster(release()))
        return PlanRequested(Planner(ports.dry_run, self.stages), FakePlans())(setup, START)


def test_transient_fault_is_waited_for_and_a_permanent_one_refuses() -> None:
    transient = Scripted(Transient(Reason.CLUSTER_UNAVAILABLE, "503")).plan(requested_setup())
    assert transient == Waiting(Reason.CLUSTER_UNAVAILABLE, "503")
    permanent = Scripted(Permanent(Reason.CLUSTER_ACCESS_DENIED, "403")).plan(requested_setup())
    assert permanent == Failed(Reason.CLUSTER_ACCESS_DENIED, "403")


@pytest.mark.parametrize("is_down", [False, True])
def test_what_is_planned_is_what_is_requested_not_what_is_desired(is_down: bool) -> None:
    setup = finished(new_setup())
    if is_down:
        setup, _ = tear_down(setup, TearDownSpec(desired(), restore_l4=True), arrival("t1", seconds=1))
    changed, _ = register(setup, OTHER, arrival("m2", seconds=2))
    script = Scripted(Permanent(Reason.MUTUAL_TLS, "x"))
    script.plan(changed)
    assert script.wanted is not None
    assert (script.wanted.desired, script.wanted.teardown) == (OTHER.desired, None)


def test_plan_of_an_execution_finds_what_the_chain_then_runs_into() -> None:
    engine = FakeEngine()
    engine.submit("m1", request())

    def build(execution: Execution) -> StageWork:
        return work(cluster(release(values=MUTUAL_TLS)), engine.plans)

    replace(engine.runner(Stage.PLAN_SETUP), work=build).handle(engine.events.published[0])
    setup = engine.only()
    assert (setup.status, setup.is_touched) == (Status.FAILED, False)
    assert setup.refusal is not None
    assert setup.refusal.reason is Reason.MUTUAL_TLS
    assert list(engine.plans.stored) == [f"{setup.setup_id}.plan.g1.r1"]
