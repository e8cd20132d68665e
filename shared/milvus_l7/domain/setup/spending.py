"""What the stages of a run have spent of their budgets, an execution that has died included."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from milvus_l7.domain.setup.budget import Budget
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.document import Setup


def has_died(setup: Setup) -> bool:
    """Return whether the lease, which has run out, did so unsettled."""
    return setup.lease is not None and not setup.lease.is_settled


def budgets_left(setup: Setup) -> Mapping[Stage, Budget]:
    """Return the budgets; a lease that has run out unsettled is a crash of its own stage."""
    lease = setup.lease
    if lease is None or lease.is_settled or lease.stage not in setup.budgets:
        return setup.budgets
    return {**setup.budgets, lease.stage: setup.budgets[lease.stage].crashed()}


def budget_left(setup: Setup, stage: Stage) -> Budget:
    """Return what the stage has spent so far."""
    return budgets_left(setup).get(stage, Budget())


def budgets_after(setup: Setup, stage: Stage) -> Mapping[Stage, Budget]:
    """Return the budgets once the stage has done its work."""
    return {**setup.budgets, stage: setup.budgets.get(stage, Budget()).done()}


def budgets_idle(setup: Setup, stage: Stage, now: datetime) -> Mapping[Stage, Budget]:
    """Return the budgets when the stage has nothing to do before a moment which is known."""
    return {**setup.budgets, stage: setup.budgets.get(stage, Budget()).idle(now)}
