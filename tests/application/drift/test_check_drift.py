"""Which setups are checked for drift, how often, and what a check starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest

from milvus_l7.application.drift.check_drift import LEAST_AGE, CheckDrift
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.request.registration import register, tear_down
from milvus_l7.domain.request.request import TearDownSpec
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.desired import SetupId
from milvus_l7.domain.setup.document import Setup, Status
from milvus_l7.domain.setup.drift_report import DriftReport
from milvus_l7.domain.setup.facts import Check, CheckState
from milvus_l7.domain.setup.outcome import Done, Failed, Outcome, Waiting
from milvus_l7.domain.setup.supervision import DriftPolicy, Supervision
from milvus_l7.domain.setup.work import StageWork
from milvus_l7.ports import Commit, StagePorts, Versioned
from tests.builders import TOPOLOGY, after, arrival, begun, desired, finished, new_setup, wish
from tests.fakes.engine import FakeEngine
from tests.fakes.plaintext_release import cluster, release
from tests.fakes.ports import FakePorts, dry_run
from tests.fakes.provisioning import FakeCertificates
from tests.fakes.state import START

PLAN, FIRST, SECOND = Stage.PLAN_SETUP, Stage.PREPARE_TLS, Stage.CONFIGURE_HEALTH_CHECK
BROKEN = Failed(Reason.HELM_FAILED, "x")
REPAIRING = Supervision(policy=DriftPolicy.REPAIR, allow_outage=True)
WITHOUT_LEAVE = replace(REPAIRING, allow_outage=False)


def passing(ports: StagePorts) -> StageWork:
    """A verification whose checklist has passed."""

    def work(setup: Setup, now: datetime) -> Outcome:
        return Done(replace(setup.facts, checklist=(Check("milvus", CheckState.PASSED),)))

    return work


@dataclass
class World:
    """A setup in an engine; its release is as it was before any set-up, so that every stage has drifted."""

    setup: Setup
    engine: FakeEngine = field(default_factory=FakeEngine)

    def __post_init__(self) -> None:
        self.engine.setups.commit(Commit(self.setup, None))

    @property
    def use_case(self) -> CheckDrift:
        ports = FakePorts(cluster(release()), certificates=FakeCertificates())
        engine = self.engine
        return CheckDrift(engine.outbox, engine.clock, TOPOLOGY, dry_run(ports), verification=passing)

    def check(self) -> DriftReport | None:
        return self.use_case.check(self.setup.setup_id)

    def found(self) -> set[str]:
        """The stages that have findings."""
        report = self.check()
        assert report is not None
        return {finding.stage for finding in report.findings}


def verified(**changes: Supervision) -> Setup:
    return finished(new_setup(**changes))


def changed(setup: Setup) -> Setup:
    other = wish(setup.supervision, domain="other.example.com")
    return register(setup, other, arrival("m2", seconds=1))[0]


def failed_again(setup: Setup) -> Setup:
    """The setup whose next request is planned, and then fails."""
    return after(after(changed(setup), PLAN), FIRST, BROKEN)


def taken_down(setup: Setup) -> Setup:
    return tear_down(setup, TearDownSpec(desired(), restore_l4=False), arrival("t1", seconds=1))[0]


@pytest.mark.parametrize(
    "setup",
    [
        verified(),
        failed_again(verified()),
        changed(verified()),
        after(changed(verified()), PLAN, BROKEN),
    ],
    ids=["verified", "failed since", "to be planned", "refused"],
)
def test_whatever_was_once_verified_is_checked_whatever_its_status(setup: Setup) -> None:
    world = World(setup)
    assert setup.check_at is not None
    world.engine.clock.moment = setup.check_at
    assert world.use_case.tick().count == 1
    assert {"prepare_tls", "create_ingress"} <= world.found()
    kept = world.engine.only()
    assert (kept.status, kept.current) == (setup.status, setup.current)


@pytest.mark.parametrize(
    "setup",
    [
        new_setup(),
        after(new_setup(), FIRST, BROKEN),
        taken_down(verified()),
        after(taken_down(verified()), Stage.TEAR_DOWN),
        register(verified(), wish(Supervision(paused=True)), arrival("m2", seconds=1))[0],
    ],
    ids=["never verified", "failed before", "to be torn down", "torn down", "paused"],
)
def test_nothing_else_is_checked(setup: Setup) -> None:
    world = World(setup)
    world.engine.clock.advance(days=1)
    assert world.use_case.tick().count == 0
    assert world.check() is None


def test_in_a_run_that_is_under_way_only_what_is_done_can_have_drifted() -> None:
    setup = after(after(changed(verified()), PLAN), FIRST)
    assert World(setup).found() == {"prepare_tls"}


def test_what_was_found_and_is_still_to_be_mended_stays_found() -> None:
    world = World(verified(supervision=REPAIRING))
    first = world.check()
    assert first is not None
    wait = Waiting(Reason.OUTSIDE_MAINTENANCE_WINDOW, "x", until=START + timedelta(days=3))
    found = world.engine.setups.load(world.setup.setup_id)
    assert found is not None
    waiting = after(after(found.setup, PLAN), FIRST, wait)
    world.engine.setups.commit(Commit(waiting, found.version))
    world.engine.clock.advance(hours=1)
    again = world.check()
    assert again is not None
    assert (again.verdict, again.findings) == (first.verdict, first.findings)
    assert world.engine.topics().count("l7-drift-found") == 1


def test_setup_is_not_checked_while_a_stage_runs_unless_that_has_died() -> None:
    world = World(begun(after(changed(verified()), PLAN), FIRST))
    assert world.check() is None
    world.engine.clock.advance(minutes=6)
    assert world.check() is not None


def test_check_that_is_asked_for_too_soon_after_the_last_is_put_off() -> None:
    world = World(replace(verified(), check_at=None))
    first = world.check()
    for _ in range(3):
        world.engine.clock.advance(seconds=5)
        assert world.check() is None
    setup = world.engine.only()
    assert setup.drift == first
    assert setup.check_at is not None
    assert setup.check_at <= world.engine.clock.now() + LEAST_AGE
    world.engine.clock.moment = setup.check_at
    assert world.use_case.tick().count == 1
    assert world.check() is not None


def test_put_off_check_does_not_move_one_that_is_sooner() -> None:
    world = World(verified())
    world.check()
    found = world.engine.setups.load(world.setup.setup_id)
    assert found is not None
    world.engine.setups.commit(Commit(replace(found.setup, check_at=START), found.version))
    assert world.check() is None
    assert world.engine.only().check_at == START


def test_check_that_began_by_a_clock_that_is_ahead_does_not_put_checks_off_for_ever() -> None:
    ahead = START + timedelta(minutes=5)
    assert World(replace(verified(), check_begun_at=ahead)).check() is not None


def test_of_messages_that_come_during_a_check_none_begins_another() -> None:
    world, begun_checks = World(verified()), []

    def meeting_more(ports: StagePorts) -> StageWork:
        def work(setup: Setup, now: datetime) -> Outcome:
            begun_checks.append(now)
            if len(begun_checks) < 5:
                assert replace(world.use_case, verification=meeting_more).check(setup.setup_id) is None
            return Done(setup.facts)

        return work

    replace(world.use_case, verification=meeting_more).check(world.setup.setup_id)
    assert len(begun_checks) == 1


def test_of_checks_that_are_asked_for_at_once_one_begins_and_the_others_are_put_off() -> None:
    world = World(replace(verified(), check_at=None))
    setups, real = world.engine.setups, world.engine.setups.load

    def meeting_another(setup_id: SetupId) -> Versioned | None:
        found, setups.load = real(setup_id), real  # type: ignore[method-assign]
        assert world.check() is not None
        return found

    setups.load = meeting_another  # type: ignore[method-assign]
    assert world.check() is None
    assert world.engine.only().check_at == world.engine.clock.now() + LEAST_AGE


def test_repair_begins_with_the_plan_and_is_checked_when_it_has_ended() -> None:
    world = World(verified(supervision=REPAIRING))
    world.check()
    setup = world.engine.only()
    assert (setup.current, setup.run, setup.generation) == (PLAN, 2, 1)
    assert world.engine.topics() == ["l7-drift-found", TOPOLOGY.trigger(PLAN)]
    assert world.engine.run_all() == [
        "plan_setup",
        "prepare_tls",
        "configure_health_check",
        "provision_certificate",
        "create_ingress",
        "verify_endpoint",
    ]
    assert world.engine.only().check_at == world.engine.clock.now()


def test_repair_that_would_interrupt_clients_needs_leave() -> None:
    world = World(verified(supervision=WITHOUT_LEAVE))
    report = world.check()
    assert report is not None
    ours = {finding.reason for finding in report.findings if finding.is_repairable}
    assert (ours, report.repairs) == ({Reason.REPAIR_NEEDS_LEAVE}, ())
    assert (world.engine.only().status, world.engine.topics()) == (Status.VERIFIED, ["l7-drift-found"])


@pytest.mark.parametrize("before", [failed_again, changed])
def test_setup_that_is_not_verified_now_is_not_repaired(before: Callable[[Setup], Setup]) -> None:
    world = World(before(verified(supervision=REPAIRING)))
    world.check()
    assert world.engine.topics() == ["l7-drift-found"]
    assert world.engine.only().status is not Status.VERIFIED


def test_bug_that_a_check_meets_is_no_finding_and_fails_no_delivery() -> None:
    there = World(verified())
    ports = dry_run(FakePorts(cluster(release())))  # without certificates
    report = replace(there.use_case, dry_run=ports).check(there.setup.setup_id)
    assert report is not None
    unobserved = {each.stage: each.reason for each in report.unobserved}
    assert unobserved[Stage.PROVISION_CERTIFICATE] is Reason.INTERNAL_ERROR
