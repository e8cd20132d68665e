"""The setup state machine: pure steps from one state document to the next.

request --register--> pending --begin--> running --settle--> done | waiting | failed
                                 ^                              |
                                 +---- wake-up, lease expiry ---+

`register` and the other ways to start a chain are in `domain.request.registration`; whether an event starts
its stage is in `admission`, what follows from the planning of a request in `planned`, what an execution under
way may commit in `write_ahead`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import LeaseLost
from milvus_l7.domain.reasons.retry_policy import spread
from milvus_l7.domain.setup.chain import TEARDOWN_STAGES, Stage
from milvus_l7.domain.setup.document import Cause, Setup, StageRecord, StageState, TearDown
from milvus_l7.domain.setup.drift_report import Verdict
from milvus_l7.domain.setup.lease import Lease
from milvus_l7.domain.setup.outcome import Done, Failed, Outcome, Waiting, storable
from milvus_l7.domain.setup.planned import planned, refuse
from milvus_l7.domain.setup.schedule import (
    ANNOUNCEMENT_RETRY_AFTER,
    after_lease,
    check_delay,
    is_at_rest,
    is_paused,
    not_before_lease,
    scheduled,
)
from milvus_l7.domain.setup.spending import budget_left, budgets_after, budgets_idle, budgets_left, has_died
from milvus_l7.domain.setup.supervision import OnFailure

# Before a way back is done after an execution died, it looks again: a write sent last may have landed since.
SECOND_LOOK_AFTER = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Timing:
    """The moment, and the factor on all waiting times (1 in production; the embedded cloud is quicker)."""

    now: datetime
    scale: float = 1.0


def begin(setup: Setup, lease: Lease, now: datetime) -> Setup:
    """Return the setup with the lease's stage running; re-poll acts if nobody settles it in time."""
    stage, record = lease.stage, setup.record(lease.stage)
    running = replace(record, state=StageState.RUNNING, started_at=record.started_at or now)
    return replace(
        _with_record(setup, stage, running, now),
        executions=setup.executions + 1,
        budgets={**budgets_left(setup), stage: budget_left(setup, stage).begun(now)},
        lease=lease,
        has_lost_lease=setup.has_lost_lease or has_died(setup),
        wake_at=None,
        poll_at=lease.ends_at(now),
    )


@dataclass(frozen=True, slots=True)
class Settled:
    """The setup with the stage's result, and what becomes of it: another one if a way back begins."""

    ended: Setup
    setup: Setup
    is_superseded: bool = False  # no result was recorded; what comes next begins

    @property
    def begins_way_back(self) -> bool:
        """Whether the failure of the stage starts a tear-down."""
        return not self.is_superseded and self.setup is not self.ended


@dataclass(frozen=True, slots=True)
class Result:
    """How an execution ended."""

    outcome: Outcome
    has_raised: bool = False  # it was broken off, so an effect that it began is not settled
    lost_answer_s: float = 0  # since its beginning, within which a write of it may still take effect


def settle(setup: Setup, execution: str, result: Result, timing: Timing) -> Settled:
    """Return the setup after the execution ended; `LeaseLost` if it no longer holds the lease.

    A result for a generation that is no longer worked for is dropped, as is one with an effect to be taken
    back before what was requested meanwhile is planned; the lease is freed all the same. While
    a write of the execution may still take effect, the lease runs on.
    """
    lease = setup.lease
    if lease is None or lease.execution != execution or lease.is_settled:
        raise LeaseLost(f"{setup.setup_id}: execution {execution} no longer holds the lease")
    freed = _freed(setup, lease, result)
    if lease.is_take_back and isinstance(result.outcome, Done):
        return _taken_back(freed, lease.stage, timing.now)
    if not lease.is_take_back and _is_overtaken(freed, lease):
        return _ready(freed, timing.now)
    return _with_result(freed, lease.stage, storable(result.outcome), timing)


def _is_overtaken(freed: Setup, lease: Lease) -> bool:
    """Whether the result is for what is no longer worked for, or to be taken back for a new request."""
    is_to_be_taken_back = freed.effect is not None and freed.requested is not None
    return is_to_be_taken_back or freed.generation_of(lease.stage) != lease.generation


def _with_result(freed: Setup, stage: Stage, outcome: Outcome, timing: Timing) -> Settled:
    ended = scheduled(not_before_lease(_due(_ended(freed, stage, outcome, timing), stage, timing.now)))
    if not _is_to_be_restored(ended, stage):
        return Settled(ended, ended)
    record = ended.record(stage)
    cause = Cause(stage, record.reason or Reason.INTERNAL_ERROR, record.message)
    return Settled(ended, to_be_torn_down(ended, TearDown(restore_l4=True, cause=cause), timing.now))


def _due(setup: Setup, stage: Stage, now: datetime) -> Setup:
    """What comes before the stage that waits or has failed, a plan or a take-back, begins at once."""
    if setup.current in (None, stage) or is_at_rest(setup):
        return setup
    return replace(setup, wake_at=None, poll_at=now + ANNOUNCEMENT_RETRY_AFTER)


def _freed(setup: Setup, lease: Lease, result: Result) -> Setup:
    """The setup without the lease, and without the mark of an effect that the execution has settled."""
    if result.lost_answer_s:
        return replace(setup, lease=replace(lease, duration_s=result.lost_answer_s, is_settled=True))
    is_settled = setup.effect is lease.stage and not lease.is_take_back and not result.has_raised
    return replace(setup, lease=None, effect=None if is_settled else setup.effect)


def _ready(freed: Setup, now: datetime) -> Settled:
    """Nothing is recorded; what comes next begins at once."""
    ready = replace(freed, wake_at=None, poll_at=now + ANNOUNCEMENT_RETRY_AFTER, updated_at=now)
    ready = scheduled(not_before_lease(ready))
    return Settled(ready, ready, is_superseded=True)


def _taken_back(freed: Setup, stage: Stage, now: datetime) -> Settled:
    records = {name: record for name, record in freed.stages.items() if name is not stage}
    return _ready(replace(freed, effect=None, stages=records), now)


def exhaust(setup: Setup, stage: Stage, timing: Timing) -> Settled:
    """Return the setup with the stage failed because its budget is spent; the last cause is named."""
    budget = budget_left(setup, stage)
    record = setup.record(stage)
    spent = budget.exhausted(timing.now, timing.scale) or "gave up"
    reason = record.reason or Reason.EXECUTION_LOST
    message = f"{record.message} ({spent})" if record.message else spent
    freed = replace(
        setup,
        lease=None,
        executions=setup.executions + 1,
        budgets={**setup.budgets, stage: budget},
        has_lost_lease=setup.has_lost_lease or has_died(setup),
    )
    return _with_result(freed, stage, Failed(reason, message), timing)


def _ended(setup: Setup, stage: Stage, outcome: Outcome, timing: Timing) -> Setup:
    if stage in TEARDOWN_STAGES and setup.has_lost_lease and isinstance(outcome, Done):
        return _looking_again(setup, stage, timing)
    known = replace(setup, facts=outcome.facts or setup.facts)
    if isinstance(outcome, Waiting):
        return _waiting(known, stage, outcome, timing)
    if isinstance(outcome, Failed):
        return _failed(known, stage, outcome, timing.now)
    return _done(known, stage, outcome.message or known.record(stage).notice, timing)


def _is_to_be_restored(setup: Setup, stage: Stage) -> bool:
    """Only a first set-up that has written something is undone: later, clients use its load balancer."""
    if setup.record(stage).state is not StageState.FAILED or setup.supervision.paused:
        return False
    wants = setup.supervision.on_failure is OnFailure.RESTORE and setup.is_touched
    return wants and setup.teardown is None and setup.requested is None and not setup.was_verified


def resting(setup: Setup, read_at: datetime) -> Setup:
    """Return a paused setup without a lease that has run out; the same one if there is none, or an effect.

    Nothing begins during the pause that would see that an execution has died.
    """
    lease = setup.lease
    if not is_paused(setup) or setup.effect is not None or lease is None or not lease.has_run_out(read_at):
        return setup
    has_lost_lease = setup.has_lost_lease or has_died(setup)
    return scheduled(replace(setup, lease=None, budgets=budgets_left(setup), has_lost_lease=has_lost_lease))


def _done(setup: Setup, stage: Stage, message: str, timing: Timing) -> Setup:
    now = timing.now
    if stage is Stage.PLAN_SETUP and setup.requested is not None:
        return planned(setup, now)
    began = setup.record(stage).started_at
    record = StageRecord(StageState.DONE, message=message, started_at=began, finished_at=now)
    done = replace(_with_record(setup, stage, record, now), budgets=budgets_after(setup, stage))
    if done.current is not None:
        return replace(done, wake_at=None, poll_at=now + ANNOUNCEMENT_RETRY_AFTER)
    ended = replace(done, wake_at=None, poll_at=None)
    if setup.teardown is not None:
        return replace(ended, verified_at=None, is_touched=False, check_at=None)
    return replace(ended, verified_at=now, check_at=_first_check(setup, timing))


def _looking_again(setup: Setup, stage: Stage, timing: Timing) -> Setup:
    """The way back is done, but for what an execution that died may have sent last.

    What the second look needs to take that back is still known.
    """
    record = replace(
        setup.record(stage),
        state=StageState.WAITING,
        reason=Reason.EXECUTION_LOST,
        message="looks once more for what an execution that died may have left",
        attempts=1,
        waiting_since=timing.now,
    )
    second = timing.now + SECOND_LOOK_AFTER * timing.scale
    waiting = _with_record(replace(setup, has_lost_lease=False), stage, record, timing.now)
    return replace(waiting, wake_at=second, poll_at=second)


def _first_check(setup: Setup, timing: Timing) -> datetime:
    """After a repair the old verdict is looked at again at once."""
    is_repair = setup.drift is not None and setup.drift.verdict is Verdict.DRIFTED
    return timing.now if is_repair else timing.now + check_delay(setup) * timing.scale


def _waiting(setup: Setup, stage: Stage, outcome: Waiting, timing: Timing) -> Setup:
    before = setup.record(stage)
    same = before.reason is outcome.reason and before.waiting_since is not None
    since = before.waiting_since if same and before.waiting_since else timing.now
    attempts = before.attempts + 1 if same else 1
    policy = outcome.reason.pace
    if timing.now - since >= policy.deadline * timing.scale:
        waited = f"{outcome.message} (gave up after {_words(timing.now - since)})"
        return _failed(setup, stage, Failed(outcome.reason, waited), timing.now)
    record = replace(
        before,
        state=StageState.WAITING,
        reason=outcome.reason,
        message=outcome.message,
        notice=outcome.notice or before.notice,
        attempts=attempts,
        waiting_since=since,
    )
    paced = timing.now + policy.delay(attempts) * timing.scale * spread(setup.setup_id)
    wake_at = paced if outcome.until is None else _opening(setup, timing.now)
    waiting = replace(_with_record(setup, stage, record, timing.now), wake_at=wake_at, poll_at=wake_at)
    if outcome.until is None:
        return waiting
    return replace(waiting, budgets=budgets_idle(setup, stage, timing.now))


def _opening(setup: Setup, now: datetime) -> datetime:
    """Return when the window begins; another one may have been asked for during the execution."""
    window = setup.supervision.maintenance_window
    return window.opening(now) if window else now


def _failed(setup: Setup, stage: Stage, outcome: Failed, now: datetime) -> Setup:
    if stage is Stage.PLAN_SETUP and setup.requested is not None:
        return refuse(setup, outcome, now)
    record = replace(
        setup.record(stage),
        state=StageState.FAILED,
        reason=outcome.reason,
        message=outcome.message,
        finished_at=now,
    )
    return replace(_with_record(setup, stage, record, now), wake_at=None, poll_at=None)


def to_be_torn_down(setup: Setup, wish: TearDown, now: datetime) -> Setup:
    """Return the setup of a new generation that is to be torn down, after any execution under way."""
    generation = setup.generation + 1
    turned = replace(
        setup,
        teardown=wish,
        requested=None,
        generation=generation,
        desired_generation=generation,
        run=1,
        stages={},
        budgets={} if is_at_rest(setup) else setup.budgets,
        facts=replace(setup.facts, checklist=()),
        wake_at=None,
        poll_at=now + ANNOUNCEMENT_RETRY_AFTER,
        check_at=None,
        drift=None,
        updated_at=now,
    )
    return after_lease(turned, now)


def _with_record(setup: Setup, stage: Stage, record: StageRecord, now: datetime) -> Setup:
    if stage is Stage.PLAN_SETUP and setup.requested is not None:
        return replace(setup, requested=replace(setup.requested, record=record), updated_at=now)
    stages: Mapping[Stage, StageRecord] = {**setup.stages, stage: record}
    return replace(setup, stages=stages, updated_at=now)


def _words(span: timedelta) -> str:
    minutes = round(span.total_seconds() / 60)
    return f"{minutes} min" if minutes < 120 else f"{round(minutes / 60)} h"
