"""The setup state machine: pure steps from one state document to the next.

request --register--> pending --begin--> running --settle--> done | waiting | failed
                                 ^                              |
                                 +---- wake-up, lease expiry ---+

`register` and the other ways to start a chain are in `domain.request.registration`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum, auto

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import LeaseLost
from milvus_l7.domain.reasons.retry_policy import spread
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.document import Cause, Lease, Setup, StageRecord, StageState, TearDown
from milvus_l7.domain.setup.event import Event
from milvus_l7.domain.setup.outcome import Failed, Outcome, Waiting
from milvus_l7.domain.setup.supervision import OnFailure

# If an announcement is not followed by a start within this time, re-poll repeats it.
ANNOUNCEMENT_RETRY_AFTER = timedelta(minutes=10)
# A wake-up that was published but not acted upon is published again after this time.
WAKE_UP_RETRY_AFTER = timedelta(minutes=2)


class Admission(Enum):
    """What to do with an event that asks for a stage."""

    RUN = auto()
    REPEAT = auto()  # done before, but the next stage has not begun: announce again
    STALE = auto()  # of an earlier generation
    EARLY = auto()  # an earlier stage is not done
    NOT_DUE = auto()  # waiting, and its time has not come
    BUSY = auto()  # another execution holds the lease; re-poll looks after it
    FINISHED = auto()  # done, and known to be; or failed
    PAUSED = auto()  # the user wants nothing done


def admit(setup: Setup, stage: Stage, event: Event, now: datetime) -> Admission:  # noqa: PLR0911
    """Whether the event starts the stage now. Everything but RUN and REPEAT is acknowledged and ignored."""
    if event.generation != setup.generation or stage not in setup.chain:
        return Admission.STALE
    if is_paused(setup):
        return Admission.PAUSED
    record = setup.record(stage)
    if record.state is StageState.DONE:
        following = stage.following
        unbegun = following is not None and setup.record(following).state is StageState.PENDING
        return Admission.REPEAT if unbegun else Admission.FINISHED
    if record.state is StageState.FAILED:
        return Admission.FINISHED
    if setup.current is not stage:
        return Admission.EARLY
    if setup.lease is not None and setup.lease.expires_at > now:
        return Admission.BUSY
    if setup.wake_at is not None and setup.wake_at > now:
        return Admission.NOT_DUE
    return Admission.RUN


def begin(setup: Setup, stage: Stage, owner: str, lease_s: float, now: datetime) -> Setup:
    """The setup with the stage running under a new lease; re-poll acts if nobody settles it in time."""
    token = setup.token + 1
    lease = Lease(stage, token, owner, now + timedelta(seconds=lease_s))
    record = setup.record(stage)
    running = replace(record, state=StageState.RUNNING, started_at=record.started_at or now)
    return replace(
        _with_record(setup, stage, running, now),
        token=token,
        lease=lease,
        wake_at=None,
        poll_at=lease.expires_at,
    )


@dataclass(frozen=True, slots=True)
class Timing:
    """The moment, and the factor on all waiting times (1 in production; the embedded cloud is quicker)."""

    now: datetime
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class Settled:
    """The setup with the stage's result, and what becomes of it: another one if a way back begins."""

    ended: Setup
    setup: Setup

    @property
    def begins_way_back(self) -> bool:
        """Whether the failure of the stage starts a tear-down."""
        return self.setup is not self.ended


def settle(setup: Setup, token: int, outcome: Outcome, timing: Timing) -> Settled:
    """The setup after the execution that holds `token` ended; `LeaseLost` if that is no longer the lease."""
    if setup.lease is None or setup.lease.token != token:
        raise LeaseLost(f"{setup.setup_id}: token {token} is no longer the current one ({setup.token})")
    stage = setup.lease.stage
    freed = replace(setup, lease=None, facts=outcome.facts or setup.facts)
    ended = scheduled(_ended(freed, stage, outcome, timing))
    if not _is_to_be_restored(ended, stage):
        return Settled(ended, ended)
    record = ended.record(stage)
    cause = Cause(stage, record.reason or Reason.INTERNAL_ERROR, record.message)
    return Settled(ended, to_be_torn_down(ended, TearDown(restore_l4=True, cause=cause), timing.now))


def _ended(setup: Setup, stage: Stage, outcome: Outcome, timing: Timing) -> Setup:
    if isinstance(outcome, Waiting):
        return _waiting(setup, stage, outcome, timing)
    if isinstance(outcome, Failed):
        return _failed(setup, stage, outcome, timing.now)
    return _done(setup, stage, timing)


def _is_to_be_restored(setup: Setup, stage: Stage) -> bool:
    """Only a first set-up is undone: once a setup was verified, clients use its load balancer."""
    if setup.record(stage).state is not StageState.FAILED or setup.supervision.paused:
        return False
    wants = setup.supervision.on_failure is OnFailure.RESTORE
    return wants and setup.teardown is None and not setup.was_verified


def is_paused(setup: Setup) -> bool:
    """Whether nothing may be done: the user has paused the setup, and asked for no tear-down since."""
    return setup.supervision.paused and setup.teardown is None


def scheduled(setup: Setup) -> Setup:
    """The setup without times to look at it again, if it is paused."""
    return replace(setup, wake_at=None, poll_at=None, check_at=None) if is_paused(setup) else setup


def _done(setup: Setup, stage: Stage, timing: Timing) -> Setup:
    now = timing.now
    record = StageRecord(StageState.DONE, started_at=setup.record(stage).started_at, finished_at=now)
    done = _with_record(setup, stage, record, now)
    if stage.following is not None:
        return replace(done, wake_at=None, poll_at=now + ANNOUNCEMENT_RETRY_AFTER)
    ended = replace(done, wake_at=None, poll_at=None)
    if setup.teardown is not None:
        return replace(ended, verified_at=None)
    check_at = now + check_delay(setup) * timing.scale
    return replace(ended, verified_at=now, check_at=check_at)


def check_delay(setup: Setup) -> timedelta:
    """Time until the next drift check. Setups drift apart, so that they are not all checked in one tick."""
    return timedelta(seconds=setup.supervision.interval_s) * spread(setup.setup_id)


def _waiting(setup: Setup, stage: Stage, outcome: Waiting, timing: Timing) -> Setup:
    before = setup.record(stage)
    same = before.reason is outcome.reason and before.waiting_since is not None
    since = before.waiting_since if same and before.waiting_since else timing.now
    looks = before.looks + 1 if same else 1
    pace = outcome.reason.pace
    if timing.now - since >= pace.deadline * timing.scale:
        waited = f"{outcome.message} (gave up after {_words(timing.now - since)})"
        return _failed(setup, stage, Failed(outcome.reason, waited), timing.now)
    record = replace(
        before,
        state=StageState.WAITING,
        reason=outcome.reason,
        message=outcome.message,
        looks=looks,
        waiting_since=since,
    )
    wake_at = timing.now + pace.delay(looks) * timing.scale * spread(setup.setup_id)
    return replace(_with_record(setup, stage, record, timing.now), wake_at=wake_at, poll_at=wake_at)


def _failed(setup: Setup, stage: Stage, outcome: Failed, now: datetime) -> Setup:
    record = replace(
        setup.record(stage),
        state=StageState.FAILED,
        reason=outcome.reason,
        message=outcome.message,
        finished_at=now,
    )
    return replace(_with_record(setup, stage, record, now), wake_at=None, poll_at=None)


def to_be_torn_down(setup: Setup, wish: TearDown, now: datetime) -> Setup:
    """The setup of a new generation that takes it away. Executions that are under way commit nothing."""
    turned = restarted(replace(setup, teardown=wish, generation=setup.generation + 1, run=1), now)
    return after(setup.lease, turned, now)


def after(lease: Lease | None, setup: Setup, now: datetime) -> Setup:
    """The setup, to begin when an execution in the other direction, which may still write, has ended."""
    if lease is None or lease.expires_at <= now or is_paused(setup):
        return setup
    return replace(setup, wake_at=lease.expires_at, poll_at=lease.expires_at)


def restarted(setup: Setup, now: datetime) -> Setup:
    """All stages pending again. The token grows, so an execution that is under way can no longer commit."""
    fresh = replace(
        setup,
        stages={},
        facts=replace(setup.facts, checklist=()),
        lease=None,
        token=setup.token + 1,
        wake_at=None,
        poll_at=now + ANNOUNCEMENT_RETRY_AFTER,
        check_at=None,
        drift=None,
        updated_at=now,
    )
    return scheduled(fresh)


def _with_record(setup: Setup, stage: Stage, record: StageRecord, now: datetime) -> Setup:
    stages: Mapping[Stage, StageRecord] = {**setup.stages, stage: record}
    return replace(setup, stages=stages, updated_at=now)


def _words(span: timedelta) -> str:
    minutes = round(span.total_seconds() / 60)
    return f"{minutes} min" if minutes < 120 else f"{round(minutes / 60)} h"
