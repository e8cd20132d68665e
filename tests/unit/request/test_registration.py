"""What a request, a tear-down and a repair make of a setup, and in which order they count."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.request import registration
from milvus_l7.domain.request.registration import TOMBSTONE_KEPT, Arrival, Effect, bury, register, tear_down
from milvus_l7.domain.request.request import TearDownSpec
from milvus_l7.domain.setup.admission import Admission
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.document import Setup, StageState, Status
from milvus_l7.domain.setup.facts import Facts
from milvus_l7.domain.setup.lease import LEASE_MARGIN
from milvus_l7.domain.setup.maintenance_window import MaintenanceWindow
from milvus_l7.domain.setup.outcome import Done, Failed, Waiting
from milvus_l7.domain.setup.supervision import DriftPolicy, OnFailure, Supervision
from milvus_l7.domain.setup.transitions import Settled, resting
from milvus_l7.domain.setup.write_ahead import written_ahead
from tests.builders import (
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
PAUSED = Supervision(paused=True)
RESTORING = Supervision(on_failure=OnFailure.RESTORE)
OTHER = wish(domain="other.example.com")
LATER = START + timedelta(minutes=5)


def verified(**changes: Supervision) -> Setup:
    return finished(new_setup(**changes))


def taken_down(
    setup: Setup, come: Arrival | None = None, *, restore_l4: bool = False
) -> tuple[Setup, Effect]:
    spec = TearDownSpec(desired(), restore_l4)
    return tear_down(setup, spec, come or arrival("t1", seconds=1))


def test_verified_setup_is_checked_for_drift_after_its_interval() -> None:
    setup = verified(supervision=Supervision(interval_s=600))
    assert setup.check_at is not None
    assert timedelta(seconds=540) <= setup.check_at - START <= timedelta(seconds=600)


def test_tear_down_is_a_new_generation_with_one_stage() -> None:
    setup, effect = taken_down(verified())
    assert (effect, setup.generation, setup.chain) == (Effect.CHANGED, 2, (DOWN,))
    assert (setup.check_at, setup.status) == (None, Status.ACCEPTED)


def test_finished_tear_down_is_torn_down_and_no_longer_checked() -> None:
    setup = after(taken_down(verified())[0], DOWN)
    assert (setup.status, setup.check_at, setup.poll_at) == (Status.TORN_DOWN, None, None)
    assert not setup.was_verified


def test_same_tear_down_message_counts_once_and_another_one_runs_it_again() -> None:
    setup = after(taken_down(verified())[0], DOWN)
    assert taken_down(setup) == (setup, Effect.NONE)
    again, effect = taken_down(setup, arrival("t2", seconds=2))
    assert (effect, again.generation, again.run, again.current) == (Effect.RESTARTED, 2, 2, DOWN)


def test_tear_down_that_is_repeated_begins_when_a_lease_that_runs_on_has_ended() -> None:
    running = begun(taken_down(verified())[0], DOWN)
    failed = settled(running, Failed(Reason.HELM_FAILED, "x"), has_raised=True, lost_answer_s=120).setup
    again, effect = taken_down(failed, arrival("t2", seconds=2))
    assert (effect, again.poll_at) == (Effect.RESTARTED, START + timedelta(seconds=120) + LEASE_MARGIN)


def test_tear_down_that_is_under_way_is_woken_by_another_one() -> None:
    down, _ = taken_down(verified())
    again, effect = taken_down(down, arrival("t2", seconds=2))
    assert (effect, again.generation, again.run) == (Effect.WOKEN, 2, 1)


def test_tear_down_that_restores_more_is_a_new_generation() -> None:
    setup = after(taken_down(verified())[0], DOWN)
    more, effect = taken_down(setup, arrival("t2", seconds=2), restore_l4=True)
    assert (effect, more.generation) == (Effect.CHANGED, 3)


def test_request_after_a_tear_down_sets_up_anew_once_it_is_planned() -> None:
    setup, effect = register(taken_down(verified())[0], wish(), arrival("m9", seconds=2))
    assert (effect, setup.generation, setup.current) == (Effect.CHANGED, 3, PLAN)
    planned = after(setup, PLAN)
    assert (planned.teardown, planned.desired_generation, planned.current) == (None, 3, FIRST)


def test_events_of_the_other_direction_are_stale() -> None:
    up = verified()
    down, _ = taken_down(up)
    assert admission(down, trigger(up, FIRST), FIRST) is Admission.STALE
    assert admission(down, trigger(down, FIRST), FIRST) is Admission.STALE
    assert admission(down, trigger(down, DOWN), DOWN) is Admission.RUN


def test_policy_alone_changes_no_generation_and_runs_nothing() -> None:
    repairing = wish(Supervision(policy=DriftPolicy.REPAIR))
    setup, effect = register(verified(), repairing, arrival("m2", LATER))
    assert (effect, setup.generation, setup.run, setup.status) == (Effect.ADJUSTED, 1, 1, Status.VERIFIED)
    assert setup.check_at == LATER


@pytest.mark.parametrize("window", [None, MaintenanceWindow("05:00", "06:00")])
def test_another_maintenance_window_wakes_what_waits_for_the_one_before(
    window: MaintenanceWindow | None,
) -> None:
    before = Supervision(maintenance_window=MaintenanceWindow("02:00", "04:00"))
    wait = Waiting(Reason.OUTSIDE_MAINTENANCE_WINDOW, "x", until=START + timedelta(hours=9))
    waiting = after(new_setup(supervision=before), FIRST, wait)
    setup, effect = register(waiting, wish(Supervision(maintenance_window=window)), arrival("m2", LATER))
    assert (effect, setup.wake_at, setup.generation) == (Effect.WOKEN, None, 1)
    same, effect = register(waiting, wish(replace(before, interval_s=600)), arrival("m2", LATER))
    assert (effect, same.wake_at) == (Effect.ADJUSTED, waiting.wake_at)


@pytest.mark.parametrize(
    ("window", "hours"), [(None, 0), (MaintenanceWindow("05:00", "06:00"), 5)], ids=["none", "another"]
)
def test_another_maintenance_window_holds_for_an_execution_that_is_under_way(
    window: MaintenanceWindow | None, hours: int
) -> None:
    before = Supervision(maintenance_window=MaintenanceWindow("02:00", "04:00"))
    running = begun(new_setup(supervision=before), FIRST)
    asked, effect = register(running, wish(Supervision(maintenance_window=window)), arrival("m2", seconds=1))
    assert effect is Effect.ADJUSTED
    wait = Waiting(Reason.OUTSIDE_MAINTENANCE_WINDOW, "x", until=START + timedelta(hours=2))
    assert settled(asked, wait).setup.wake_at == START + timedelta(hours=hours)


def test_another_maintenance_window_wakes_nothing_else() -> None:
    waiting = after(new_setup(), FIRST, Waiting(Reason.HELM_FAILED, "x"))
    window = Supervision(maintenance_window=MaintenanceWindow("02:00", "04:00"))
    assert register(waiting, wish(window), arrival("m2", LATER))[1] is Effect.ADJUSTED


# The order of requests: the last one wins, by the time at which Pub/Sub took it, then by its id.


def test_older_request_changes_nothing_and_is_superseded() -> None:
    setup, _ = register(new_setup(), OTHER, arrival("m3", seconds=3))
    for late in (arrival("m2", seconds=2), arrival("m2", seconds=3)):
        assert register(setup, wish(), late) == (setup, Effect.SUPERSEDED)


def test_of_requests_of_one_moment_the_greater_id_wins() -> None:
    setup, _ = register(requested_setup(), OTHER, arrival("message-2"))
    assert (setup.generation, setup.order.message_id) == (2, "message-2")
    assert register(setup, wish(), arrival("message-0")) == (setup, Effect.SUPERSEDED)


def test_older_tear_down_does_not_take_a_live_setup_away() -> None:
    setup, _ = register(verified(), wish(), arrival("m2", seconds=2))
    assert taken_down(setup, arrival("t1", seconds=1)) == (setup, Effect.SUPERSEDED)


def test_older_request_does_not_bring_a_torn_down_setup_back() -> None:
    down = after(taken_down(verified(), arrival("t1", seconds=2))[0], DOWN)
    assert register(down, OTHER, arrival("m2", seconds=1)) == (down, Effect.SUPERSEDED)


def test_order_of_requests_is_that_of_their_publish_times_however_late_they_come() -> None:
    hours_later = START + timedelta(hours=5)
    setup, effect = register(new_setup(), OTHER, Arrival(arrival("m2", seconds=1).mark, hours_later))
    assert (effect, setup.order.published_at, setup.updated_at) == (
        Effect.CHANGED,
        START + timedelta(seconds=1),
        hours_later,
    )


def test_what_the_engine_starts_by_itself_does_not_move_the_order() -> None:
    order = verified().order
    assert registration.repair(verified(), LATER).order == order
    running = begun(new_setup(supervision=RESTORING), FIRST)
    touched = written_ahead(running, "one", Facts(), begins_effect=False, now=START)
    assert settled(touched, Failed(Reason.MUTUAL_TLS, "x"), LATER).setup.order == order


def test_tear_down_of_an_unknown_setup_leaves_a_tombstone_that_outlives_what_pub_sub_keeps() -> None:
    tomb, effect = bury(None, TearDownSpec(desired(), restore_l4=False), arrival("t1", LATER))
    assert (effect, tomb.status, tomb.poll_at, tomb.check_at) == (
        Effect.BURIED,
        Status.TORN_DOWN,
        None,
        None,
    )
    assert tomb.expires_at == LATER + TOMBSTONE_KEPT
    assert timedelta(days=31) < TOMBSTONE_KEPT


def test_set_up_published_before_the_tear_down_of_an_unknown_setup_changes_nothing() -> None:
    tomb, _ = bury(None, TearDownSpec(desired(), restore_l4=False), arrival("t1", seconds=5))
    assert register(tomb, wish(), arrival("m1", seconds=4)) == (tomb, Effect.SUPERSEDED)


def test_set_up_published_after_the_tear_down_of_an_unknown_setup_sets_up_for_good() -> None:
    tomb, _ = bury(None, TearDownSpec(desired(), restore_l4=False), arrival("t1", seconds=5))
    setup, effect = register(tomb, wish(), arrival("m1", seconds=6))
    assert (effect, setup.expires_at, setup.current) == (Effect.CHANGED, None, PLAN)
    assert finished(setup).status is Status.VERIFIED


def test_tombstone_keeps_the_latest_tear_down() -> None:
    spec = TearDownSpec(desired(), restore_l4=False)
    tomb, _ = bury(None, spec, arrival("t2", seconds=5))
    assert bury(tomb, spec, arrival("t1", seconds=4)) == (tomb, Effect.BURIED)
    later, _ = bury(tomb, spec, arrival("t3", seconds=6))
    assert later.order.message_id == "t3"


# A pause.


def test_paused_setup_runs_nothing_and_is_not_looked_at() -> None:
    setup, effect = register(verified(), wish(PAUSED), arrival("m2", seconds=1))
    assert (effect, setup.check_at, setup.poll_at) == (Effect.ADJUSTED, None, None)
    waiting = requested_setup(supervision=PAUSED)
    assert waiting.poll_at is None
    assert admission(waiting, trigger(waiting, PLAN), PLAN) is Admission.PAUSED


def test_paused_setup_that_is_published_again_stays_what_it_is() -> None:
    paused, _ = register(verified(), wish(PAUSED), arrival("m2", seconds=1))
    for spec in (wish(PAUSED), wish(replace(PAUSED, interval_s=60))):
        again, effect = register(paused, spec, arrival("m3", seconds=2))
        assert (effect, again.status, again.run) == (Effect.ADJUSTED, Status.VERIFIED, paused.run)


def test_stage_that_runs_while_the_pause_begins_ends_and_starts_nothing() -> None:
    paused, _ = register(begun(new_setup(), FIRST), wish(PAUSED), arrival("m2", seconds=1))
    ended = settled(paused, Done()).setup
    assert (ended.record(FIRST).state, ended.poll_at) == (StageState.DONE, None)


def test_lease_that_runs_out_during_a_pause_is_no_reason_to_look_again() -> None:
    paused, _ = register(begun(verified_anew(), FIRST), wish(PAUSED), arrival("m3", seconds=2))
    assert paused.poll_at is not None
    late = START + timedelta(hours=1)
    left = resting(paused, late)
    assert (left.lease, left.poll_at, left.check_at, left.has_lost_lease) == (None, None, None, True)
    assert left.budgets[FIRST].crashes == 1
    assert resting(paused, START + timedelta(seconds=1)) is paused
    resumed, effect = register(left, wish(), arrival("m4", hours=2))
    assert (effect, resumed.current) == (Effect.WOKEN, FIRST)
    assert admission(resumed, trigger(resumed, FIRST), FIRST, START + timedelta(hours=2)) is Admission.RUN


def verified_anew() -> Setup:
    """A setup that was verified, in its next run."""
    return after(register(verified(), wish(), arrival("m2", seconds=1))[0], PLAN)


def test_same_request_during_the_pause_leaves_a_verified_setup_verified() -> None:
    paused, _ = register(verified(), wish(PAUSED), arrival("m2", seconds=1))
    again, effect = register(paused, wish(PAUSED), arrival("m3", seconds=2))
    assert (effect, again.status, again.check_at) == (Effect.ADJUSTED, Status.VERIFIED, None)


def test_end_of_the_pause_starts_the_chain() -> None:
    paused, _ = register(verified(), wish(PAUSED), arrival("m2", seconds=1))
    setup, effect = register(paused, wish(), arrival("m3", seconds=2))
    assert (effect, setup.status, setup.current) == (Effect.RESTARTED, Status.ACCEPTED, PLAN)


def test_end_of_the_pause_lets_a_chain_that_waits_go_on_in_its_run() -> None:
    paused, _ = register(after(new_setup(), FIRST), wish(PAUSED), arrival("m2", seconds=1))
    setup, effect = register(paused, wish(), arrival("m3", seconds=2))
    assert (effect, setup.run, setup.current) == (Effect.WOKEN, 1, Stage.CONFIGURE_HEALTH_CHECK)
    assert setup.poll_at is not None


def test_end_of_a_pause_whose_beginning_is_not_known_lets_drift_checks_go_on() -> None:
    paused, _ = register(verified(), wish(PAUSED), arrival("m2", seconds=1))
    resumed, _ = register(replace(paused, paused_at=None), wish(), arrival("m3", seconds=2))
    refused = after(resumed, PLAN, Failed(Reason.MUTUAL_TLS, "tlsMode 2"))
    assert (refused.status, refused.check_at) == (Status.VERIFIED, START + timedelta(seconds=2))


def test_paused_setup_can_be_torn_down() -> None:
    paused, _ = register(verified(), wish(PAUSED), arrival("m2", seconds=1))
    down, _ = taken_down(paused, arrival("t1", seconds=2))
    assert admission(down, trigger(down, DOWN), DOWN) is Admission.RUN


# A failure.


def fail(setup: Setup, facts: Facts | None = None) -> Settled:
    """The setup after its first stage failed, having written the facts ahead."""
    running = begun(setup, FIRST)
    if facts is not None:
        running = written_ahead(running, "one", facts, begins_effect=False, now=START)
    return settled(running, Failed(Reason.MUTUAL_TLS, "tlsMode 2"))


def test_failed_first_set_up_is_left_as_it_is_unless_restoring_is_asked_for() -> None:
    failed = fail(new_setup(), Facts())
    assert failed.setup is failed.ended
    assert failed.setup.status is Status.FAILED


def test_failed_first_set_up_is_restored_if_asked_for_and_says_why() -> None:
    failed = fail(new_setup(supervision=RESTORING), Facts())
    setup = failed.setup
    assert failed.ended.status is Status.FAILED
    assert (setup.generation, setup.current) == (2, DOWN)
    assert setup.teardown is not None
    assert setup.teardown.restore_l4
    assert setup.teardown.cause is not None
    assert setup.teardown.cause.reason is Reason.MUTUAL_TLS


def test_setup_that_once_served_is_never_undone_by_a_failure() -> None:
    again, _ = register(verified(supervision=RESTORING), wish(RESTORING), arrival("m2", seconds=1))
    setup = fail(after(again, PLAN), Facts()).setup
    assert (setup.status, setup.teardown) == (Status.FAILED, None)


def test_failure_with_a_request_to_be_planned_undoes_nothing() -> None:
    running = written_ahead(
        begun(new_setup(supervision=RESTORING), FIRST), "one", Facts(), begins_effect=False, now=START
    )
    changed, _ = register(running, wish(RESTORING, domain="other.example.com"), arrival("m2", seconds=1))
    failed = settled(changed, Failed(Reason.MUTUAL_TLS, "tlsMode 2"))
    assert (failed.begins_way_back, failed.setup.current) == (False, PLAN)


# A repair.


def test_repair_is_a_run_of_its_own_that_begins_with_its_plan() -> None:
    setup = registration.repair(verified(), LATER)
    assert (setup.generation, setup.run, setup.current) == (1, 2, PLAN)
    assert admission(setup, trigger(setup, PLAN), PLAN, LATER) is Admission.RUN
    assert finished(setup).status is Status.VERIFIED


def test_repair_of_a_setup_whose_last_request_was_refused_leaves_the_refusal_known() -> None:
    requested, _ = register(verified(), wish(domain="other.example.com"), arrival("m2", seconds=1))
    refused = after(requested, PLAN, Failed(Reason.MUTUAL_TLS, "tlsMode 2"))
    repaired = finished(registration.repair(refused, LATER))
    assert (repaired.status, repaired.generation, repaired.desired_generation) == (Status.VERIFIED, 2, 1)
    assert repaired.refusal == refused.refusal


@pytest.mark.parametrize("stage", [PLAN, FIRST])
def test_setup_whose_repair_is_refused_or_fails_is_still_checked_for_drift(stage: Stage) -> None:
    setup = registration.repair(verified(), LATER)
    while setup.current is not stage:
        setup = after(setup, setup.current or stage)
    failed = after(setup, stage, Failed(Reason.MUTUAL_TLS, "tlsMode 2"))
    assert failed.was_verified
    assert failed.check_at is not None
