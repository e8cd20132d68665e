"""Drift checks through the production adapters, against an API server."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from milvus_l7.adapters.certificates.x509 import X509Certificates
from milvus_l7.application.drift.check_drift import LEAST_AGE, CheckDrift
from milvus_l7.domain.drift.evaluation import MOST_REPAIRS_IN_ALL
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Transient
from milvus_l7.domain.setup.chain import SETUP_STAGES, Stage
from milvus_l7.domain.setup.document import Setup, StageRecord, StageState, Status
from milvus_l7.domain.setup.drift_report import DriftReport, Verdict
from milvus_l7.domain.setup.facts import Check, CheckState
from milvus_l7.domain.setup.outcome import Done, Outcome
from milvus_l7.domain.setup.supervision import DriftPolicy, Supervision
from milvus_l7.domain.setup.work import StageWork
from milvus_l7.ports import Commit, Queue, StagePorts
from tests.builders import TOPOLOGY
from tests.contract.kube_server import Space, fresh_space, server_under_test  # noqa: F401 (fixtures)
from tests.contract.whole_chain import CHOSEN, SERVICE, Chain
from tests.fakes.engine import FakeEngine
from tests.fakes.ports import FakePorts, dry_run
from tests.fakes.state import FakeClock

APP_PROTOCOLS = "cloud.google.com/app-protocols"
REPAIR = Supervision(policy=DriftPolicy.REPAIR)
PASSED = (Check("milvus", CheckState.PASSED),)


@dataclass
class Unreachable:
    """`Connections` to a cluster whose API does not answer."""

    def objects(self, cluster: str) -> Any:
        raise Transient(Reason.CLUSTER_UNAVAILABLE, "the Kubernetes API did not answer")

    def releases(self, cluster: str, namespace: str) -> Any:
        return self.objects(cluster)


@dataclass
class World:
    """A verified setup, its cluster, and the drift check."""

    chain: Chain
    engine: FakeEngine = field(default_factory=lambda: FakeEngine(FakeClock(datetime.now(UTC))))
    checks: tuple[Check, ...] = PASSED
    connections: Any = None

    def start(self, supervision: Supervision = Supervision()) -> World:  # noqa: B008
        self.chain.install()
        self.chain.run()
        now = self.engine.clock.now()
        done = {stage: StageRecord(StageState.DONE) for stage in SETUP_STAGES}
        setup = replace(self.chain.setup, stages=done, supervision=supervision, verified_at=now, check_at=now)
        self.engine.setups.commit(Commit(setup, None))
        return self

    @property
    def use_case(self) -> CheckDrift:
        ports = FakePorts(self.connections or self.chain, self.chain.zones, X509Certificates())
        return CheckDrift(
            self.engine.outbox,
            self.engine.clock,
            TOPOLOGY,
            dry_run(ports),
            verification=self._verification,
        )

    def _verification(self, ports: StagePorts) -> StageWork:
        def work(setup: Setup, now: datetime) -> Outcome:
            return Done(replace(setup.facts, checklist=self.checks))

        return work

    def check(self) -> DriftReport:
        report = self.use_case.check(self.chain.setup.setup_id)
        assert report is not None
        self.engine.clock.advance(seconds=LEAST_AGE.total_seconds())
        return report

    def edit(self, text: str = '{"milvus":"HTTP"}') -> None:
        body = {"metadata": {"annotations": {APP_PROTOCOLS: text}}}
        self.chain.space.patch(f"services/{SERVICE}", body, fieldManager="rival")

    def repaired(self) -> None:
        """What the functions do after a repair has begun: run the stages, until verified."""
        setup = self.engine.only()
        assert setup.status is not Status.VERIFIED
        self.chain.run()
        done = {stage: StageRecord(StageState.DONE) for stage in SETUP_STAGES}
        found = self.engine.setups.load(setup.setup_id)
        assert found is not None
        again = replace(setup, requested=None, stages=done, check_at=self.engine.clock.now())
        self.engine.setups.commit(Commit(again, found.version))


@pytest.fixture
def world(space: Space) -> World:
    return World(Chain(space))


def test_untouched_setup_is_healthy_and_nothing_is_written(world: World) -> None:
    world.start()
    versions = world.chain.versions()
    report = world.check()
    assert (report.verdict, report.findings, report.unobserved) == (Verdict.HEALTHY, (), ())
    assert world.chain.versions() == versions
    assert world.engine.only().drift == report


def test_foreign_edit_is_found_with_its_writer_and_announced_once(world: World) -> None:
    world.start()
    world.edit()
    (finding,) = world.check().findings
    assert finding.field == f"metadata.annotations[{APP_PROTOCOLS}]"
    assert finding.by.startswith("rival (Update")
    again = world.check()
    assert again.findings[0].since == finding.since
    assert world.engine.topics().count("l7-drift-found") == 1


def test_foreign_edit_is_logged_by_its_field_without_the_value(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.start()
    world.edit('{"milvus":"HTTP3"}')
    world.check()
    (line,) = (line for line in capsys.readouterr().out.splitlines() if "drift check: drifted" in line)
    assert json.loads(line)["findings"] == [
        {
            "stage": "configure_health_check",
            "target": f"Service {world.chain.space.name}/{SERVICE}",
            "field": f"metadata.annotations[{APP_PROTOCOLS}]",
            "reason": "Drifted",
        }
    ]
    assert "HTTP3" not in line


def test_cluster_that_does_not_answer_is_unknown_and_keeps_nothing_as_healthy(world: World) -> None:
    world.start(REPAIR)
    world.connections = Unreachable()
    report = world.check()
    assert (report.verdict, report.findings) == (Verdict.UNKNOWN, ())
    assert {each.reason for each in report.unobserved} == {Reason.CLUSTER_UNAVAILABLE}
    assert world.engine.only().status is Status.VERIFIED


def test_release_that_is_not_listed_is_unknown_and_nothing_of_it_is_deleted(world: World) -> None:
    world.start(REPAIR)
    for secret in world.chain.space.get("secrets", labelSelector="owner=helm").body["items"]:
        world.chain.space.delete("secrets", secret["metadata"]["name"])
    before = world.chain.versions()
    report = world.check()
    assert report.verdict is Verdict.UNKNOWN
    assert Reason.RELEASE_NOT_FOUND in {each.reason for each in report.unobserved}
    assert world.chain.versions() == before


def test_broken_secret_on_the_ingress_is_told_by_check_and_plan_with_who_must_mend_it(world: World) -> None:
    world.start()
    space, told = world.chain.space, "left off the Ingress: Secret theirs"
    assert space.create("secrets", {"metadata": {"name": "theirs"}}).code == 201
    tls = {"spec": {"tls": [{"secretName": f"{SERVICE}-tls"}, {"secretName": "theirs"}]}}
    assert space.patch(f"ingresses/{SERVICE}", tls, group="networking.k8s.io/v1").code == 200
    found = {finding.key: finding.found for finding in world.check().findings}
    assert any("spec.tls" in key for key in found)
    assert found["create_ingress notice"].startswith(told)
    assert "its owner must correct it" in found["create_ingress notice"]
    steps = {step.stage: step.notice for step in world.chain.plan().steps if step.notice}
    assert (list(steps), steps[Stage.CREATE_INGRESS].startswith(told)) == ([Stage.CREATE_INGRESS], True)


def test_foreign_ingress_is_reported_and_never_repaired(world: World) -> None:
    world.start(REPAIR)
    body = {"metadata": {"labels": {"app.kubernetes.io/managed-by": "them"}}}
    world.chain.space.patch(f"ingresses/{SERVICE}", body, group="networking.k8s.io/v1")
    (finding,) = world.check().findings
    assert (finding.reason, finding.is_repairable) == (Reason.OBJECT_NOT_OURS, False)
    assert world.engine.only().status is Status.VERIFIED
    entry = world.engine.setups.history[-1]
    assert entry.message.startswith(f"create_ingress dry run: expected no error, found Ingress {SERVICE}")


def test_repair_starts_with_the_plan(world: World) -> None:
    world.start(REPAIR)
    world.edit()
    world.check()
    setup = world.engine.only()
    assert (setup.current, setup.run) == (Stage.PLAN_SETUP, 2)
    assert world.engine.events.published[-1].topic == TOPOLOGY.trigger(Stage.PLAN_SETUP)


def test_repair_undone_three_times_stops_and_names_the_rival(world: World) -> None:
    world.start(REPAIR)
    for _ in range(3):
        world.edit()
        world.check()
        world.repaired()
        world.engine.clock.advance(minutes=15)
    world.edit()
    (finding,) = world.check().findings
    assert finding.reason is Reason.REPAIR_UNDONE
    assert finding.by.startswith("rival")
    assert world.engine.only().status is Status.VERIFIED


def test_repair_that_interrupts_clients_waits_for_leave(world: World) -> None:
    world.start(REPAIR)
    world.chain.helm("upgrade", CHOSEN)
    world.chain.roll_out()
    reasons = {finding.reason for finding in world.check().findings if finding.is_repairable}
    assert reasons == {Reason.REPAIR_NEEDS_LEAVE}
    assert world.engine.only().status is Status.VERIFIED


def test_setup_that_was_repaired_too_often_within_a_day_is_left_as_it_is(world: World) -> None:
    world.start(REPAIR)
    report = world.check()
    found = world.engine.setups.load(world.chain.setup.setup_id)
    assert found is not None
    often = replace(report, repaired_at=(world.engine.clock.now(),) * MOST_REPAIRS_IN_ALL)
    world.engine.setups.commit(Commit(replace(found.setup, drift=often), found.version))
    world.edit()
    (finding,) = world.check().findings
    assert finding.reason is Reason.REPAIR_LIMIT_REACHED
    assert world.engine.only().status is Status.VERIFIED


def test_paused_setup_is_neither_checked_nor_asked_for(world: World) -> None:
    world.start(Supervision(paused=True))
    assert world.use_case.check(world.chain.setup.setup_id) is None
    assert world.engine.only().drift is None


def test_failed_item_of_the_checklist_is_a_finding_that_starts_nothing(world: World) -> None:
    world.start(REPAIR)
    world.checks = (Check("milvus", CheckState.FAILED, "reset", Reason.MILVUS_UNREACHABLE),)
    report = world.check()
    assert [(each.target, each.field) for each in report.findings] == [("checklist", "milvus")]
    assert world.engine.only().status is Status.VERIFIED


def test_tick_asks_once_for_each_due_setup_and_spreads_them(world: World) -> None:
    world.start()
    assert world.use_case.tick().count == 1
    assert world.use_case.tick().count == 0
    (event,) = world.engine.events.published
    assert (event.topic, event.setup_id) == ("l7-drift-check-due", world.chain.setup.setup_id)
    later = world.engine.only().check_at
    assert later is not None
    assert timedelta(minutes=13) < later - world.engine.clock.now() <= timedelta(minutes=15)
    assert world.engine.setups.due(Queue.CHECK, later, 9)


@pytest.mark.parametrize(("reissue", "renewed"), [(False, False), (True, True)])
def test_certificate_about_to_end_is_replaced_only_if_allowed(
    world: World, reissue: bool, renewed: bool
) -> None:
    world.start(replace(REPAIR, reissue_certificate=reissue))
    known = world.engine.only().facts.certificate
    assert known is not None
    world.engine.clock.moment = known.not_after - timedelta(days=29)
    report = world.check()
    reasons = {each.reason for each in report.findings}
    assert reasons == ({Reason.DRIFTED} if reissue else {Reason.CERTIFICATE_EXPIRING})
    assert (world.engine.only().current is Stage.PLAN_SETUP) is reissue


def test_type_that_is_set_back_is_one_finding_whatever_the_chart_s_ranges_are(world: World) -> None:
    world.start()
    world.chain.space.patch(f"services/{SERVICE}", {"spec": {"type": "LoadBalancer"}}, fieldManager="kubectl")
    report = world.check()
    assert {(each.target.split()[0], each.field.partition(".")[0]) for each in report.findings} == {
        ("Service", "spec")
    }
    assert "spec.type" in {each.field for each in report.findings}
    assert {each.reason for each in report.findings} == {Reason.DRIFTED}
    assert report.unobserved == ()


def test_values_that_are_set_back_by_helm_are_found_with_their_source_ranges(world: World) -> None:
    world.start()
    world.chain.helm("upgrade", {"service": {"type": "LoadBalancer"}})
    world.chain.roll_out()
    findings = {(each.target.split()[0], each.field) for each in world.check().findings}
    assert {("Release", "service.type"), ("Service", "spec.loadBalancerSourceRanges")} <= findings
    assert {each.reason for each in world.engine.only().drift.findings} == {Reason.DRIFTED}
