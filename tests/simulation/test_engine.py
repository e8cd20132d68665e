"""The whole engine under random crashes, duplicates, losses and reordering: it always ends verified."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from milvus_l7.application.engine.outbox import Outbox
from milvus_l7.application.engine.repoll import Repoll
from milvus_l7.application.engine.runner import Engine, Runner
from milvus_l7.application.request.accept_request import AcceptRequest
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.setup.chain import SETUP_STAGES, Stage
from milvus_l7.domain.setup.document import Setup, Status
from milvus_l7.domain.setup.event import Event
from milvus_l7.domain.setup.facts import Facts
from milvus_l7.domain.setup.outcome import Done, Outcome, Waiting
from milvus_l7.ports import Commit, Versioned
from tests.builders import TOPOLOGY, request
from tests.fakes.plans import FakePlans
from tests.fakes.state import FakeClock, FakeEvents, FakeSetups


class Killed(BaseException):
    """The process ended here."""


@dataclass
class Chance:
    """Kills the process at random calls, until `quiet`."""

    dice: random.Random
    quiet: bool = False

    def may_kill(self) -> None:
        if not self.quiet and self.dice.random() < 0.15:
            raise Killed


@dataclass
class MortalSetups(FakeSetups):
    chance: Chance = field(kw_only=True)

    def commit(self, commit: Commit) -> Versioned:
        self.chance.may_kill()
        written = super().commit(commit)
        self.chance.may_kill()
        return written

    def mark_published(self, event_id: str) -> None:
        self.chance.may_kill()
        super().mark_published(event_id)


@dataclass
class MortalEvents(FakeEvents):
    chance: Chance = field(kw_only=True)

    def publish(self, event: Event) -> None:
        self.chance.may_kill()
        super().publish(event)
        self.chance.may_kill()


@dataclass
class World:
    """Five functions, re-poll, and a bus that delivers at least once and in any order."""

    dice: random.Random

    def __post_init__(self) -> None:
        self.clock, self.chance = FakeClock(), Chance(self.dice)
        self.setups = MortalSetups(self.clock, chance=self.chance)
        self.events = MortalEvents(chance=self.chance)
        outbox = Outbox(self.setups, self.events)
        engine = Engine(self.setups, outbox, self.clock, TOPOLOGY, "simulation")
        self.runners = {TOPOLOGY.trigger(s): Runner(engine, s, self.work) for s in SETUP_STAGES}
        self.accept = AcceptRequest(outbox, FakePlans(), self.clock, TOPOLOGY)
        self.repoll = Repoll(outbox, self.clock, TOPOLOGY)
        self.finished: list[tuple[int, Stage]] = []

    def work(self, setup: Setup, now: datetime) -> Outcome:
        stage = setup.current
        assert stage is not None
        assert setup.lease is not None
        self.chance.may_kill()
        if not self.chance.quiet and self.dice.random() < 0.3:
            # A wait whose deadline no run of steps reaches: giving up is right, but not what is tested here.
            return Waiting(Reason.INGRESS_SYNC_FAILING, "not yet")
        return Done(Facts(address=f"{stage}"))

    def step(self) -> None:
        """One random thing happens. A delivery that died may or may not be made again."""
        try:
            if self.events.published and self.dice.random() < 0.8:
                event = self.dice.choice(self.events.published)
                if event.topic in self.runners:
                    self.runners[event.topic].handle(event)
            else:
                self.clock.advance(seconds=self.dice.choice([1, 30, 400]))
                self.repoll.handle()
        except Killed:
            pass

    def settle(self) -> None:
        """The weather calms down: only re-poll's wake-ups and new announcements are still delivered."""
        self.chance.quiet = True
        for _ in range(60):
            seen = len(self.events.published)
            self.clock.advance(minutes=11)
            self.repoll.handle()
            for event in self.events.published[seen:]:
                if event.topic in self.runners:
                    self.runners[event.topic].handle(event)


@given(st.integers(0, 2**32), st.integers(0, 60))
@settings(max_examples=200, deadline=None)
def test_setup_ends_verified_whatever_happened_before(seed: int, steps: int) -> None:
    world = World(random.Random(seed))
    for _ in range(20):
        try:
            world.accept.handle("m1", request())
            break
        except Killed:
            continue
    for _ in range(steps):
        world.step()
    world.settle()
    assert world.setups.only().status is Status.VERIFIED
    assert world.setups.outbox == {}


@given(st.integers(0, 2**32))
@settings(max_examples=100, deadline=None)
def test_each_stage_is_done_once_per_run(seed: int) -> None:
    world = World(random.Random(seed))
    world.chance.quiet = True
    world.accept.handle("m1", request())
    for _ in range(40):
        world.step()
    world.settle()
    done = [entry.stage for entry in world.setups.history if entry.outcome == "done"]
    assert done == list(SETUP_STAGES)
