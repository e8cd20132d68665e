"""What starts a chain: a request, a tear-down request, a repair. Pure, as `domain.setup.transitions`."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from enum import Enum, auto

from milvus_l7.domain.request.request import SetupSpec, TearDownSpec
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.document import Setup, StageState, Status, TearDown
from milvus_l7.domain.setup.transitions import (
    ANNOUNCEMENT_RETRY_AFTER,
    after,
    restarted,
    scheduled,
    to_be_torn_down,
)

# States in which publishing again means: look at everything now.
_AT_REST = (Status.WAITING, Status.FAILED, Status.VERIFIED, Status.TORN_DOWN)


class Effect(Enum):
    """What registering a request did."""

    CREATED = auto()
    CHANGED = auto()  # new generation
    RESTARTED = auto()  # same generation, the chain runs again from its start
    ADJUSTED = auto()  # only how the setup is looked after; nothing runs
    NONE = auto()

    @property
    def starts_chain(self) -> bool:
        """Whether the first stage is to be triggered."""
        return self in (Effect.CREATED, Effect.CHANGED, Effect.RESTARTED)


def register(existing: Setup | None, wish: SetupSpec, request_id: str, now: datetime) -> tuple[Setup, Effect]:
    """The setup after a request, and what the request did. The same request id again does nothing.

    An unchanged request leaves a running chain alone, and starts one that waits or has ended again: whoever
    publishes it once more wants everything to be looked at now. A paused setup is registered and left alone;
    the request that ends the pause starts its chain.
    """
    desired, supervision = wish.desired, wish.supervision
    if existing is None:
        created = Setup(
            desired.setup_id,
            desired,
            created_at=now,
            updated_at=now,
            request_id=request_id,
            poll_at=now + ANNOUNCEMENT_RETRY_AFTER,
            supervision=supervision,
        )
        return _unless_paused(created, Effect.CREATED)
    if existing.request_id == request_id:
        return existing, Effect.NONE
    setup = replace(existing, request_id=request_id, updated_at=now, supervision=supervision)
    if desired != existing.desired or existing.teardown is not None:
        changed = replace(setup, desired=desired, generation=setup.generation + 1, run=1, teardown=None)
        turned = restarted(changed, now)
        if existing.teardown is not None:
            turned = after(existing.lease, turned, now)
        return _unless_paused(turned, Effect.CHANGED)
    if supervision != existing.supervision and not existing.supervision.paused:
        return _adjusted(setup, now)
    if setup.status in _AT_REST or existing.supervision.paused:
        return _unless_paused(restarted(replace(setup, run=setup.run + 1), now), Effect.RESTARTED)
    return setup, Effect.NONE


def _unless_paused(setup: Setup, effect: Effect) -> tuple[Setup, Effect]:
    return (scheduled(setup), Effect.ADJUSTED) if setup.supervision.paused else (setup, effect)


def _adjusted(setup: Setup, now: datetime) -> tuple[Setup, Effect]:
    """A verified setup is checked at once under the new rules."""
    check_at = now if setup.status is Status.VERIFIED else setup.check_at
    return scheduled(replace(setup, check_at=check_at)), Effect.ADJUSTED


def tear_down(existing: Setup, wish: TearDownSpec, request_id: str, now: datetime) -> tuple[Setup, Effect]:
    """The setup after a tear-down request, and what the request did; see `register`.

    Asked for again, a tear-down that runs is left alone, and one that waits, failed or has ended is run
    again. A tear-down that restores more, or a set-up in between, makes a new generation.
    """
    if existing.request_id == request_id:
        return existing, Effect.NONE
    setup = replace(existing, request_id=request_id, updated_at=now)
    if setup.teardown is None or setup.teardown.restore_l4 != wish.restore_l4:
        return to_be_torn_down(setup, TearDown(wish.restore_l4), now), Effect.CHANGED
    if setup.status in _AT_REST:
        return restarted(replace(setup, run=setup.run + 1), now), Effect.RESTARTED
    return setup, Effect.NONE


def repair(setup: Setup, first: Stage, now: datetime) -> Setup:
    """The verified setup with its chain to be run again from `first`; earlier stages stay done."""
    stages = {
        stage: record
        for stage, record in setup.stages.items()
        if stage in first.earlier and record.state is StageState.DONE
    }
    again = replace(setup, stages=stages, run=setup.run + 1, token=setup.token + 1)
    return replace(again, poll_at=now + ANNOUNCEMENT_RETRY_AFTER, check_at=None, updated_at=now)
