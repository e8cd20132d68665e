"""What starts a chain: a request, a tear-down request, a repair. Pure, as `domain.setup.transitions`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum, auto

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.request.request import SetupSpec, TearDownSpec
from milvus_l7.domain.setup.chain import TEARDOWN_STAGES
from milvus_l7.domain.setup.desired import Desired
from milvus_l7.domain.setup.document import (
    OrderMark,
    Requested,
    Setup,
    StageRecord,
    StageState,
    Status,
    TearDown,
)
from milvus_l7.domain.setup.schedule import ANNOUNCEMENT_RETRY_AFTER, after_lease, is_at_rest, scheduled
from milvus_l7.domain.setup.supervision import Supervision
from milvus_l7.domain.setup.transitions import to_be_torn_down

# A tear-down of an unknown setup is remembered for longer than Pub/Sub can keep an older set-up (31 d).
TOMBSTONE_KEPT = timedelta(days=40)


class Effect(Enum):
    """What registering a request did."""

    CREATED = auto()
    CHANGED = auto()  # new generation
    RESTARTED = auto()  # same generation, the chain runs again from its start
    WOKEN = auto()  # what waits is tried again at once, from the plan on; nothing is renewed
    ADJUSTED = auto()  # only how the setup is looked after; nothing runs
    BURIED = auto()  # there was nothing to tear down, and a tombstone says so
    SUPERSEDED = auto()  # a later request is accepted already
    NONE = auto()

    @property
    def starts_chain(self) -> bool:
        """Whether the current stage is to be triggered."""
        return self in (Effect.CREATED, Effect.CHANGED, Effect.RESTARTED, Effect.WOKEN)


@dataclass(frozen=True, slots=True)
class Arrival:
    """When a request came: by Pub/Sub's order, and by our clock."""

    mark: OrderMark
    now: datetime


def register(existing: Setup | None, spec: SetupSpec, arrival: Arrival) -> tuple[Setup, Effect]:
    """Return the setup after a request, and what the request did. The same message again does nothing.

    An unchanged request lets a chain that waits look at everything again, because what it waits for may be
    for an earlier stage to mend, and starts one that has ended again. A changed request is
    planned first, and becomes what is desired when its plan refuses nothing. A paused setup is registered
    and left alone; the request that ends the pause starts its chain.
    """
    if existing is None:
        return _unless_paused(_created(spec, arrival), Effect.CREATED)
    late = _late(existing, arrival.mark)
    if late is not None:
        return existing, late
    setup = _supervised(_accepting(existing, arrival), spec.supervision, arrival.now)
    if _is_changed(existing, spec.desired):
        return _unless_paused(_requested(setup, spec.desired, arrival.now), Effect.CHANGED)
    return _repeated(setup, existing.supervision, arrival.now)


def _repeated(setup: Setup, before: Supervision, now: datetime) -> tuple[Setup, Effect]:
    """An unchanged request, which may change how the setup is looked after."""
    is_resumed = before.paused and not setup.supervision.paused
    if _has_another_window(setup, before):
        return _woken(setup, now), Effect.WOKEN
    if setup.supervision.paused or (setup.supervision != before and not is_resumed):
        return _adjusted(setup, now), Effect.ADJUSTED
    if is_at_rest(setup):
        return _again(_new_run(setup, now), setup.generation, now), Effect.RESTARTED
    if setup.status is Status.WAITING and setup.requested is None and setup.effect is None:
        return _again(setup, setup.generation, now), Effect.WOKEN
    return _woken(setup, now), Effect.WOKEN


def _has_another_window(setup: Setup, before: Supervision) -> bool:
    """Whether the setup waits for a maintenance window that is no longer the one."""
    if setup.supervision.paused or setup.supervision.maintenance_window == before.maintenance_window:
        return False
    current = setup.current
    return current is not None and setup.record(current).reason is Reason.OUTSIDE_MAINTENANCE_WINDOW


def proposed(existing: Setup | None, spec: SetupSpec, now: datetime) -> Setup:
    """Return the setup as it would be after the request; for a dry run, which registers nothing."""
    if existing is None:
        return _created(spec, Arrival(OrderMark(now, ""), now))
    return replace(
        existing, desired=spec.desired, requested=None, teardown=None, supervision=spec.supervision
    )


def tear_down(existing: Setup, spec: TearDownSpec, arrival: Arrival) -> tuple[Setup, Effect]:
    """Return the setup after a tear-down request, and what the request did; see `register`.

    Asked for again, a tear-down that waits is woken, and one that failed or has ended is run again. One that
    must restore more, or a set-up requested in between, makes a new generation.
    """
    late = _late(existing, arrival.mark)
    if late is not None:
        return existing, late
    setup = replace(_accepting(existing, arrival), expires_at=None)
    same = setup.teardown is not None and setup.teardown.restore_l4 == spec.restore_l4
    if not same or setup.requested is not None:
        return to_be_torn_down(setup, TearDown(spec.restore_l4), arrival.now), Effect.CHANGED
    if is_at_rest(setup):
        fresh = _new_run(setup, arrival.now)
        again = replace(fresh, stages={}, poll_at=arrival.now + ANNOUNCEMENT_RETRY_AFTER)
        return after_lease(again, arrival.now), Effect.RESTARTED
    return _woken(setup, arrival.now), Effect.WOKEN


def bury(existing: Setup | None, spec: TearDownSpec, arrival: Arrival) -> tuple[Setup, Effect]:
    """Return what a tear-down of an unknown setup leaves: an older set-up that comes later changes nothing.

    `existing` is an earlier tombstone.
    """
    if existing is not None and existing.order >= arrival.mark:
        return existing, Effect.BURIED
    return _tombstone(spec, arrival), Effect.BURIED


def is_tombstone(setup: Setup) -> bool:
    """Return whether the setup only says that there was nothing to tear down."""
    return setup.expires_at is not None


def _tombstone(spec: TearDownSpec, arrival: Arrival) -> Setup:
    done = {stage: StageRecord(StageState.DONE, finished_at=arrival.now) for stage in TEARDOWN_STAGES}
    return Setup(
        spec.setup_id,
        spec.nothing_desired,
        created_at=arrival.now,
        updated_at=arrival.now,
        order=arrival.mark,
        desired_generation=1,
        stages=done,
        teardown=TearDown(spec.restore_l4),
        expires_at=arrival.now + TOMBSTONE_KEPT,
    )


def repair(setup: Setup, now: datetime) -> Setup:
    """Return the verified setup with its chain to be run again, its plan first; a run of its own.

    It goes on being checked for drift, whatever becomes of the repair, and what the last request was refused
    for stays known.
    """
    again = _again(_new_run(setup, now), setup.desired_generation, now)
    return replace(again, requested=again.requested and replace(again.requested, is_repair=True))


def _created(spec: SetupSpec, arrival: Arrival) -> Setup:
    return Setup(
        spec.desired.setup_id,
        spec.desired,
        created_at=arrival.now,
        updated_at=arrival.now,
        order=arrival.mark,
        requested=Requested(spec.desired, generation=1),
        poll_at=arrival.now + ANNOUNCEMENT_RETRY_AFTER,
        supervision=spec.supervision,
    )


def _late(existing: Setup, mark: OrderMark) -> Effect | None:
    """Return why the message changes nothing; None if it is the newest."""
    if mark.message_id == existing.order.message_id:
        return Effect.NONE
    return Effect.SUPERSEDED if mark < existing.order else None


def _accepting(existing: Setup, arrival: Arrival) -> Setup:
    """The setup with the message as its last request: nothing refused, and a repair now asked for."""
    requested = existing.requested and replace(existing.requested, is_repair=False)
    return replace(existing, order=arrival.mark, requested=requested, refusal=None, updated_at=arrival.now)


def _is_changed(existing: Setup, desired: Desired) -> bool:
    if existing.requested is not None:
        return desired != existing.requested.desired
    return desired != existing.desired or existing.teardown is not None


def _requested(setup: Setup, desired: Desired, now: datetime) -> Setup:
    """A new generation, planned before anything else; an execution under way ends first."""
    generation = setup.generation + 1
    rested = _new_run(setup, now) if is_at_rest(setup) else setup
    turned = replace(
        rested,
        generation=generation,
        run=1,
        requested=Requested(desired, generation),
        expires_at=None,
        wake_at=None,
        poll_at=now + ANNOUNCEMENT_RETRY_AFTER,
    )
    return after_lease(turned, now)


def _again(setup: Setup, generation: int, now: datetime) -> Setup:
    """What is desired once more, its plan first."""
    requested = Requested(setup.desired, generation)
    again = replace(setup, requested=requested, wake_at=None, poll_at=now + ANNOUNCEMENT_RETRY_AFTER)
    return after_lease(again, now)


def _new_run(setup: Setup, now: datetime) -> Setup:
    """A run with budgets and waits of its own. An effect that could not be taken back is tried again."""
    records = {
        stage: record
        for stage, record in setup.stages.items()
        if stage is not setup.effect and record.state is not StageState.PENDING
    }
    return replace(setup, run=setup.run + 1, budgets={}, stages=records, updated_at=now)


def _woken(setup: Setup, now: datetime) -> Setup:
    return after_lease(replace(setup, wake_at=None, poll_at=now + ANNOUNCEMENT_RETRY_AFTER), now)


def _supervised(setup: Setup, supervision: Supervision, now: datetime) -> Setup:
    """The setup looked after in another way. The time of a pause counts for no budget."""
    was, is_now = setup.supervision.paused, supervision.paused
    changed = replace(setup, supervision=supervision)
    if is_now and not was:
        return replace(changed, paused_at=now)
    if was and not is_now:  # an earlier release did not note when
        return _resumed(changed, now - (setup.paused_at or now), now)
    return changed


def _resumed(setup: Setup, paused: timedelta, now: datetime) -> Setup:
    budgets = {stage: budget.paused_for(paused, now) for stage, budget in setup.budgets.items()}
    stages = {stage: record.paused_for(paused) for stage, record in setup.stages.items()}
    requested = setup.requested and setup.requested.paused_for(paused)
    check_at = now if setup.was_verified else None
    return replace(
        setup, budgets=budgets, stages=stages, requested=requested, paused_at=None, check_at=check_at
    )


def _unless_paused(setup: Setup, effect: Effect) -> tuple[Setup, Effect]:
    return (scheduled(setup), Effect.ADJUSTED) if setup.supervision.paused else (setup, effect)


def _adjusted(setup: Setup, now: datetime) -> Setup:
    """A verified setup is checked at once under the new rules, unless it is paused."""
    check_at = now if setup.status is Status.VERIFIED else setup.check_at
    return scheduled(replace(setup, check_at=check_at))
