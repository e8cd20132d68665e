"""A run that another release stored, as one through the stages that this release knows.

    stored   a done            c waiting
    known    a done   b done   c waiting   d      b, new: a later one has begun, so this run is past it
                                                  d, new: still to come, so this run includes it

No document lists the stages that its release knew. The engine begins a stage only when all before it are
done, so one that is pending before one that has begun was not there; and whether all were done is in the
stored status. This stays true while functions of two releases write the same document in turn.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from milvus_l7.domain.setup.document import Setup, StageRecord, StageState

S = TypeVar("S", bound=str)

_PASSED = StageRecord(StageState.DONE)
_UNDER_WAY = (StageState.RUNNING, StageState.WAITING, StageState.FAILED)


def continued(
    stored: Mapping[str, StageRecord], order: Sequence[S], *, has_ended: bool
) -> dict[S, StageRecord]:
    """Return the records of a stored run for the stages in `order`, which are those that this release knows.

    `has_ended`: every stage that its release knew was done. The run then stays at its end, and the next one
    includes what was added. A stage that was done and is no longer known is forgotten; one that was under way
    leaves its record, and so its wait or failure, to the stage at which the run now stands.
    """
    records = {stage: stored[stage] for stage in order if stage in stored}
    passed = order if has_ended else _before_the_last_begun(records, order)
    records |= {stage: _PASSED for stage in passed if _state(records, stage) is StageState.PENDING}
    return records if has_ended else _with_heir(records, order, next(_under_way(stored, order), None))


def _before_the_last_begun(records: Mapping[S, StageRecord], order: Sequence[S]) -> Sequence[S]:
    begun = [at for at, stage in enumerate(order) if _state(records, stage) is not StageState.PENDING]
    return order[: begun[-1]] if begun else ()


def _under_way(stored: Mapping[str, StageRecord], order: Sequence[str]) -> Iterator[StageRecord]:
    """Yield the record of the stage under way, if this release does not know it."""
    return (each for stage, each in stored.items() if stage not in order and each.state in _UNDER_WAY)


def _with_heir(
    records: dict[S, StageRecord], order: Sequence[S], left: StageRecord | None
) -> dict[S, StageRecord]:
    """Keep a run from ending by being read: if all that is known is done, the last stage runs again."""
    heir = next((stage for stage in order if _state(records, stage) is not StageState.DONE), order[-1])
    if left is not None:
        return {**records, heir: left}
    if _state(records, heir) is StageState.DONE:
        return {stage: record for stage, record in records.items() if stage != heir}
    return records


def _state(records: Mapping[S, StageRecord], stage: S) -> StageState:
    return records[stage].state if stage in records else StageState.PENDING


def barred(setup: Setup) -> Setup:
    """Return the setup with its lease, which is on a stage that this release does not know, where it stands.

    Until it runs out nothing else begins, because its execution may still write to the cluster. It counts as
    settled, so that the execution cannot settle a stage that it has not run.
    """
    if setup.lease is None:
        return setup
    stage = setup.current or setup.chain[-1]
    return replace(setup, lease=replace(setup.lease, stage=stage, is_settled=True))
