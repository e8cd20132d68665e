"""Tell how old the last check of a verified setup is, and whether it is stale."""

from __future__ import annotations

from datetime import datetime, timedelta

from milvus_l7.domain.setup.document import Setup, Status


def last_checked_at(setup: Setup) -> datetime | None:
    """Return when the setup was last checked: by a drift check, or by the verification if there was none."""
    return setup.drift.checked_at if setup.drift is not None else setup.verified_at


def is_stale(setup: Setup, now: datetime) -> bool:
    """Return whether the last check is older than two intervals, or there was none."""
    last = last_checked_at(setup)
    return last is None or now - last > 2 * timedelta(seconds=setup.supervision.interval_s)


def awaits_check(setup: Setup) -> bool:
    """Return whether a verified setup has changed since its last check, so that another is due.

    That is after a request that changes only its supervision, and after a repair; a refused request changes
    nothing.
    """
    last = last_checked_at(setup)
    is_settled = setup.status is Status.VERIFIED and setup.refusal is None
    return is_settled and last is not None and last < setup.updated_at


def is_repaired_unchecked(setup: Setup) -> bool:
    """Return whether a run has verified the setup since its last drift report, which is about before."""
    report, verified_at = setup.drift, setup.verified_at
    if setup.status is not Status.VERIFIED or report is None or verified_at is None:
        return False
    return report.checked_at < verified_at
