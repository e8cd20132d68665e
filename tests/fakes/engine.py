"""A whole engine on fakes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from milvus_l7.application.engine.execution import Execution
from milvus_l7.application.engine.outbox import Outbox
from milvus_l7.application.engine.repoll import Repoll
from milvus_l7.application.engine.runner import Engine, Runner
from milvus_l7.application.request.accept_request import AcceptRequest
from milvus_l7.application.request.accept_tear_down import AcceptTearDown
from milvus_l7.domain.request.registration import Effect
from milvus_l7.domain.request.rejection import Rejection
from milvus_l7.domain.setup.admission import Admission
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.document import OrderMark, Setup
from milvus_l7.domain.setup.event import Event
from milvus_l7.domain.setup.facts import Facts
from milvus_l7.domain.setup.outcome import Done, Outcome
from tests.builders import CLUSTER, TOPOLOGY
from tests.fakes.plans import FakePlans
from tests.fakes.state import FakeClock, FakeEvents, FakeSetups


@dataclass
class ScriptedWork:
    """A stage that plays outcomes (or raises errors) from a script, then is done."""

    script: list[Outcome | BaseException] = field(default_factory=list)
    runs: int = 0

    def __call__(self, setup: Setup, now: datetime) -> Outcome:
        self.runs += 1
        step = self.script.pop(0) if self.script else Done()
        if isinstance(step, BaseException):
            raise step
        return step


@dataclass
class During(ScriptedWork):
    """A stage during which something happens, then plays its script."""

    happening: Callable[[], object] = lambda: None

    def __call__(self, setup: Setup, now: datetime) -> Outcome:
        self.happening()
        return super().__call__(setup, now)


class Interrupted(ScriptedWork):
    """A stage that begins an effect, and then plays its script."""

    def after(self, execution: Execution) -> ScriptedWork:
        execution.record(Facts(address="192.0.2.1"), begins_effect=True)
        return self


@dataclass
class FakeEngine:
    """State, bus, clock and use cases that share them."""

    clock: FakeClock = field(default_factory=FakeClock)
    events: FakeEvents = field(default_factory=FakeEvents)

    def __post_init__(self) -> None:
        self.setups = FakeSetups(self.clock)
        self.outbox = Outbox(self.setups, self.events)
        self.engine = Engine(self.setups, self.outbox, self.clock, TOPOLOGY, "test")
        self.plans = FakePlans()
        self.accept = AcceptRequest(self.outbox, self.plans, self.clock, TOPOLOGY)
        self.accept_tear_down = AcceptTearDown(self.outbox, self.clock, TOPOLOGY)
        self.repoll = Repoll(self.outbox, self.clock, TOPOLOGY)

    def submit(
        self, message_id: str, body: bytes | None, published_at: datetime | None = None
    ) -> Effect | Rejection:
        """Deliver a request, which is published now if nothing else is said."""
        return self.accept.handle(OrderMark(published_at or self.clock.now(), message_id), body)

    def submit_tear_down(
        self, message_id: str, body: bytes | None, published_at: datetime | None = None
    ) -> Effect | Rejection:
        """Deliver a tear-down request; see `submit`."""
        return self.accept_tear_down.handle(OrderMark(published_at or self.clock.now(), message_id), body)

    def tear_down(self, message_id: str, **changes: object) -> Effect | Rejection:
        """Deliver a tear-down request that is published now."""
        body = {"cluster": CLUSTER, "release": "my-release", **changes}
        return self.submit_tear_down(message_id, json.dumps(body).encode())

    def plan(self) -> Event:
        """Plan what is requested, with nothing refused, and return the event that starts the next stage."""
        self.runner(Stage.PLAN_SETUP).handle(self.events.published[-1])
        return self.events.published[-1]

    def run_all(self) -> list[str]:
        """Deliver the last event, and what follows from it, to the end; return the stages that ran."""
        by_topic, ran = {TOPOLOGY.trigger(stage): stage for stage in Stage}, []
        while stage := by_topic.get(self.topics()[-1]):
            if self.runner(stage).handle(self.events.published[-1]) is not Admission.RUN:
                break
            ran.append(str(stage))
        return ran

    def runner(self, stage: Stage, work: ScriptedWork | None = None) -> Runner:
        scripted = work or ScriptedWork()
        return Runner(self.engine, stage, lambda _: scripted, lambda _: scripted)

    def topics(self) -> list[str]:
        return [event.topic for event in self.events.published]

    def only(self) -> Setup:
        return self.setups.only()
