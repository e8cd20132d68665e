"""Whether an event starts its stage now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.document import Setup, StageState
from milvus_l7.domain.setup.event import Event
from milvus_l7.domain.setup.schedule import is_paused
from milvus_l7.domain.setup.spending import budget_left


class Admission(Enum):
    """What to do with an event that asks for a stage."""

    RUN = auto()
    REPEAT = auto()  # done before, but the next stage has not begun: announce again
    STALE = auto()  # of another generation than the stage is to work for
    EARLY = auto()  # an earlier stage is not done, or a request is to be planned first
    NOT_DUE = auto()  # waiting, and its time has not come
    BUSY = auto()  # another execution holds the lease; re-poll looks after it
    FINISHED = auto()  # done, and known to be; or failed
    PAUSED = auto()  # the user wants nothing done
    EXHAUSTED = auto()  # the run has spent what it may on the stage


@dataclass(frozen=True, slots=True)
class Moment:
    """When an event is looked at: by our clock, and by the state store's, which leases go by."""

    now: datetime
    read_at: datetime
    scale: float = 1.0


def admit(setup: Setup, stage: Stage, event: Event, moment: Moment) -> Admission:  # noqa: PLR0911
    """Return whether the event starts the stage now; all but RUN, REPEAT and EXHAUSTED is acknowledged."""
    if event.generation != setup.generation_of(stage):
        return Admission.STALE
    if is_paused(setup) and setup.effect is None:
        return Admission.PAUSED
    if setup.current is not stage:
        return _passed(setup, stage)
    if setup.record(stage).state is StageState.FAILED:
        return Admission.FINISHED
    if setup.lease is not None and not setup.lease.has_run_out(moment.read_at):
        return Admission.BUSY
    if setup.wake_at is not None and setup.wake_at > moment.now:
        return Admission.NOT_DUE
    budget = budget_left(setup, stage)
    return Admission.EXHAUSTED if budget.exhausted(moment.now, moment.scale) else Admission.RUN


def _passed(setup: Setup, stage: Stage) -> Admission:
    """Return what becomes of an event for a stage that is not the current one."""
    if stage not in setup.chain:
        return Admission.STALE
    if setup.record(stage).state is not StageState.DONE or setup.requested is not None:
        return Admission.EARLY
    following = stage.following
    is_unbegun = following is not None and setup.record(following).state is StageState.PENDING
    return Admission.REPEAT if is_unbegun and setup.current is following else Admission.FINISHED
