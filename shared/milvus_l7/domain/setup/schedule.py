"""When a setup is looked at again, and what keeps it from being looked at."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from milvus_l7.domain.reasons.retry_policy import spread
from milvus_l7.domain.setup.document import Setup, Status

# If an announcement is not followed by a start within this time, re-poll repeats it.
ANNOUNCEMENT_RETRY_AFTER = timedelta(minutes=10)
# A wake-up that was published but not acted upon is published again after this time.
WAKE_UP_RETRY_AFTER = timedelta(minutes=2)

# States from which a run begins, with budgets of its own.
AT_REST = (Status.FAILED, Status.VERIFIED, Status.TORN_DOWN)


def is_at_rest(setup: Setup) -> bool:
    """Return whether nothing runs or waits to run, so that a new run may begin."""
    return setup.status in AT_REST


def is_paused(setup: Setup) -> bool:
    """Return whether nothing may be done: the user has paused the setup, and asked for no tear-down since."""
    return setup.supervision.paused and (setup.teardown is None or setup.requested is not None)


def scheduled(setup: Setup) -> Setup:
    """Return the setup without times to look at it again, if it is paused with nothing left half-done."""
    if not is_paused(setup) or setup.effect is not None or setup.lease is not None:
        return setup
    return replace(setup, wake_at=None, poll_at=None, check_at=None)


def after_lease(setup: Setup, now: datetime) -> Setup:
    """Return the setup, to be looked at when the lease of an execution under way ends, if not before."""
    if setup.lease is None or setup.poll_at is None:
        return setup
    return replace(setup, poll_at=min(setup.poll_at, setup.lease.ends_at(now)))


def not_before_lease(setup: Setup) -> Setup:
    """A lease that runs on lets nothing begin before its end."""
    if setup.lease is None or setup.poll_at is None:
        return setup
    end = setup.lease.ends_at(setup.updated_at)
    wake_at = max(setup.wake_at, end) if setup.wake_at else end
    return replace(setup, wake_at=wake_at, poll_at=max(setup.poll_at, end))


def check_delay(setup: Setup) -> timedelta:
    """Return the time until the next drift check; setups drift apart, so that one tick does not get all."""
    return timedelta(seconds=setup.supervision.interval_s) * spread(setup.setup_id)
