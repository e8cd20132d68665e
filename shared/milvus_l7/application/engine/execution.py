"""One execution under its lease: the fence before its writes, and what it stores before them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from milvus_l7.domain.reasons.errors import LeaseLost, StateConflict, StateUnavailable
from milvus_l7.domain.setup import write_ahead
from milvus_l7.domain.setup.document import Setup
from milvus_l7.domain.setup.facts import Facts
from milvus_l7.ports import Clock, Commit, Setups, Versioned

# Commits of one execution that may find the document changed (by a request, or by re-poll) before giving up.
CONFLICTS = 5


@dataclass(frozen=True, slots=True)
class Stopwatch:
    """How long ago it was started, by the larger of two clocks: either may stand still in a suspension."""

    clock: Clock
    wall: datetime
    monotonic: float

    @classmethod
    def started(cls, clock: Clock) -> Stopwatch:
        """Return one that starts now."""
        return cls(clock, clock.now(), clock.monotonic())

    def elapsed_s(self) -> float:
        """Return the seconds since the start."""
        wall = (self.clock.now() - self.wall).total_seconds()
        return max(wall, self.clock.monotonic() - self.monotonic)


@dataclass(slots=True)
class Execution:
    """Implements `Fence` and `WriteAhead` for the execution that holds the setup's lease.

    `watch` was started before the lease was asked for, so the lease lasts at least as long as it says.
    """

    setups: Setups
    held: Versioned  # as the execution last stored or read it
    watch: Stopwatch
    pace: float = 1.0  # of the embedded cloud, whose leases and calls are shorter in proportion
    name: str = field(default="", init=False)  # as the lease has it that was given to this execution
    generation: int = field(default=0, init=False)  # of the setup when the execution began
    lost_answer_until_s: float = field(default=0, init=False)  # by the watch

    def __post_init__(self) -> None:
        lease = self.held.setup.lease
        self.name = lease.execution if lease else ""
        self.generation = self.held.setup.generation

    @property
    def setup(self) -> Setup:
        """Return the setup as the execution last stored it."""
        return self.held.setup

    @property
    def lost_answer_s(self) -> float:
        """Return until when, by the watch, a write of ours may still take effect; 0 if none may now.

        The lease began after the watch was started, so it outlasts the write if it lasts so long.
        """
        return self.lost_answer_until_s if self.lost_answer_until_s > self.watch.elapsed_s() else 0

    def pass_write(self, may_take_s: float) -> None:
        """Return if the lease outlasts the write, and nothing newer was asked for; else raise `LeaseLost`."""
        self._check_lease(may_take_s)
        if self.setups.generation(self.setup.setup_id) != self.generation:
            raise LeaseLost(f"{self.setup.setup_id}: a newer request has come")
        if not self.setup.is_touched:
            self.record(self.setup.facts)
        self._check_lease(may_take_s)

    def lose_answer(self, limit_s: float) -> None:
        """Note that a write may still take effect for so long."""
        self.lost_answer_until_s = max(self.lost_answer_until_s, self.watch.elapsed_s() + limit_s * self.pace)

    def record(self, facts: Facts, *, begins_effect: bool = False) -> None:
        """Store the facts under the lease before what they are about is written."""
        known = self.setup
        if facts == known.facts and known.is_touched and not begins_effect:
            return
        for _ in range(CONFLICTS):
            now = self.watch.clock.now()
            ahead = write_ahead.written_ahead(
                self.setup, self.name, facts, begins_effect=begins_effect, now=now
            )
            try:
                self.held = self.setups.commit(Commit(ahead, self.held.version))
            except StateConflict:
                self._reload()
                continue
            return
        raise StateUnavailable(f"{self.setup.setup_id} keeps changing")

    def _check_lease(self, may_take_s: float) -> None:
        lease = self.setup.lease
        if (
            lease is None
            or lease.execution != self.name
            or self.watch.elapsed_s() + may_take_s * self.pace > lease.duration_s
        ):
            raise LeaseLost(
                f"{self.setup.setup_id}: the lease does not last as long as the next write may take"
            )

    def _reload(self) -> None:
        found = self.setups.load(self.setup.setup_id)
        if found is None:
            raise LeaseLost(f"{self.setup.setup_id}: the setup is gone")
        self.held = found
