"""One execution at a time, across generations: nobody takes a lease away, and no process's clock decides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import LeaseLost
from milvus_l7.domain.request.registration import register, tear_down
from milvus_l7.domain.request.request import TearDownSpec
from milvus_l7.domain.setup.admission import Admission, Moment, admit
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.document import Setup, StageState, Status
from milvus_l7.domain.setup.event import start
from milvus_l7.domain.setup.facts import Facts, PublishedRecord, ReleaseBefore
from milvus_l7.domain.setup.lease import LEASE_MARGIN
from milvus_l7.domain.setup.outcome import Done, Failed, Outcome, Waiting
from milvus_l7.domain.setup.transitions import SECOND_LOOK_AFTER, Result, Timing, settle
from milvus_l7.domain.setup.write_ahead import written_ahead
from tests.builders import (
    TOPOLOGY,
    admission,
    after,
    arrival,
    begun,
    desired,
    finished,
    new_setup,
    requested_setup,
    settled,
    trigger,
    wish,
)
from tests.fakes.state import START

PLAN, FIRST, DOWN = Stage.PLAN_SETUP, Stage.PREPARE_TLS, Stage.TEAR_DOWN
END = START + timedelta(seconds=60) + LEASE_MARGIN
OTHER = wish(domain="other.example.com")
TICK = timedelta(milliseconds=1)


def changed(setup: Setup) -> Setup:
    return register(setup, OTHER, arrival("m2", seconds=10))[0]


def taken_down(setup: Setup) -> Setup:
    return tear_down(setup, TearDownSpec(desired(), restore_l4=False), arrival("t1", seconds=10))[0]


def test_second_execution_is_kept_out_until_the_lease_and_a_margin_have_passed() -> None:
    running = begun(new_setup(), FIRST)
    event = trigger(running, FIRST)
    assert admission(running, event, FIRST, END) is Admission.BUSY
    assert admission(running, event, FIRST, END + TICK) is Admission.RUN


@pytest.mark.parametrize("skew", [timedelta(minutes=5), timedelta(minutes=-5)])
def test_own_clock_of_a_process_opens_no_lease_and_keeps_none_closed(skew: timedelta) -> None:
    running = begun(new_setup(), FIRST)
    event = trigger(running, FIRST)
    assert admit(running, FIRST, event, Moment(END + skew, END)) is Admission.BUSY
    assert admit(running, FIRST, event, Moment(END + skew, END + TICK)) is Admission.RUN


def test_lease_that_the_store_has_not_stamped_has_not_run_out() -> None:
    running = begun(new_setup(), FIRST)
    assert running.lease is not None
    unstamped = replace(running, lease=replace(running.lease, started_at=None))
    assert admission(unstamped, trigger(unstamped, FIRST), FIRST, START + timedelta(days=1)) is Admission.BUSY


def test_running_setup_is_looked_at_again_when_its_lease_ends() -> None:
    assert begun(new_setup(), FIRST).poll_at == END


def test_overtaken_execution_cannot_commit() -> None:
    second = begun(begun(new_setup(), FIRST, "one"), FIRST, "two", END + TICK)
    with pytest.raises(LeaseLost):
        settle(second, "one", Result(Done()), Timing(END))
    assert settle(second, "two", Result(Done()), Timing(END)).setup.record(FIRST).state is StageState.DONE


def test_execution_settles_once() -> None:
    with pytest.raises(LeaseLost):
        settle(after(new_setup(), FIRST), "one", Result(Done()), Timing(START))


@pytest.mark.parametrize("overtake", [changed, taken_down])
def test_new_generation_takes_no_lease_away_from_a_running_stage(overtake: Callable[[Setup], Setup]) -> None:
    running = begun(new_setup(), FIRST)
    newer = overtake(running)
    assert (newer.generation, newer.lease, newer.poll_at) == (2, running.lease, END)
    assert newer.current is not None
    event = trigger(newer, newer.current)
    assert admission(newer, event, newer.current, END) is Admission.BUSY
    assert admission(newer, event, newer.current, END + TICK) is Admission.RUN


@pytest.mark.parametrize("overtake", [changed, taken_down])
@pytest.mark.parametrize("outcome", [Done(), Waiting(Reason.ROLLOUT_IN_PROGRESS, "x")])
def test_new_generation_begins_at_once_when_the_execution_under_way_has_ended(
    overtake: Callable[[Setup], Setup], outcome: Outcome
) -> None:
    newer = settled(overtake(begun(new_setup(), FIRST)), outcome).setup
    assert newer.current in (PLAN, DOWN)
    assert newer.lease is None
    assert newer.poll_at is not None
    assert admission(newer, trigger(newer, newer.current), newer.current) is Admission.RUN


def test_plan_of_a_new_generation_begins_at_once_when_the_stage_under_way_has_failed() -> None:
    failed = settled(changed(begun(new_setup(), FIRST)), Failed(Reason.HELM_FAILED, "x")).setup
    assert (failed.status, failed.current, failed.lease) == (Status.ACCEPTED, PLAN, None)
    assert failed.poll_at is not None
    assert start(failed, TOPOLOGY, "next") is not None
    assert admission(failed, trigger(failed, PLAN), PLAN) is Admission.RUN


def test_result_for_what_is_no_longer_worked_for_is_dropped_and_only_frees_the_lease() -> None:
    known = Facts(address="192.0.2.1")
    ended = settled(taken_down(begun(new_setup(), FIRST)), Done(known))
    assert ended.is_superseded
    assert (ended.setup.lease, ended.setup.facts, ended.setup.stages) == (None, Facts(), {})


def test_result_of_the_stage_under_way_counts_while_the_request_that_follows_is_not_planned() -> None:
    ended = settled(changed(begun(new_setup(), FIRST)), Done(Facts(address="192.0.2.1")))
    assert not ended.is_superseded
    assert (ended.setup.current, ended.setup.facts.address) == (PLAN, "192.0.2.1")


def test_requests_that_come_during_an_execution_coalesce_into_the_last() -> None:
    running = begun(requested_setup(), PLAN)
    for number in range(2, 5):
        wanted = wish(domain=f"d{number}.example.com")
        running, _ = register(running, wanted, arrival(f"m{number}", seconds=number))
    ended = settled(running, Done())
    assert ended.is_superseded
    setup = finished(ended.setup)
    assert (setup.desired.domain, setup.desired_generation, setup.executions) == ("d4.example.com", 4, 7)


def test_lease_runs_on_while_a_write_without_an_answer_may_still_take_effect() -> None:
    soon = START + timedelta(seconds=10)
    running = begun(new_setup(), FIRST)
    ended = settled(running, Failed(Reason.HELM_FAILED, "x"), soon, has_raised=True, lost_answer_s=130).setup
    down = taken_down(ended)
    event = trigger(down, DOWN)
    end = soon + timedelta(seconds=120) + LEASE_MARGIN
    assert admission(down, event, DOWN, end) is Admission.BUSY
    assert admission(down, event, DOWN, end + TICK) is Admission.RUN


def test_wait_after_a_write_without_an_answer_ends_after_the_lease() -> None:
    running, waiting = begun(new_setup(), FIRST), Waiting(Reason.ROLLOUT_IN_PROGRESS, "x")
    ended = settled(running, waiting, has_raised=True, lost_answer_s=120).setup
    assert ended.wake_at == ended.poll_at == START + timedelta(seconds=120) + LEASE_MARGIN


def test_execution_that_has_settled_while_its_lease_runs_on_is_no_crash() -> None:
    waiting = Waiting(Reason.ROLLOUT_IN_PROGRESS, "x")
    ended = settled(begun(new_setup(), FIRST), waiting, has_raised=True, lost_answer_s=120).setup
    again = begun(ended, FIRST, "two", START + timedelta(minutes=3))
    assert (again.budgets[FIRST].crashes, again.has_lost_lease) == (0, False)


def test_tear_down_looks_twice_after_a_lease_that_ran_out_unsettled() -> None:
    down = begun(taken_down(begun(new_setup(), FIRST)), DOWN, "two", END + TICK)
    first = settled(down, Done(), END + TICK).setup
    assert (first.status, first.record(DOWN).reason) == (Status.WAITING, Reason.EXECUTION_LOST)
    assert first.wake_at == first.poll_at == END + TICK + SECOND_LOOK_AFTER
    assert after(first, DOWN, at=first.wake_at or END).status is Status.TORN_DOWN


def test_tear_down_looks_twice_although_the_setup_was_verified_in_between() -> None:
    died = begun(new_setup(), FIRST)
    verified = finished(after(died, FIRST, at=END + TICK), END + TICK)
    assert verified.status is Status.VERIFIED
    assert after(taken_down(verified), DOWN, at=END + TICK).status is Status.WAITING


def test_tear_down_that_looks_twice_forgets_nothing_before_it_has_looked_again() -> None:
    record = PublishedRecord("projects/p/managedZones/z", "my-release.milvus.io", "192.0.2.1")
    known = Facts(before=ReleaseBefore(1, {"service.type": "LoadBalancer"}, {}), published=(record,))
    down = begun(taken_down(begun(new_setup(), FIRST)), DOWN, "two", END + TICK)
    first = settled(replace(down, facts=known), Done(Facts()), END + TICK).setup
    assert (first.status, first.facts) == (Status.WAITING, known)
    assert after(first, DOWN, Done(Facts()), first.wake_at or END).facts == Facts()


def test_tear_down_looks_once_if_every_execution_has_settled() -> None:
    assert after(taken_down(finished(new_setup())), DOWN).status is Status.TORN_DOWN


def test_execution_that_lost_its_lease_writes_nothing_ahead() -> None:
    second = begun(begun(new_setup(), FIRST, "one"), FIRST, "two", END + TICK)
    with pytest.raises(LeaseLost):
        written_ahead(second, "one", Facts(), begins_effect=False, now=END)
    with pytest.raises(LeaseLost):
        written_ahead(after(new_setup(), FIRST), "one", Facts(), begins_effect=False, now=START)


def test_execution_whose_generation_is_no_longer_worked_for_writes_nothing_ahead() -> None:
    down = taken_down(begun(new_setup(), FIRST))
    with pytest.raises(LeaseLost, match="generation 1 is no longer worked for"):
        written_ahead(down, "one", Facts(), begins_effect=True, now=START)
