"""What an execution under way may commit before its result."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from milvus_l7.domain.reasons.errors import LeaseLost
from milvus_l7.domain.setup.document import Setup
from milvus_l7.domain.setup.facts import Facts


def written_ahead(setup: Setup, execution: str, facts: Facts, *, begins_effect: bool, now: datetime) -> Setup:
    """Return the setup with what an execution is about to write; `LeaseLost` if it may not any more."""
    lease = setup.lease
    if lease is None or lease.execution != execution or lease.is_settled:
        raise LeaseLost(f"{setup.setup_id}: execution {execution} no longer holds the lease")
    if setup.generation_of(lease.stage) != lease.generation:
        raise LeaseLost(f"{setup.setup_id}: generation {lease.generation} is no longer worked for")
    effect = lease.stage if begins_effect else setup.effect
    return replace(setup, facts=facts, effect=effect, is_touched=True, updated_at=now)
