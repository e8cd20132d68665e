"""What one stage may spend in one run: a time, a number of executions, a number of those that die.

A run begins only from a setup at rest (verified, failed, torn down) or with a repair. Neither a change of
reasons, nor a crash, nor a request in between renews anything. Time counts only while the stage has work to
do, and not during a pause, nor while it waits for a moment that is known, such as a maintenance window's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

# Longer than the longest wait for one reason (24 h, `reasons.retry_policy`), for reasons that take turns.
DEADLINE = timedelta(hours=36)
ATTEMPTS = 600  # a wait of 24 h at the slowest pace takes 150, one of 12 h for a certificate 370
CRASHES = 10  # executions that end without a result


@dataclass(frozen=True, slots=True)
class Budget:
    """What a stage has spent."""

    started_at: datetime | None = None  # None: the stage has no work to do
    attempts: int = 0
    crashes: int = 0
    idle_since: datetime | None = None  # when it began to wait for a moment which is known; None: it does not

    def begun(self, now: datetime) -> Budget:
        """Return the budget with one more execution; the time that it was idle has cost nothing."""
        idle = max(now - self.idle_since, timedelta()) if self.idle_since else timedelta()
        started_at = self.started_at + idle if self.started_at else now
        return replace(self, started_at=started_at, attempts=self.attempts + 1, idle_since=None)

    def idle(self, now: datetime) -> Budget:
        """Return the budget of a stage that has nothing to do before a moment which is known."""
        return replace(self, idle_since=now)

    def done(self) -> Budget:
        """Return the budget once the stage has done its work; if asked for again, its time begins anew."""
        return replace(self, started_at=None)

    def crashed(self) -> Budget:
        """Return the budget after an execution that ended without a result."""
        return replace(self, crashes=self.crashes + 1)

    def paused_for(self, span: timedelta, now: datetime) -> Budget:
        """Return the budget without the time of a pause that ends now; it may have begun during the pause."""
        if self.idle_since is not None:
            return self
        return replace(self, started_at=self.started_at and min(self.started_at + span, now))

    def exhausted(self, now: datetime, scale: float = 1.0) -> str | None:
        """Return what there is no more of, in words; None while there is some left."""
        if self.crashes >= CRASHES:
            return f"{self.crashes} executions ended without a result"
        if self.attempts >= ATTEMPTS:
            return f"gave up after {self.attempts} executions"
        spent = (self.idle_since or now) - self.started_at if self.started_at else timedelta()
        return f"gave up after {round(spent / timedelta(hours=1))} h" if spent >= DEADLINE * scale else None
