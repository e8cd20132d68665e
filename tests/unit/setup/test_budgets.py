"""What one stage may spend in one run, which neither reasons, nor crashes, nor requests in between renew."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.request import registration
from milvus_l7.domain.request.registration import Effect, register, tear_down
from milvus_l7.domain.request.request import TearDownSpec
from milvus_l7.domain.setup.admission import Admission, Moment, admit
from milvus_l7.domain.setup.budget import ATTEMPTS, CRASHES, DEADLINE, Budget
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.document import Refusal, Setup, StageState, Status
from milvus_l7.domain.setup.lease import LEASE_MARGIN
from milvus_l7.domain.setup.maintenance_window import MaintenanceWindow
from milvus_l7.domain.setup.outcome import Failed, Waiting
from milvus_l7.domain.setup.supervision import Supervision
from milvus_l7.domain.setup.transitions import Timing, exhaust
from tests.builders import (
    admission,
    after,
    arrival,
    begun,
    desired,
    finished,
    new_setup,
    requested_setup,
    trigger,
    wish,
)
from tests.fakes.state import START

PLAN, FIRST = Stage.PLAN_SETUP, Stage.PREPARE_TLS
ROLLING_OUT = Waiting(Reason.ROLLOUT_IN_PROGRESS, "1 of 2")
UNAVAILABLE = Waiting(Reason.CLUSTER_UNAVAILABLE, "503")
LEASE = timedelta(seconds=61) + LEASE_MARGIN
ON_THURSDAYS = Supervision(maintenance_window=MaintenanceWindow("00:00", "01:00", days=("TH",)))
OTHER = wish(domain="other.example.com")


def in_turns(setup: Setup, until: datetime) -> Setup:
    """The setup after looks every twenty minutes, for two reasons that take turns."""
    look, now = 0, START
    while now < until:
        setup = after(setup, FIRST, (ROLLING_OUT, UNAVAILABLE)[look % 2], now)
        look, now = look + 1, now + timedelta(minutes=20)
    return setup


def at(setup: Setup, moment: datetime, stage: Stage = FIRST) -> Admission:
    return admission(setup, trigger(setup, stage), stage, moment)


def died(setup: Setup, times: int, stage: Stage = FIRST) -> tuple[Setup, datetime]:
    """The setup after executions that never ended, and when the last of their leases has run out."""
    now = START
    for number in range(times):
        assert at(setup, now, stage) is Admission.RUN
        setup, now = begun(setup, stage, f"x{number}", now), now + LEASE
    return setup, now


def test_reasons_that_take_turns_end_with_the_last_of_them() -> None:
    setup = in_turns(new_setup(), START + DEADLINE)
    assert setup.record(FIRST).state is StageState.WAITING
    moment = START + DEADLINE
    assert at(setup, moment - timedelta(seconds=1)) is Admission.RUN
    assert at(setup, moment) is Admission.EXHAUSTED
    record = exhaust(setup, FIRST, Timing(moment)).setup.record(FIRST)
    assert (record.state, record.reason) == (StageState.FAILED, Reason.CLUSTER_UNAVAILABLE)
    assert record.message == "503 (gave up after 36 h)"


def test_deadline_is_scaled_as_all_waiting_times() -> None:
    setup, moment = in_turns(new_setup(), START + DEADLINE / 4), START + DEADLINE / 2
    assert admit(setup, FIRST, trigger(setup, FIRST), Moment(moment, moment)) is Admission.RUN
    assert admit(setup, FIRST, trigger(setup, FIRST), Moment(moment, moment, 0.5)) is Admission.EXHAUSTED


def test_executions_that_always_die_are_started_ten_times() -> None:
    setup, now = died(new_setup(), CRASHES)
    assert CRASHES == 10
    assert at(setup, now) is Admission.EXHAUSTED
    failed = exhaust(setup, FIRST, Timing(now)).setup
    record = failed.record(FIRST)
    assert (failed.status, record.reason) == (Status.FAILED, Reason.EXECUTION_LOST)
    assert record.message == "10 executions ended without a result"
    assert (failed.lease, failed.poll_at) == (None, None)


def test_deaths_count_although_other_executions_wait_in_between() -> None:
    setup, now = new_setup(), START
    for number in range(CRASHES):
        setup = begun(setup, FIRST, f"x{number}", now)
        now += LEASE
        if number < CRASHES - 1:
            setup = after(setup, FIRST, UNAVAILABLE, now)
            now += timedelta(minutes=10)
    assert at(setup, now) is Admission.EXHAUSTED
    assert exhaust(setup, FIRST, Timing(now)).setup.record(FIRST).reason is Reason.CLUSTER_UNAVAILABLE


def test_last_death_of_a_stage_that_is_given_up_is_remembered_for_the_way_back() -> None:
    assert exhaust(begun(new_setup(), FIRST), FIRST, Timing(START + DEADLINE)).setup.has_lost_lease


def test_number_of_executions_is_bounded() -> None:
    setup = after(new_setup(), FIRST, ROLLING_OUT)
    budget = replace(setup.budgets[FIRST], attempts=ATTEMPTS)
    spent = replace(setup, budgets={FIRST: budget}, wake_at=None)
    assert at(spent, START) is Admission.EXHAUSTED
    record = exhaust(spent, FIRST, Timing(START)).setup.record(FIRST)
    assert record.message == "1 of 2 (gave up after 600 executions)"


def test_each_stage_has_a_budget_of_its_own() -> None:
    setup, now = died(new_setup(), CRASHES - 1)
    second = Stage.CONFIGURE_HEALTH_CHECK
    begun_later, _ = died(after(setup, FIRST, at=now), 1, second)
    assert begun_later.budgets[second] == Budget(START, attempts=1)


def test_stage_that_has_done_its_work_has_its_time_anew_when_asked_for_again_and_nothing_else() -> None:
    waiting = after(after(new_setup(), FIRST), Stage.CONFIGURE_HEALTH_CHECK, UNAVAILABLE)
    late = START + DEADLINE + timedelta(hours=4)
    changed, _ = register(waiting, OTHER, arrival("m2", late))
    assert at(changed, late, PLAN) is Admission.RUN
    planned = after(changed, PLAN, at=late)
    assert at(planned, late) is Admission.RUN
    assert begun(planned, FIRST, at=late).budgets[FIRST] == Budget(late, attempts=2)


def test_plan_of_a_request_that_follows_a_refused_one_has_a_budget_of_its_own() -> None:
    setup = register(after(new_setup(), FIRST), OTHER, arrival("m2", seconds=1))[0]
    setup, now = died(setup, CRASHES, PLAN)
    refused = exhaust(setup, PLAN, Timing(now)).setup
    third = wish(domain="third.example.com")
    again, _ = register(refused, third, arrival("m3", now))
    assert (again.run, at(again, now, PLAN)) == (1, Admission.RUN)


def test_repeated_requests_wake_but_renew_nothing() -> None:
    setup, now = died(new_setup(), CRASHES)
    for number in range(3):
        setup, _ = register(setup, wish(), arrival(f"m{number + 2}", now))
    assert (setup.run, at(setup, now)) == (1, Admission.EXHAUSTED)


def test_request_repeated_while_a_stage_waits_prolongs_neither_its_wait_nor_its_budget() -> None:
    setup, now = after(new_setup(), FIRST, ROLLING_OUT), START
    while setup.status is Status.WAITING:
        now += timedelta(minutes=5)
        setup, effect = register(setup, wish(), arrival(f"m{now}", now))
        assert effect is Effect.WOKEN
        setup = after(after(setup, PLAN, at=now), FIRST, ROLLING_OUT, now)
    assert (setup.run, setup.status, now) == (1, Status.FAILED, START + timedelta(minutes=30))
    assert setup.budgets[FIRST] == Budget(START, attempts=7)
    assert setup.budgets[PLAN].attempts == 6


def test_wait_that_is_given_up_is_waited_for_anew_in_the_next_run() -> None:
    second = Stage.CONFIGURE_HEALTH_CHECK
    waiting = after(after(new_setup(), FIRST), second, UNAVAILABLE)
    asked_again = register(waiting, wish(), arrival("m2", minutes=1))[0]
    failed = after(after(asked_again, PLAN), FIRST, Failed(Reason.MUTUAL_TLS, "tlsMode 2"))
    late = START + timedelta(days=9)
    again = after(after(register(failed, wish(), arrival("m3", late))[0], PLAN, at=late), FIRST, at=late)
    assert again.record(second).waiting_since is None


def test_changed_requests_and_tear_downs_in_between_renew_nothing() -> None:
    setup, now = died(new_setup(), CRASHES)
    setup, _ = tear_down(setup, TearDownSpec(desired(), restore_l4=False), arrival("t1", now))
    setup, _ = register(setup, OTHER, arrival("m2", now, seconds=1))
    setup = after(setup, PLAN, at=now)
    assert (setup.current, at(setup, now)) == (FIRST, Admission.EXHAUSTED)


def test_request_of_a_setup_at_rest_begins_a_run_with_budgets_of_its_own() -> None:
    setup, now = died(new_setup(), CRASHES)
    failed = exhaust(setup, FIRST, Timing(now)).setup
    for spec in (wish(), OTHER):
        again, _ = register(failed, spec, arrival("m2", now))
        assert again.budgets == {}
        assert at(after(again, PLAN, at=now), now) is Admission.RUN


def test_repair_begins_a_run_with_budgets_of_its_own() -> None:
    spent = {FIRST: Budget(START, attempts=ATTEMPTS)}
    setup = replace(finished(new_setup()), budgets=spent)
    assert registration.repair(setup, START).budgets == {}


def test_pause_counts_for_no_budget_and_no_wait() -> None:
    setup = after(new_setup(), FIRST, ROLLING_OUT)
    paused, _ = register(setup, wish(Supervision(paused=True)), arrival("m2", minutes=1))
    resumed, _ = register(paused, wish(), arrival("m3", hours=100, minutes=1))
    end = START + timedelta(hours=100)
    assert resumed.budgets[FIRST].started_at == resumed.record(FIRST).waiting_since == end
    planned = after(resumed, PLAN, at=end + timedelta(minutes=1))
    assert at(planned, end + timedelta(minutes=1)) is Admission.RUN
    late = end + timedelta(minutes=29)
    assert after(planned, FIRST, ROLLING_OUT, late).record(FIRST).state is StageState.WAITING


def test_time_until_a_moment_that_is_known_counts_for_no_budget() -> None:
    first = after(new_setup(supervision=ON_THURSDAYS), FIRST, UNAVAILABLE)
    begins, opens = START + timedelta(hours=10), START + timedelta(days=7)
    wait = Waiting(Reason.OUTSIDE_MAINTENANCE_WINDOW, "x", until=opens)
    waiting = after(first, FIRST, wait, begins)
    assert (waiting.wake_at, waiting.poll_at) == (opens, opens)
    assert (at(waiting, opens - timedelta(seconds=1)), at(waiting, opens)) == (
        Admission.NOT_DUE,
        Admission.RUN,
    )
    again = after(waiting, FIRST, UNAVAILABLE, opens)
    spent = opens + DEADLINE - timedelta(hours=10)
    assert at(again, spent - timedelta(seconds=1)) is Admission.RUN
    assert at(again, spent) is Admission.EXHAUSTED


def test_pause_during_a_wait_for_a_moment_that_is_known_counts_once() -> None:
    wait = Waiting(Reason.OUTSIDE_MAINTENANCE_WINDOW, "x", until=START + timedelta(days=7))
    waiting = after(new_setup(supervision=ON_THURSDAYS), FIRST, wait, START + timedelta(hours=1))
    paused, _ = register(waiting, wish(replace(ON_THURSDAYS, paused=True)), arrival("m2", hours=100))
    resumed, _ = register(paused, wish(ON_THURSDAYS), arrival("m3", hours=200))
    begun_again = begun(
        after(resumed, PLAN, at=START + timedelta(hours=200)), FIRST, at=START + timedelta(hours=201)
    )
    assert begun_again.budgets[FIRST].started_at == START + timedelta(hours=201)


def test_budget_that_began_during_a_pause_does_not_begin_after_its_end() -> None:
    paused, _ = register(new_setup(), wish(Supervision(paused=True)), arrival("m2", minutes=1))
    down, _ = tear_down(paused, TearDownSpec(desired(), restore_l4=False), arrival("t1", hours=100))
    waiting = after(down, Stage.TEAR_DOWN, UNAVAILABLE, START + timedelta(hours=100))
    resumed, _ = register(waiting, wish(), arrival("m3", hours=101))
    assert resumed.budgets[Stage.TEAR_DOWN].started_at == START + timedelta(hours=101)


def test_pause_counts_for_no_wait_of_the_plan() -> None:
    setup = after(requested_setup(), PLAN, UNAVAILABLE)
    paused, _ = register(setup, wish(Supervision(paused=True)), arrival("m2", minutes=1))
    resumed, _ = register(paused, wish(), arrival("m3", hours=100, minutes=1))
    assert resumed.record(PLAN).waiting_since == START + timedelta(hours=100)


def test_plan_that_is_given_up_refuses_its_request() -> None:
    setup, now = died(register(finished(new_setup()), OTHER, arrival("m2", seconds=1))[0], CRASHES, PLAN)
    assert at(setup, now, PLAN) is Admission.EXHAUSTED
    kept = exhaust(setup, PLAN, Timing(now)).setup
    words = "10 executions ended without a result"
    assert (kept.status, kept.refusal) == (
        Status.VERIFIED,
        Refusal(2, Reason.EXECUTION_LOST, words, now),
    )


def test_failed_wait_leaves_no_event_that_would_run_the_stage_again() -> None:
    failed = after(new_setup(), FIRST, Failed(Reason.MUTUAL_TLS, "tlsMode 2"))
    assert at(failed, START + timedelta(hours=1)) is Admission.FINISHED
