"""How old the last look at a verified setup is, and whether it still says anything."""

from __future__ import annotations

from datetime import datetime, timedelta

from milvus_l7.domain.setup.document import Setup


def looked_at(setup: Setup) -> datetime | None:
    """When the setup was last known to be looked at: by a drift check, or by the verification before any."""
    return setup.drift.checked_at if setup.drift is not None else setup.verified_at


def is_stale(setup: Setup, now: datetime) -> bool:
    """Whether the last look, if any, is older than two intervals: it says nothing of the present."""
    last = looked_at(setup)
    return last is None or now - last > 2 * timedelta(seconds=setup.supervision.interval_s)
