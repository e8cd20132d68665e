"""The fence before every write, and what an execution stores before it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from milvus_l7.application.engine.execution import Execution
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import LeaseLost, Unanswered
from milvus_l7.domain.setup.admission import Admission
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.document import Setup
from milvus_l7.domain.setup.facts import Facts
from milvus_l7.domain.setup.lease import LEASE_MARGIN
from milvus_l7.domain.setup.outcome import Done, Outcome
from tests.builders import request
from tests.fakes.engine import FakeEngine
from tests.fakes.state import FakeClock

FIRST = Stage.PREPARE_TLS
LEASE_S = FakeEngine().engine.topology.lease_s(FIRST)
KNOWN = Facts(address="192.0.2.1")


@dataclass
class Acting:
    """A stage that does with its execution what the test says."""

    cloud: FakeEngine
    acts: list[object] = field(default_factory=list)
    execution: Execution | None = None

    def build(self, execution: Execution) -> Acting:
        self.execution = execution
        return self

    def __call__(self, setup: Setup, now: object) -> Outcome:
        assert self.execution is not None
        for act in self.acts:
            act(self.execution)  # type: ignore[operator]
        return Done()


def run(cloud: FakeEngine, *acts: object) -> Execution:
    """Run the first stage after the plan, which does this."""
    work = Acting(cloud, list(acts))
    runner = replace(cloud.runner(FIRST), work=work.build)
    assert runner.handle(cloud.events.published[1]) is Admission.RUN
    assert work.execution is not None
    return work.execution


@pytest.fixture
def cloud() -> FakeEngine:
    engine = FakeEngine()
    engine.submit("m1", request())
    engine.plan()
    return engine


def reason(cloud: FakeEngine) -> Reason | None:
    return cloud.only().record(FIRST).reason


def test_write_that_fits_into_the_lease_passes(cloud: FakeEngine) -> None:
    def write(execution: Execution) -> None:
        cloud.clock.advance(seconds=100)
        execution.pass_write(LEASE_S - 100)

    run(cloud, write)
    assert reason(cloud) is None


def test_write_that_may_last_longer_than_the_lease_is_refused_and_goes_on_later(cloud: FakeEngine) -> None:
    def write(execution: Execution) -> None:
        cloud.clock.advance(seconds=100)
        execution.pass_write(LEASE_S - 99)

    run(cloud, write)
    assert (reason(cloud), cloud.only().is_touched) == (Reason.EXECUTION_STOPPED, False)


@dataclass
class TornClock(FakeClock):
    """Its monotonic clock does not follow its wall clock."""

    monotonic_s: float = 0.0

    def monotonic(self) -> float:
        return self.monotonic_s


@pytest.mark.parametrize("clock", ["wall", "monotonic"])
def test_larger_of_two_clocks_counts(clock: str) -> None:
    torn = TornClock()
    cloud = FakeEngine(clock=torn)
    cloud.submit("m1", request())
    cloud.plan()

    def write(execution: Execution) -> None:
        if clock == "wall":
            torn.advance(seconds=LEASE_S)
        else:
            torn.monotonic_s += LEASE_S
        execution.pass_write(1)

    run(cloud, write)
    assert reason(cloud) is Reason.EXECUTION_STOPPED


def test_write_for_a_generation_that_is_not_the_newest_is_refused(cloud: FakeEngine) -> None:
    written = []

    def write(execution: Execution) -> None:
        execution.pass_write(1)
        cloud.submit("m2", request(domain="other.example.com"))
        execution.pass_write(1)
        written.append("too late")

    run(cloud, write)
    assert written == []
    assert reason(cloud) is Reason.EXECUTION_STOPPED
    assert cloud.only().current is Stage.PLAN_SETUP


def test_first_write_is_noted_before_it_is_made(cloud: FakeEngine) -> None:
    touched = []

    def write(execution: Execution) -> None:
        touched.append(cloud.only().is_touched)
        execution.pass_write(1)
        touched.append(cloud.only().is_touched)

    run(cloud, write)
    assert touched == [False, True]


def test_facts_are_stored_before_what_they_are_about_is_written(cloud: FakeEngine) -> None:
    stored = []

    def write(execution: Execution) -> None:
        execution.record(KNOWN)
        stored.append((cloud.only().facts, cloud.only().effect))
        execution.record(KNOWN, begins_effect=True)
        stored.append((cloud.only().facts, cloud.only().effect))

    run(cloud, write)
    assert stored == [(KNOWN, None), (KNOWN, FIRST)]
    assert cloud.only().effect is None


def test_facts_that_are_stored_already_are_not_stored_again(cloud: FakeEngine) -> None:
    versions = []

    def write(execution: Execution) -> None:
        for _ in range(3):
            execution.record(KNOWN)
            versions.append(cloud.setups.stored[cloud.only().setup_id].version)

    run(cloud, write)
    assert len(set(versions)) == 1


def test_facts_are_stored_although_a_tick_or_a_request_changed_the_setup_meanwhile(cloud: FakeEngine) -> None:
    def write(execution: Execution) -> None:
        cloud.clock.advance(seconds=LEASE_S - 10)
        cloud.submit("m2", request())
        execution.record(KNOWN)

    run(cloud, write)
    assert (cloud.only().facts, cloud.only().order.message_id) == (KNOWN, "m2")


def test_nothing_is_stored_for_what_is_no_longer_worked_for(cloud: FakeEngine) -> None:
    def write(execution: Execution) -> None:
        cloud.tear_down("t1")
        execution.record(KNOWN)

    run(cloud, write)
    assert (cloud.only().facts, cloud.only().current) == (Facts(), Stage.TEAR_DOWN)


def test_write_without_an_answer_keeps_the_lease_until_it_can_take_no_effect(cloud: FakeEngine) -> None:
    def write(execution: Execution) -> None:
        execution.pass_write(30)
        execution.lose_answer(30)
        cloud.clock.advance(seconds=10)
        raise Unanswered(Reason.CLUSTER_UNAVAILABLE, "no answer")

    run(cloud, write)
    lease = cloud.only().lease
    assert lease is not None
    assert lease.is_settled
    assert lease.ends_at(cloud.clock.now()) == cloud.clock.now() + timedelta(seconds=20) + LEASE_MARGIN
    cloud.tear_down("t1")
    event = cloud.events.published[-1]
    cloud.clock.advance(seconds=25)
    assert cloud.runner(Stage.TEAR_DOWN).handle(event) is Admission.BUSY
    cloud.clock.advance(seconds=1)
    assert cloud.runner(Stage.TEAR_DOWN).handle(event) is Admission.RUN


def test_write_whose_time_has_passed_frees_the_lease(cloud: FakeEngine) -> None:
    def write(execution: Execution) -> None:
        execution.lose_answer(30)
        cloud.clock.advance(seconds=31)

    run(cloud, write)
    assert cloud.only().lease is None


def test_execution_that_lost_its_lease_writes_nothing_more(cloud: FakeEngine) -> None:
    event = cloud.events.published[1]

    def write(execution: Execution) -> None:
        cloud.clock.advance(seconds=LEASE_S + 6)
        assert cloud.runner(FIRST).handle(event) is Admission.RUN
        with pytest.raises(LeaseLost):
            execution.record(KNOWN)
        execution.pass_write(1)

    run(cloud, write)
    assert (cloud.only().facts, cloud.only().record(FIRST).state) == (Facts(), "done")
