"""The setup state machine."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import LeaseLost
from milvus_l7.domain.reasons.retry_policy import spread
from milvus_l7.domain.request.registration import Effect, register
from milvus_l7.domain.setup.chain import SETUP_STAGES, Stage
from milvus_l7.domain.setup.document import Setup, StageState, Status
from milvus_l7.domain.setup.outcome import Done, Failed, Outcome, Waiting
from milvus_l7.domain.setup.transitions import Admission, Timing, admit, begin, settle
from tests.builders import new_setup, trigger, wish
from tests.fakes.state import START

FIRST, SECOND = SETUP_STAGES[0], SETUP_STAGES[1]


def after(setup: Setup, stage: Stage, outcome: Outcome, at: timedelta = timedelta()) -> Setup:
    running = begin(setup, stage, "test", 60, START + at)
    return settle(running, running.token, outcome, Timing(START + at)).setup


def verified() -> Setup:
    setup = new_setup()
    for stage in SETUP_STAGES:
        setup = after(setup, stage, Done())
    return setup


def test_first_request_makes_generation_one() -> None:
    setup, effect = register(None, wish(), "m1", START)
    assert (setup.generation, setup.run, effect, setup.status) == (1, 1, Effect.CREATED, Status.ACCEPTED)


def test_redelivered_request_changes_nothing() -> None:
    setup = new_setup()
    assert register(setup, wish(domain="other.example.com"), "message-1", START) == (setup, Effect.NONE)


def test_same_request_during_the_chain_makes_no_new_generation() -> None:
    setup = begin(new_setup(), FIRST, "test", 60, START)
    again, effect = register(setup, wish(), "m2", START)
    assert (again.generation, again.run, again.lease, effect) == (1, 1, setup.lease, Effect.NONE)


def test_changed_request_makes_a_new_generation_and_starts_over() -> None:
    setup = after(new_setup(), FIRST, Done())
    changed, effect = register(setup, wish(domain="other.example.com"), "m2", START)
    assert (changed.generation, changed.current, effect) == (2, FIRST, Effect.CHANGED)


def test_changed_request_takes_the_lease_from_a_running_stage() -> None:
    running = begin(new_setup(), FIRST, "test", 60, START)
    changed, _ = register(running, wish(domain="other.example.com"), "m2", START)
    with pytest.raises(LeaseLost):
        settle(changed, running.token, Done(), Timing(START))


def test_same_request_runs_a_verified_setup_again_without_a_new_generation() -> None:
    again, effect = register(verified(), wish(), "m2", START)
    assert (again.generation, again.run, again.current, effect) == (1, 2, FIRST, Effect.RESTARTED)


def test_same_request_runs_a_failed_setup_again() -> None:
    failed = after(new_setup(), FIRST, Failed(Reason.RELEASE_NOT_FOUND, "x"))
    again, effect = register(failed, wish(), "m2", START)
    assert (again.current, again.record(FIRST).state, effect) == (FIRST, StageState.PENDING, Effect.RESTARTED)


def test_same_request_starts_a_waiting_setup_again_at_once() -> None:
    waiting = after(after(new_setup(), FIRST, Done()), SECOND, Waiting(Reason.ROLLOUT_IN_PROGRESS, "x"))
    again, effect = register(waiting, wish(), "m2", START)
    assert (effect, admit(again, FIRST, trigger(again, FIRST), START)) == (Effect.RESTARTED, Admission.RUN)


def test_event_of_an_earlier_generation_is_stale() -> None:
    setup = new_setup()
    event = trigger(setup, FIRST)
    changed, _ = register(setup, wish(domain="other.example.com"), "m2", START)
    assert admit(changed, FIRST, event, START) is Admission.STALE


def test_event_for_a_stage_whose_turn_has_not_come_is_early() -> None:
    setup = new_setup()
    assert admit(setup, SECOND, trigger(setup, SECOND), START) is Admission.EARLY


def test_event_for_a_done_stage_repeats_the_announcement_until_the_next_stage_begins() -> None:
    done = after(new_setup(), FIRST, Done())
    assert admit(done, FIRST, trigger(done, FIRST), START) is Admission.REPEAT
    begun = begin(done, SECOND, "test", 60, START)
    assert admit(begun, FIRST, trigger(done, FIRST), START) is Admission.FINISHED


def test_second_execution_is_kept_out_until_the_lease_expires() -> None:
    running = begin(new_setup(), FIRST, "test", 60, START)
    event = trigger(running, FIRST)
    assert admit(running, FIRST, event, START + timedelta(seconds=59)) is Admission.BUSY
    assert admit(running, FIRST, event, START + timedelta(seconds=60)) is Admission.RUN


def test_overtaken_execution_cannot_commit() -> None:
    first = begin(new_setup(), FIRST, "one", 60, START)
    second = begin(first, FIRST, "two", 60, START + timedelta(seconds=61))
    with pytest.raises(LeaseLost):
        settle(second, first.token, Done(), Timing(START))
    assert settle(second, second.token, Done(), Timing(START)).setup.record(FIRST).state is StageState.DONE


def test_early_event_for_a_waiting_stage_is_not_due() -> None:
    waiting = after(new_setup(), FIRST, Waiting(Reason.ROLLOUT_IN_PROGRESS, "x"))
    assert admit(waiting, FIRST, trigger(waiting, FIRST), START) is Admission.NOT_DUE
    assert waiting.wake_at is not None
    assert admit(waiting, FIRST, trigger(waiting, FIRST), waiting.wake_at) is Admission.RUN


def test_wait_grows_with_each_look_up_to_the_cap() -> None:
    setup, delays = new_setup(), []
    for look in range(6):
        at = timedelta(minutes=look)
        setup = after(setup, FIRST, Waiting(Reason.ROLLOUT_IN_PROGRESS, "x"), at)
        assert setup.wake_at is not None
        delays.append((setup.wake_at - START - at).total_seconds())
    factor = spread(setup.setup_id)
    assert delays == pytest.approx([seconds * factor for seconds in (5, 10, 20, 40, 60, 60)], abs=1e-5)


def test_setups_that_begin_to_wait_together_do_not_wake_together() -> None:
    factors = sorted(spread(f"p.l.c.n.release-{number}") for number in range(1000))
    assert 0.9 < factors[0] < 0.91
    assert 0.99 < factors[-1] <= 1
    tenths = [sum(0.9 + n / 100 < factor <= 0.91 + n / 100 for factor in factors) for n in range(10)]
    assert all(70 <= count <= 130 for count in tenths)


def test_wait_starts_over_when_the_reason_changes() -> None:
    setup = after(new_setup(), FIRST, Waiting(Reason.ROLLOUT_IN_PROGRESS, "x"))
    other = after(setup, FIRST, Waiting(Reason.PODS_CRASHING, "y"), timedelta(minutes=20))
    assert (other.record(FIRST).looks, other.record(FIRST).waiting_since) == (
        1,
        START + timedelta(minutes=20),
    )


def test_wait_beyond_its_deadline_fails_with_the_same_reason() -> None:
    setup = after(new_setup(), FIRST, Waiting(Reason.ROLLOUT_IN_PROGRESS, "1 of 2"))
    late = after(setup, FIRST, Waiting(Reason.ROLLOUT_IN_PROGRESS, "1 of 2"), timedelta(minutes=30))
    record = late.record(FIRST)
    assert (record.state, record.reason) == (StageState.FAILED, Reason.ROLLOUT_IN_PROGRESS)
    assert record.message == "1 of 2 (gave up after 30 min)"


def test_every_unfinished_setup_is_due_some_day() -> None:
    waiting = after(new_setup(), FIRST, Waiting(Reason.ROLLOUT_IN_PROGRESS, "x"))
    unfinished = [
        new_setup(),
        begin(new_setup(), FIRST, "test", 60, START),
        waiting,
        after(waiting, FIRST, Done()),
        register(verified(), wish(), "m2", START)[0],
    ]
    assert all(each.poll_at and each.poll_at <= START + timedelta(days=1) for each in unfinished)


def test_finished_setup_is_never_due() -> None:
    failed = after(new_setup(), FIRST, Failed(Reason.RELEASE_NOT_FOUND, "x"))
    assert (verified().poll_at, failed.poll_at) == (None, None)


def test_facts_survive_a_new_generation_but_the_checklist_does_not() -> None:
    setup = replace(verified(), facts=replace(verified().facts, address="192.0.2.1"))
    changed, _ = register(setup, wish(domain="other.example.com"), "m2", START)
    assert (changed.facts.address, changed.facts.checklist) == ("192.0.2.1", ())
