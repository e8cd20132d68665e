"""Executions that die: they are counted, what they began is taken back, and the way back looks twice."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from milvus_l7.application.engine.execution import Execution
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Unanswered
from milvus_l7.domain.setup.admission import Admission
from milvus_l7.domain.setup.budget import CRASHES
from milvus_l7.domain.setup.chain import SETUP_STAGES, Stage
from milvus_l7.domain.setup.document import StageState
from milvus_l7.domain.setup.event import Event
from tests.builders import TOPOLOGY, request
from tests.fakes.engine import During, FakeEngine, Interrupted, ScriptedWork
from tests.fakes.state import FakeClock

FIRST, DOWN = Stage.PREPARE_TLS, Stage.TEAR_DOWN
OTHER = request(domain="other.example.com")


@pytest.fixture
def cloud() -> FakeEngine:
    """A setup that is planned, and nothing else."""
    engine = FakeEngine()
    engine.submit("m1", request())
    engine.plan()
    return engine


def planned(cloud: FakeEngine) -> Event:
    """The event that starts the first stage after the plan."""
    return cloud.events.published[1]


def test_stage_whose_executions_always_die_fails_and_is_announced(cloud: FakeEngine) -> None:
    event, begun = planned(cloud), 0
    for _ in range(50):
        work = ScriptedWork([KeyboardInterrupt()])
        with suppress(KeyboardInterrupt):
            cloud.runner(FIRST, work).handle(event)
        begun += work.runs
        cloud.clock.advance(minutes=6)
    assert begun == CRASHES
    record = cloud.only().record(FIRST)
    assert (record.state, record.reason) == (StageState.FAILED, Reason.EXECUTION_LOST)
    assert cloud.topics()[-1] == "l7-setup-failed"
    assert cloud.topics().count("l7-setup-failed") == 1
    assert cloud.setups.history[-1].outcome == "failed"


def test_execution_that_dies_after_it_began_an_effect_is_followed_by_a_take_back(cloud: FakeEngine) -> None:
    work, back = Interrupted([KeyboardInterrupt()]), ScriptedWork()
    runner = replace(cloud.runner(FIRST), work=work.after)
    with pytest.raises(KeyboardInterrupt):
        runner.handle(planned(cloud))
    cloud.clock.advance(minutes=6)
    assert replace(runner, take_back=lambda _: back).handle(planned(cloud)) is Admission.RUN
    assert (work.runs, back.runs, cloud.only().effect) == (1, 1, None)
    assert cloud.events.published[-1].topic == TOPOLOGY.trigger(FIRST)
    assert cloud.run_all() == list(SETUP_STAGES[1:])


@pytest.mark.parametrize("overtake", ["set-up", "tear-down"])
def test_take_back_comes_before_what_was_asked_for_since(cloud: FakeEngine, overtake: str) -> None:
    runner = replace(cloud.runner(FIRST), work=Interrupted([KeyboardInterrupt()]).after)
    with pytest.raises(KeyboardInterrupt):
        runner.handle(planned(cloud))
    cloud.clock.advance(minutes=6)
    if overtake == "set-up":
        cloud.submit("m2", OTHER)
    else:
        cloud.tear_down("t1")
    event = cloud.events.published[-1]
    assert event.topic == TOPOLOGY.trigger(FIRST)
    assert cloud.run_all()[:2] == ["prepare_tls", "plan_setup" if overtake == "set-up" else "tear_down"]


def test_execution_that_dies_during_a_pause_is_woken_for_once(cloud: FakeEngine) -> None:
    work = During([KeyboardInterrupt()], happening=lambda: cloud.submit("m2", request(paused=True)))
    with pytest.raises(KeyboardInterrupt):
        cloud.runner(FIRST, work).handle(planned(cloud))
    woken = 0
    for _ in range(30):
        cloud.clock.advance(minutes=1)
        woken += cloud.repoll.handle().woken
        cloud.runner(FIRST).handle(cloud.events.published[-1])
    assert (woken, cloud.only().lease, cloud.only().poll_at) == (1, None, None)
    cloud.submit("m3", request())
    assert cloud.run_all() == list(SETUP_STAGES[1:])


def test_lease_outlasts_a_write_without_an_answer_whatever_the_clock_of_the_process_says(
    cloud: FakeEngine,
) -> None:
    cloud.setups.clock = FakeClock(cloud.clock.moment + timedelta(minutes=5))

    def work(execution: Execution) -> ScriptedWork:
        for clock in (cloud.clock, cloud.setups.clock):
            clock.advance(seconds=100)
        execution.lose_answer(60)
        return ScriptedWork([Unanswered(Reason.CLUSTER_UNAVAILABLE, "no answer")])

    replace(cloud.runner(FIRST), work=work).handle(planned(cloud))
    lease, now = cloud.only().lease, cloud.setups.clock.moment
    assert lease is not None
    assert not lease.has_run_out(now + timedelta(seconds=60))


def test_tear_down_after_a_lease_that_was_lost_looks_twice(cloud: FakeEngine) -> None:
    with pytest.raises(KeyboardInterrupt):
        cloud.runner(FIRST, ScriptedWork([KeyboardInterrupt()])).handle(planned(cloud))
    cloud.clock.advance(minutes=6)
    cloud.tear_down("t1")
    work, event = ScriptedWork(), cloud.events.published[-1]
    for _ in range(2):
        cloud.runner(DOWN, work).handle(event)
    assert (work.runs, cloud.only().status) == (1, "waiting")
    cloud.clock.advance(minutes=1)
    cloud.repoll.handle()
    cloud.runner(DOWN, work).handle(cloud.events.published[-1])
    assert (work.runs, cloud.only().status, cloud.topics()[-1]) == (2, "torn-down", "l7-setup-torn-down")
