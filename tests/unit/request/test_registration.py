"""What a request, a tear-down and a repair make of a setup, and in which order they count."""

from __future__ import annotations

from datetime import timedelta

import pytest

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import LeaseLost
from milvus_l7.domain.request import registration
from milvus_l7.domain.request.registration import Effect, register, tear_down
from milvus_l7.domain.request.request import TearDownSpec
from milvus_l7.domain.setup.chain import SETUP_STAGES, Stage
from milvus_l7.domain.setup.document import Setup, StageState, Status
from milvus_l7.domain.setup.outcome import Done, Failed
from milvus_l7.domain.setup.supervision import DriftPolicy, OnFailure, Supervision
from milvus_l7.domain.setup.transitions import Admission, Timing, admit, begin, settle
from tests.builders import new_setup, trigger, wish
from tests.fakes.state import START

PAUSED = Supervision(paused=True)
RESTORING = Supervision(on_failure=OnFailure.RESTORE)
LATER = START + timedelta(minutes=5)


def taken_down(setup: Setup, request_id: str = "t1", *, restore_l4: bool = False) -> tuple[Setup, Effect]:
    return tear_down(setup, TearDownSpec(setup.setup_id, restore_l4), request_id, START)


def done(setup: Setup, stage: Stage) -> Setup:
    running = begin(setup, stage, "test", 60, START)
    return settle(running, running.token, Done(), Timing(START)).setup


def verified(**changes: Supervision) -> Setup:
    setup = new_setup(**changes)
    for stage in SETUP_STAGES:
        setup = done(setup, stage)
    return setup


def test_verified_setup_is_checked_for_drift_after_its_interval() -> None:
    setup = verified(supervision=Supervision(interval_s=600))
    assert setup.check_at is not None
    assert timedelta(seconds=540) <= setup.check_at - START <= timedelta(seconds=600)


def test_tear_down_is_a_new_generation_with_one_stage() -> None:
    setup, effect = taken_down(verified())
    assert (effect, setup.generation, setup.chain) == (Effect.CHANGED, 2, (Stage.TEAR_DOWN,))
    assert (setup.check_at, setup.status) == (None, Status.ACCEPTED)


def test_finished_tear_down_is_torn_down_and_no_longer_checked() -> None:
    setup = done(taken_down(verified())[0], Stage.TEAR_DOWN)
    assert (setup.status, setup.check_at, setup.poll_at) == (Status.TORN_DOWN, None, None)
    assert not setup.was_verified


def test_same_tear_down_message_counts_once_and_another_one_runs_it_again() -> None:
    setup = done(taken_down(verified())[0], Stage.TEAR_DOWN)
    assert taken_down(setup) == (setup, Effect.NONE)
    again, effect = taken_down(setup, "t2")
    assert (effect, again.generation, again.run) == (Effect.RESTARTED, 2, 2)


def test_tear_down_that_restores_more_is_a_new_generation() -> None:
    setup = done(taken_down(verified())[0], Stage.TEAR_DOWN)
    more, effect = taken_down(setup, "t2", restore_l4=True)
    assert (effect, more.generation) == (Effect.CHANGED, 3)


def test_request_after_a_tear_down_sets_up_anew() -> None:
    setup, effect = register(taken_down(verified())[0], wish(), "m9", START)
    assert (effect, setup.generation, setup.teardown) == (Effect.CHANGED, 3, None)


def test_events_of_the_other_direction_are_stale() -> None:
    up = verified()
    down, _ = taken_down(up)
    assert admit(down, Stage.PREPARE_TLS, trigger(up, Stage.PREPARE_TLS), START) is Admission.STALE
    assert admit(down, Stage.PREPARE_TLS, trigger(down, Stage.PREPARE_TLS), START) is Admission.STALE
    assert admit(down, Stage.TEAR_DOWN, trigger(down, Stage.TEAR_DOWN), START) is Admission.RUN


def test_other_direction_begins_only_when_a_running_execution_must_have_ended() -> None:
    running = begin(new_setup(), SETUP_STAGES[0], "test", 300, START)
    down, _ = taken_down(running)
    event = trigger(down, Stage.TEAR_DOWN)
    assert admit(down, Stage.TEAR_DOWN, event, LATER - timedelta(seconds=1)) is Admission.NOT_DUE
    assert admit(down, Stage.TEAR_DOWN, event, LATER) is Admission.RUN
    with pytest.raises(LeaseLost):
        settle(down, running.token, Done(), Timing(START))


def test_set_up_during_a_tear_down_waits_for_its_execution_too() -> None:
    down, _ = taken_down(verified())
    up, _ = register(begin(down, Stage.TEAR_DOWN, "test", 300, START), wish(), "m9", START)
    assert admit(up, SETUP_STAGES[0], trigger(up, SETUP_STAGES[0]), START) is Admission.NOT_DUE
    assert up.poll_at == LATER


def test_policy_alone_changes_no_generation_and_runs_nothing() -> None:
    repairing = wish(Supervision(policy=DriftPolicy.REPAIR))
    setup, effect = register(verified(), repairing, "m2", LATER)
    assert (effect, setup.generation, setup.run, setup.status) == (Effect.ADJUSTED, 1, 1, Status.VERIFIED)
    assert setup.check_at == LATER


def test_paused_setup_runs_nothing_and_is_not_looked_at() -> None:
    setup, effect = register(verified(), wish(PAUSED), "m2", START)
    assert (effect, setup.check_at, setup.poll_at) == (Effect.ADJUSTED, None, None)
    waiting = new_setup(supervision=PAUSED)
    assert admit(waiting, SETUP_STAGES[0], trigger(waiting, SETUP_STAGES[0]), START) is Admission.PAUSED


def test_stage_that_runs_while_the_pause_begins_ends_and_starts_nothing() -> None:
    running = begin(new_setup(), SETUP_STAGES[0], "test", 60, START)
    paused, _ = register(running, wish(PAUSED), "m2", START)
    ended = settle(paused, running.token, Done(), Timing(START)).setup
    assert (ended.record(SETUP_STAGES[0]).state, ended.poll_at) == (StageState.DONE, None)


def test_end_of_the_pause_starts_the_chain() -> None:
    paused, _ = register(verified(), wish(PAUSED), "m2", START)
    setup, effect = register(paused, wish(), "m3", START)
    assert (effect, setup.status, setup.current) == (Effect.RESTARTED, Status.ACCEPTED, SETUP_STAGES[0])


def test_paused_setup_can_be_torn_down() -> None:
    paused, _ = register(verified(), wish(PAUSED), "m2", START)
    down, _ = taken_down(paused)
    assert admit(down, Stage.TEAR_DOWN, trigger(down, Stage.TEAR_DOWN), START) is Admission.RUN


def fail(setup: Setup) -> tuple[Setup, Setup]:
    running = begin(setup, SETUP_STAGES[0], "test", 60, START)
    settled = settle(running, running.token, Failed(Reason.MUTUAL_TLS, "tlsMode 2"), Timing(START))
    return settled.ended, settled.setup


def test_failed_first_set_up_is_left_as_it_is_unless_restoring_is_asked_for() -> None:
    ended, setup = fail(new_setup())
    assert setup is ended
    assert setup.status is Status.FAILED


def test_failed_first_set_up_is_restored_if_asked_for_and_says_why() -> None:
    ended, setup = fail(new_setup(supervision=RESTORING))
    assert ended.status is Status.FAILED
    assert (setup.generation, setup.current) == (2, Stage.TEAR_DOWN)
    assert setup.teardown is not None
    assert setup.teardown.restore_l4
    assert setup.teardown.cause is not None
    assert setup.teardown.cause.reason is Reason.MUTUAL_TLS


def test_setup_that_once_served_is_never_undone_by_a_failure() -> None:
    again, _ = register(verified(supervision=RESTORING), wish(RESTORING), "m2", START)
    _, setup = fail(again)
    assert (setup.status, setup.teardown) == (Status.FAILED, None)


def test_repair_runs_the_chain_from_a_stage_and_keeps_those_before() -> None:
    setup = registration.repair(verified(), Stage.PROVISION_CERTIFICATE, LATER)
    assert (setup.run, setup.current, setup.check_at) == (2, Stage.PROVISION_CERTIFICATE, None)
    assert setup.record(Stage.CONFIGURE_HEALTH_CHECK).state is StageState.DONE
    event = trigger(setup, Stage.PROVISION_CERTIFICATE)
    assert admit(setup, Stage.PROVISION_CERTIFICATE, event, LATER) is Admission.RUN
