"""What becomes of a setup when what was requested has been planned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.document import Refusal, Setup, StageRecord, StageState
from milvus_l7.domain.setup.outcome import Failed
from milvus_l7.domain.setup.schedule import ANNOUNCEMENT_RETRY_AFTER, is_at_rest
from milvus_l7.domain.setup.spending import budgets_after


def proposed(setup: Setup) -> Setup:
    """Return the setup as it would be worked for if what is requested were desired; for planning."""
    requested = setup.requested
    return setup if requested is None else replace(setup, desired=requested.desired, teardown=None)


def planned(setup: Setup, now: datetime) -> Setup:
    """What was requested becomes what is desired: its plan refuses nothing."""
    requested = setup.requested
    if requested is None:
        return setup
    record = replace(requested.record, state=StageState.DONE, reason=None, message="", finished_at=now)
    is_wanted_again = setup.teardown is not None
    is_of_a_later_one = setup.refusal is not None and setup.refusal.generation > requested.generation
    is_the_same = requested.desired == setup.desired and not is_wanted_again
    return replace(
        setup,
        desired=requested.desired,
        desired_generation=requested.generation,
        requested=None,
        refusal=setup.refusal if is_of_a_later_one else None,
        teardown=None,
        is_touched=setup.is_touched and not is_wanted_again,
        verified_at=None if is_wanted_again else setup.verified_at,
        stages={**(_waits(setup) if is_the_same else {}), Stage.PLAN_SETUP: record},
        budgets=budgets_after(setup, Stage.PLAN_SETUP),
        facts=replace(setup.facts, checklist=()),
        wake_at=None,
        poll_at=now + ANNOUNCEMENT_RETRY_AFTER,
        updated_at=now,
    )


def _waits(setup: Setup) -> Mapping[Stage, StageRecord]:
    """What the stages wait for, so that running them again for the same end prolongs no wait."""
    return {
        name: replace(record, state=StageState.PENDING)
        for name, record in setup.stages.items()
        if record.state in (StageState.WAITING, StageState.PENDING)
    }


def refuse(setup: Setup, outcome: Failed, now: datetime) -> Setup:
    """Return the setup after the plan refused its request: it goes on with what it had, if anything."""
    requested = setup.requested
    if requested is None:
        return setup
    refusal = Refusal(requested.generation, outcome.reason, outcome.message, now)
    kept = replace(
        setup,
        requested=None,
        refusal=refusal,
        budgets={stage: each for stage, each in setup.budgets.items() if stage is not Stage.PLAN_SETUP},
        wake_at=None,
        poll_at=None,
        updated_at=now,
    )
    if not setup.desired_generation:
        failed = replace(
            requested.record,
            state=StageState.FAILED,
            reason=outcome.reason,
            message=outcome.message,
            finished_at=now,
        )
        return replace(kept, desired=requested.desired, stages={Stage.PLAN_SETUP: failed})
    if is_at_rest(kept):
        return kept
    return replace(kept, poll_at=now + ANNOUNCEMENT_RETRY_AFTER)
