"""Tell how old the last check of a verified setup is, and whether it is stale."""

from __future__ import annotations

from datetime import datetime, timedelta

from shared.domain.setup import Setup


def last_checked_at(setup: Setup) -> datetime | None:
    """Return when the setup was last checked: by a drift check, or by the verification if there was none."""
    return setup.drift.checked_at if setup.drift is not None else setup.verified_at


def is_stale(setup: Setup, now: datetime) -> bool:
    """Return whether the last check is older than two intervals, or there was none."""
    last = last_checked_at(setup)
    return last is None or now - last > 2 * timedelta(seconds=setup.supervision.interval_s)
