"""The setup state machine: pure steps from one state document to the next.

request --register--> pending --begin--> running --settle--> done | waiting | failed
                                 ^                              |
                                 +---- wake-up, lease expiry ---+
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum, auto

from shared.domain.backoff import spread
from shared.domain.chain import ORDER, Stage
from shared.domain.errors import LeaseLost
from shared.domain.event import Event
from shared.domain.outcome import Failed, Outcome, Waiting
from shared.domain.setup import Desired, Lease, Setup, StageRecord, StageState, Status

# If an announcement is not followed by a start within this time, re-poll repeats it.
HANDOVER = timedelta(minutes=10)
# A wake-up that was published but not acted upon is published again after this time.
WAKE_UP_PATIENCE = timedelta(minutes=2)


class Effect(Enum):
    """What registering a request did."""

    CREATED = auto()
    CHANGED = auto()  # new generation
    RESTARTED = auto()  # same generation, the chain runs again from its start
    NONE = auto()


def register(
    existing: Setup | None, desired: Desired, request_id: str, now: datetime
) -> tuple[Setup, Effect]:
    """The setup after a request, and what the request did. The same request id again does nothing.

    An unchanged request leaves a running chain alone, and starts one that waits or has ended again: whoever
    publishes it once more wants everything to be looked at now.
    """
    if existing is None:
        created = Setup(desired.setup_id, desired, created_at=now, updated_at=now, request_id=request_id)
        return replace(created, poll_at=now + HANDOVER), Effect.CREATED
    if existing.request_id == request_id:
        return existing, Effect.NONE
    setup = replace(existing, request_id=request_id, updated_at=now)
    if desired != existing.desired:
        changed = replace(setup, desired=desired, generation=setup.generation + 1, run=1)
        return _restarted(changed, now), Effect.CHANGED
    if setup.status in (Status.WAITING, Status.FAILED, Status.VERIFIED):
        return _restarted(replace(setup, run=setup.run + 1), now), Effect.RESTARTED
    return setup, Effect.NONE


def _restarted(setup: Setup, now: datetime) -> Setup:
    """All stages pending again. The token grows, so an execution that is under way can no longer commit."""
    facts = replace(setup.facts, checklist=())
    return replace(
        setup, stages={}, facts=facts, lease=None, token=setup.token + 1, wake_at=None, poll_at=now + HANDOVER
    )


class Admission(Enum):
    """What to do with an event that asks for a stage."""

    RUN = auto()
    REPEAT = auto()  # done before, but the next stage has not begun: announce again
    STALE = auto()  # of an earlier generation
    EARLY = auto()  # an earlier stage is not done
    NOT_DUE = auto()  # waiting, and its time has not come
    BUSY = auto()  # another execution holds the lease; re-poll looks after it
    FINISHED = auto()  # done, and known to be; or failed


def admit(setup: Setup, stage: Stage, event: Event, now: datetime) -> Admission:  # noqa: PLR0911
    """Whether the event starts the stage now. Everything but RUN and REPEAT is acknowledged and ignored."""
    if event.generation != setup.generation:
        return Admission.STALE
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


def settle(setup: Setup, token: int, outcome: Outcome, timing: Timing) -> Setup:
    """The setup after the execution that holds `token` ended; `LeaseLost` if that is no longer the lease."""
    if setup.lease is None or setup.lease.token != token:
        raise LeaseLost(f"{setup.setup_id}: token {token} is no longer the current one ({setup.token})")
    stage = setup.lease.stage
    freed = replace(setup, lease=None, facts=outcome.facts or setup.facts)
    if isinstance(outcome, Waiting):
        return _waiting(freed, stage, outcome, timing)
    if isinstance(outcome, Failed):
        return _failed(freed, stage, outcome, timing.now)
    return _done(freed, stage, timing.now)


def _done(setup: Setup, stage: Stage, now: datetime) -> Setup:
    record = StageRecord(StageState.DONE, started_at=setup.record(stage).started_at, finished_at=now)
    done = _with_record(setup, stage, record, now)
    if stage is ORDER[-1]:
        return replace(done, wake_at=None, poll_at=None, verified_at=now)
    return replace(done, wake_at=None, poll_at=now + HANDOVER)


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


def _with_record(setup: Setup, stage: Stage, record: StageRecord, now: datetime) -> Setup:
    stages: Mapping[Stage, StageRecord] = {**setup.stages, stage: record}
    return replace(setup, stages=stages, updated_at=now)


def _words(span: timedelta) -> str:
    minutes = round(span.total_seconds() / 60)
    return f"{minutes} min" if minutes < 120 else f"{round(minutes / 60)} h"


def is_due(setup: Setup, now: datetime) -> bool:
    """Whether re-poll must act: the setup is unfinished and its `poll_at` has come."""
    return setup.poll_at is not None and setup.poll_at <= now and setup.current is not None
