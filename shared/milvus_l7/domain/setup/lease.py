"""The lease: the right of one execution to change a setup, across generations.

It stores how long it lasts and the state store's own time of its beginning. It has run out when the *read
time* of a later read is past both and a margin: no process's clock decides, and nobody takes a lease away.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from milvus_l7.domain.setup.chain import Stage

# Between the end of a lease and the next execution. Writes fit into the lease (see `ports.fence`), so it only
# has to cover that clocks do not run equally fast.
LEASE_MARGIN = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Lease:
    """One execution's lease."""

    stage: Stage
    generation: int  # that the execution works for; results for another one are dropped
    execution: str  # names the execution; whoever finds its own name here holds the lease
    owner: str  # names the process, for people
    duration_s: float
    is_take_back: bool = False  # the execution settles an effect that another one of the stage began
    started_at: datetime | None = None  # by the state store's clock; None: it is to say
    is_settled: bool = False  # the execution has ended, but a write of it may still take effect

    def ends_at(self, now: datetime) -> datetime:
        """Return when another execution may begin; `now` stands for a beginning that is not known yet."""
        return (self.started_at or now) + timedelta(seconds=self.duration_s) + LEASE_MARGIN

    def has_run_out(self, read_at: datetime) -> bool:
        """Return whether another execution may begin, by the state store's time of a read."""
        return self.started_at is not None and read_at > self.ends_at(self.started_at)
