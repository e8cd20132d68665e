"""The setup state machine: one stage after the other."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.retry_policy import spread
from milvus_l7.domain.request.registration import Effect, register
from milvus_l7.domain.setup.admission import Admission
from milvus_l7.domain.setup.chain import SETUP_STAGES, Stage
from milvus_l7.domain.setup.document import Setup, StageState, Status
from milvus_l7.domain.setup.outcome import LONGEST_MESSAGE, Done, Failed, Waiting
from tests.builders import (
    admission,
    after,
    arrival,
    begun,
    finished,
    new_setup,
    requested_setup,
    trigger,
    wish,
)
from tests.fakes.state import START

PLAN = Stage.PLAN_SETUP
FIRST, SECOND = Stage.PREPARE_TLS, Stage.CONFIGURE_HEALTH_CHECK
ROLLING_OUT = Waiting(Reason.ROLLOUT_IN_PROGRESS, "1 of 2")
OTHER = wish(domain="other.example.com")


def test_first_request_makes_generation_one_which_is_planned_before_all_else() -> None:
    setup, effect = register(None, wish(), arrival())
    assert (setup.generation, setup.run, effect, setup.status) == (1, 1, Effect.CREATED, Status.ACCEPTED)
    assert (setup.current, setup.desired_generation) == (PLAN, 0)


def test_redelivered_request_changes_nothing() -> None:
    setup = new_setup()
    assert register(setup, OTHER, arrival()) == (setup, Effect.NONE)


def test_same_request_during_the_chain_makes_no_new_generation_and_no_new_run() -> None:
    setup = begun(new_setup(), FIRST)
    again, effect = register(setup, wish(), arrival("m2", seconds=1))
    assert (again.generation, again.run, again.lease, effect) == (1, 1, setup.lease, Effect.WOKEN)
    assert again.budgets == setup.budgets


def test_changed_request_makes_a_new_generation_and_starts_over_with_its_plan() -> None:
    setup = after(new_setup(), FIRST)
    changed, effect = register(setup, OTHER, arrival("m2", seconds=1))
    assert (changed.generation, changed.current, effect) == (2, PLAN, Effect.CHANGED)
    planned = after(changed, PLAN)
    assert (planned.current, planned.record(FIRST).state) == (FIRST, StageState.PENDING)


def test_changed_request_leaves_what_is_desired_until_it_is_planned() -> None:
    changed, _ = register(after(new_setup(), FIRST), OTHER, arrival("m2", seconds=1))
    assert (changed.desired.domain, changed.desired_generation) == ("my-release.milvus.io", 1)
    planned = after(changed, PLAN)
    assert (planned.desired.domain, planned.desired_generation) == ("other.example.com", 2)


def test_same_request_runs_a_verified_setup_again_without_a_new_generation() -> None:
    again, effect = register(finished(new_setup()), wish(), arrival("m2", seconds=1))
    assert (again.generation, again.run, again.current, effect) == (1, 2, PLAN, Effect.RESTARTED)
    assert after(again, PLAN).current is FIRST


def test_same_request_runs_a_failed_setup_again() -> None:
    failed = after(new_setup(), FIRST, Failed(Reason.RELEASE_NOT_FOUND, "x"))
    again, effect = register(failed, wish(), arrival("m2", seconds=1))
    assert (again.current, effect) == (PLAN, Effect.RESTARTED)
    assert after(again, PLAN).record(FIRST).state is StageState.PENDING


def test_same_request_lets_a_setup_that_waits_look_at_everything_again_in_the_same_run() -> None:
    waiting = after(after(new_setup(), FIRST), SECOND, ROLLING_OUT)
    again, effect = register(waiting, wish(), arrival("m2", seconds=1))
    assert (effect, again.run, again.generation, again.current) == (Effect.WOKEN, 1, 1, PLAN)
    assert admission(again, trigger(again, PLAN), PLAN) is Admission.RUN
    planned = after(again, PLAN)
    assert (planned.current, planned.desired) == (FIRST, waiting.desired)
    assert after(planned, FIRST).record(SECOND).waiting_since == waiting.record(SECOND).waiting_since


def test_same_request_leaves_a_chain_that_moves_alone() -> None:
    moving = after(new_setup(), FIRST)
    again, effect = register(moving, wish(), arrival("m2", seconds=1))
    assert (effect, again.current, again.stages) == (Effect.WOKEN, SECOND, moving.stages)


def test_event_of_an_earlier_generation_runs_nothing_and_is_stale_once_the_next_is_planned() -> None:
    setup = new_setup()
    event = trigger(setup, FIRST)
    changed, _ = register(setup, OTHER, arrival("m2", seconds=1))
    assert admission(changed, event, FIRST) is Admission.EARLY
    assert admission(after(changed, PLAN), event, FIRST) is Admission.STALE


def test_event_of_a_generation_that_goes_on_after_a_refusal_still_starts_its_stage() -> None:
    setup = new_setup()
    event = trigger(setup, FIRST)
    changed, _ = register(setup, OTHER, arrival("m2", seconds=1))
    refused = after(changed, PLAN, Failed(Reason.MUTUAL_TLS, "tlsMode 2"))
    assert (refused.generation, admission(refused, event, FIRST)) == (2, Admission.RUN)


def test_event_for_a_stage_whose_turn_has_not_come_is_early() -> None:
    setup = new_setup()
    assert admission(setup, trigger(setup, SECOND), SECOND) is Admission.EARLY


def test_event_for_a_stage_of_a_request_that_is_not_planned_is_early() -> None:
    for setup in (requested_setup(), register(finished(new_setup()), OTHER, arrival("m2", seconds=1))[0]):
        assert admission(setup, trigger(setup, FIRST), FIRST) is Admission.EARLY


def test_event_for_a_done_stage_repeats_the_announcement_until_the_next_stage_begins() -> None:
    for stage, following in ((PLAN, FIRST), (FIRST, SECOND)):
        setup = requested_setup()
        while setup.current is not following:
            setup = after(setup, setup.current or following)
        assert admission(setup, trigger(setup, stage), stage) is Admission.REPEAT
        assert admission(begun(setup, following), trigger(setup, stage), stage) is Admission.FINISHED


def test_early_event_for_a_waiting_stage_is_not_due() -> None:
    waiting = after(new_setup(), FIRST, ROLLING_OUT)
    assert admission(waiting, trigger(waiting, FIRST), FIRST) is Admission.NOT_DUE
    assert waiting.wake_at is not None
    assert admission(waiting, trigger(waiting, FIRST), FIRST, waiting.wake_at) is Admission.RUN


def test_wait_grows_with_each_look_up_to_the_cap() -> None:
    setup, delays = new_setup(), []
    for look in range(6):
        at = START + timedelta(minutes=look)
        setup = after(setup, FIRST, ROLLING_OUT, at)
        assert setup.wake_at is not None
        delays.append((setup.wake_at - at).total_seconds())
    factor = spread(setup.setup_id)
    assert delays == pytest.approx([seconds * factor for seconds in (5, 10, 20, 40, 60, 60)], abs=1e-5)


def test_setups_that_begin_to_wait_together_do_not_wake_together() -> None:
    factors = sorted(spread(f"p.l.c.n.release-{number}") for number in range(1000))
    assert 0.9 < factors[0] < 0.91
    assert 0.99 < factors[-1] <= 1
    tenths = [sum(0.9 + n / 100 < factor <= 0.91 + n / 100 for factor in factors) for n in range(10)]
    assert all(70 <= count <= 130 for count in tenths)


def test_wait_starts_over_when_the_reason_changes() -> None:
    setup = after(new_setup(), FIRST, ROLLING_OUT)
    later = START + timedelta(minutes=20)
    other = after(setup, FIRST, Waiting(Reason.PODS_CRASHING, "y"), later)
    assert (other.record(FIRST).attempts, other.record(FIRST).waiting_since) == (1, later)


def test_wait_beyond_its_deadline_fails_with_the_same_reason() -> None:
    setup = after(new_setup(), FIRST, ROLLING_OUT)
    record = after(setup, FIRST, ROLLING_OUT, START + timedelta(minutes=30)).record(FIRST)
    assert (record.state, record.reason) == (StageState.FAILED, Reason.ROLLOUT_IN_PROGRESS)
    assert record.message == "1 of 2 (gave up after 30 min)"


def test_every_unfinished_setup_is_due_some_day() -> None:
    waiting = after(new_setup(), FIRST, ROLLING_OUT)
    unfinished = [
        requested_setup(),
        begun(requested_setup(), PLAN),
        after(requested_setup(), PLAN, Waiting(Reason.CLUSTER_UNAVAILABLE, "503")),
        new_setup(),
        begun(new_setup(), FIRST),
        waiting,
        after(waiting, FIRST, Done()),
        register(waiting, OTHER, arrival("m2", seconds=1))[0],
        register(finished(new_setup()), wish(), arrival("m2", seconds=1))[0],
    ]
    assert all(each.poll_at and each.poll_at <= START + timedelta(days=1) for each in unfinished)


def test_finished_setup_is_never_due() -> None:
    failed = after(new_setup(), FIRST, Failed(Reason.RELEASE_NOT_FOUND, "x"))
    assert (finished(new_setup()).poll_at, failed.poll_at) == (None, None)


def test_whole_chain_ends_verified() -> None:
    setup = finished(requested_setup())
    assert (setup.status, setup.verified_at, setup.is_touched) == (Status.VERIFIED, START, False)
    assert {stage: setup.record(stage).state for stage in SETUP_STAGES} == dict.fromkeys(
        SETUP_STAGES, StageState.DONE
    )


def test_facts_survive_a_new_generation_but_the_checklist_does_not() -> None:
    verified = finished(new_setup())
    setup = replace(verified, facts=replace(verified.facts, address="192.0.2.1"))
    changed = after(register(setup, OTHER, arrival("m2", seconds=1))[0], PLAN)
    assert (changed.facts.address, changed.facts.checklist) == ("192.0.2.1", ())


@pytest.mark.parametrize("setup", [new_setup(), requested_setup()])
@pytest.mark.parametrize("kind", [Waiting, Failed])
def test_message_that_quotes_anything_is_stored_as_a_short_line(
    setup: Setup, kind: type[Waiting | Failed]
) -> None:
    stage = setup.current
    assert stage is not None
    ended = after(setup, stage, kind(Reason.SERVICE_PORT_NOT_FOUND, "\ud800\n" + "x" * 2_000_000))
    messages = [ended.record(stage).message, ended.refusal.message if ended.refusal else ""]
    assert all(len(message.encode()) <= LONGEST_MESSAGE + 2 for message in messages)
    assert max(messages).endswith("x…")


def test_what_a_done_stage_tells_is_kept_as_a_short_line() -> None:
    done = after(new_setup(), Stage.PREPARE_TLS, Done(message="left off\n" + "x" * 2_000_000))
    record = done.record(Stage.PREPARE_TLS)
    assert (record.state, record.reason) == (StageState.DONE, None)
    assert record.message.startswith("left off")
    assert len(record.message.encode()) <= LONGEST_MESSAGE + 2


def test_what_a_wait_has_told_besides_is_told_when_the_stage_is_done() -> None:
    notice = "left off\n" + "x" * 2_000_000
    waiting = after(new_setup(), Stage.CREATE_INGRESS, Waiting(Reason.ADDRESS_PENDING, "none", notice=notice))
    again = after(waiting, Stage.CREATE_INGRESS, Waiting(Reason.ADDRESS_PENDING, "none"))
    assert again.record(Stage.CREATE_INGRESS).message == "none"
    message = after(again, Stage.CREATE_INGRESS, Done()).record(Stage.CREATE_INGRESS).message
    assert message.startswith("left off x")
    assert len(message.encode()) <= LONGEST_MESSAGE + 2
