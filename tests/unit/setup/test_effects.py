"""An effect that was begun and not settled comes before all else, whatever was asked for since."""

from __future__ import annotations

from datetime import timedelta

import pytest

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.request.registration import Effect, register, tear_down
from milvus_l7.domain.request.request import TearDownSpec
from milvus_l7.domain.setup.admission import Admission
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.document import Setup, StageState, Status
from milvus_l7.domain.setup.event import start
from milvus_l7.domain.setup.facts import Facts, ServiceFacts
from milvus_l7.domain.setup.outcome import Done, Failed, Outcome, Waiting
from milvus_l7.domain.setup.supervision import OnFailure, Supervision
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
    settled,
    trigger,
    wish,
)
from tests.fakes.state import START

PLAN, FIRST, DOWN = Stage.PLAN_SETUP, Stage.PREPARE_TLS, Stage.TEAR_DOWN
LATER = START + timedelta(minutes=5)
BROKEN = Failed(Reason.CLUSTER_ACCESS_DENIED, "403")
KNOWN = Facts(service=ServiceFacts("my-release-milvus", "milvus", 19530))


def ahead(setup: Setup, facts: Facts = KNOWN) -> Setup:
    """The setup while its first stage has begun to change the release."""
    running = begun(setup, FIRST)
    return written_ahead(running, "one", facts, begins_effect=True, now=START)


def broken_off(setup: Setup, outcome: Outcome = BROKEN) -> Setup:
    """The setup after an execution that began an effect and raised an error."""
    return settled(ahead(setup), outcome, has_raised=True).setup


def taken_down(setup: Setup, **more: bool) -> Setup:
    spec = TearDownSpec(desired(), **{"restore_l4": False, **more})
    return tear_down(setup, spec, arrival("t1", minutes=5))[0]


def changed(setup: Setup) -> Setup:
    return register(setup, wish(domain="other.example.com"), arrival("m2", minutes=5))[0]


def test_what_is_written_ahead_is_kept_when_the_execution_dies() -> None:
    died = ahead(new_setup())
    assert (died.facts, died.effect, died.is_touched) == (KNOWN, FIRST, True)
    assert changed(died).facts == taken_down(died).facts == KNOWN


def test_execution_that_ends_settles_its_effect() -> None:
    for outcome in (Done(), Waiting(Reason.ROLLOUT_IN_PROGRESS, "x"), BROKEN):
        assert settled(ahead(new_setup()), outcome).setup.effect is None


def test_execution_that_is_broken_off_leaves_its_effect_to_be_taken_back() -> None:
    for outcome in (Waiting(Reason.CLUSTER_UNAVAILABLE, "503"), BROKEN):
        assert broken_off(new_setup(), outcome).effect is FIRST


def test_next_execution_of_the_stage_takes_the_effect_back_and_another_one_makes_it_anew() -> None:
    waiting = broken_off(new_setup(), Waiting(Reason.CLUSTER_UNAVAILABLE, "503"))
    again = begun(waiting, FIRST, at=LATER)
    assert again.lease is not None
    assert again.lease.is_take_back
    back = settled(again, Done(), LATER)
    assert (back.is_superseded, back.setup.effect, back.setup.current) == (True, None, FIRST)
    assert back.setup.record(FIRST).state is StageState.PENDING
    once_more = begun(back.setup, FIRST, at=LATER)
    assert once_more.lease is not None
    assert not once_more.lease.is_take_back


@pytest.mark.parametrize("overtake", [changed, taken_down])
def test_effect_of_an_earlier_generation_is_taken_back_before_the_plan_or_the_way_back(overtake) -> None:  # type: ignore[no-untyped-def]
    newer = overtake(broken_off(new_setup()))
    then = newer.chain[0]
    assert newer.current is FIRST
    assert admission(newer, trigger(newer, FIRST), FIRST, LATER) is Admission.RUN
    assert admission(newer, trigger(newer, then), then, LATER) is not Admission.RUN
    assert after(newer, FIRST, at=LATER).current is then


@pytest.mark.parametrize("overtake", [changed, taken_down])
@pytest.mark.parametrize("outcome", [BROKEN, Waiting(Reason.EXECUTION_STOPPED, "x")])
def test_effect_is_taken_back_at_once_for_what_was_asked_for_during_the_execution(overtake, outcome) -> None:  # type: ignore[no-untyped-def]
    newer = settled(overtake(ahead(new_setup())), outcome, LATER, has_raised=True).setup
    assert newer.current is FIRST
    assert start(newer, TOPOLOGY, "next") is not None
    assert admission(newer, trigger(newer, FIRST), FIRST, LATER) is Admission.RUN


def test_take_back_that_fails_fails_the_setup_until_the_next_request() -> None:
    newer = changed(broken_off(new_setup()))
    failed = settled(begun(newer, FIRST, at=LATER), BROKEN, LATER, has_raised=True).setup
    assert (failed.status, failed.current, failed.poll_at) == (Status.FAILED, FIRST, None)
    again, effect = register(failed, wish(domain="other.example.com"), arrival("m3", minutes=9))
    assert effect is Effect.RESTARTED
    assert admission(again, trigger(again, FIRST), FIRST, LATER) is Admission.RUN


def test_take_back_that_waits_is_repeated_and_still_a_take_back() -> None:
    waiting = Waiting(Reason.CLUSTER_UNAVAILABLE, "503")
    newer = changed(broken_off(new_setup()))
    again = settled(begun(newer, FIRST, at=LATER), waiting, LATER, has_raised=True).setup
    assert (again.effect, again.record(FIRST).state) == (FIRST, StageState.WAITING)
    lease = begun(again, FIRST, at=LATER).lease
    assert lease is not None
    assert lease.is_take_back


def test_take_back_owed_by_generation_one_is_done_although_generation_two_is_refused() -> None:
    newer = changed(broken_off(new_setup()))
    refused = after(after(newer, FIRST, at=LATER), PLAN, Failed(Reason.MUTUAL_TLS, "tlsMode 2"), LATER)
    assert (refused.effect, refused.generation, refused.desired_generation) == (None, 2, 1)
    assert (refused.current, refused.record(FIRST).state) == (FIRST, StageState.PENDING)


def test_pause_lets_a_take_back_finish_and_nothing_else_begin() -> None:
    paused, effect = register(
        broken_off(new_setup(), Waiting(Reason.CLUSTER_UNAVAILABLE, "503")),
        wish(Supervision(paused=True)),
        arrival("m2", minutes=5),
    )
    assert effect is Effect.ADJUSTED
    assert paused.poll_at is not None
    assert admission(paused, trigger(paused, FIRST), FIRST, LATER) is Admission.RUN
    back = after(paused, FIRST, at=LATER)
    assert (back.effect, back.poll_at, back.wake_at) == (None, None, None)
    assert admission(back, trigger(back, FIRST), FIRST, LATER) is Admission.PAUSED


RESTORING = wish(Supervision(on_failure=OnFailure.RESTORE))


def test_failure_of_a_set_up_that_has_written_nothing_restores_nothing() -> None:
    setup = new_setup(supervision=Supervision(on_failure=OnFailure.RESTORE))
    failed = settled(begun(setup, FIRST), Failed(Reason.MUTUAL_TLS, "tlsMode 2"))
    assert not failed.begins_way_back
    assert failed.setup.status is Status.FAILED


def test_failure_restores_only_what_was_written_since_the_setup_was_last_wanted() -> None:
    torn_down = after(taken_down(finished(new_setup())), DOWN, at=LATER)
    wanted, _ = register(torn_down, RESTORING, arrival("m2", minutes=9))
    refused = settled(begun(wanted, PLAN), Failed(Reason.MUTUAL_TLS, "x"))
    assert not refused.begins_way_back
    assert refused.setup.status is Status.TORN_DOWN


def test_set_up_that_overtakes_a_tear_down_without_restoring_restores_nothing_when_its_plan_is_refused() -> (
    None
):
    down = taken_down(ahead(new_setup()))
    wanted, _ = register(settled(down, Done()).setup, RESTORING, arrival("m2", minutes=9))
    refused = settled(begun(wanted, PLAN), Failed(Reason.MUTUAL_TLS, "x"))
    assert not refused.begins_way_back
    assert refused.setup.current is DOWN


def test_way_back_after_a_failure_begins_with_the_take_back() -> None:
    setup = new_setup(supervision=Supervision(on_failure=OnFailure.RESTORE))
    failed = settled(ahead(setup), BROKEN, has_raised=True)
    assert failed.begins_way_back
    assert (failed.setup.current, after(failed.setup, FIRST).current) == (FIRST, DOWN)
