"""All functions over a cluster in memory, on a bus that duplicates, delays, loses and reorders.

Processes are suspended or killed at any call, and their clocks differ by minutes. Every delivery runs in a
greenlet. At each call to the outside it comes back to the world, which decides: go on, be suspended until
later, fail, lose the answer, or die. What is sent to the cluster lands within the server's limit, also if its
sender waits no longer.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any, NamedTuple

from greenlet import getcurrent, greenlet

from milvus_l7.adapters.stage_ports import ClusterPorts, FencedPorts, RecordingPorts
from milvus_l7.application.drift.check_drift import CheckDrift
from milvus_l7.application.engine.execution import Execution
from milvus_l7.application.engine.outbox import Outbox
from milvus_l7.application.engine.repoll import Repoll
from milvus_l7.application.engine.runner import Engine, Runner
from milvus_l7.application.request.accept_request import AcceptRequest
from milvus_l7.application.request.accept_tear_down import AcceptTearDown
from milvus_l7.application.stages import registry
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import L7Error, StateUnavailable, Transient, Unanswered
from milvus_l7.domain.request.rejection import Rejection
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.desired import SetupId
from milvus_l7.domain.setup.document import OrderMark, Setup
from milvus_l7.domain.setup.event import Event, from_payload
from milvus_l7.ports import StagePorts
from tests.builders import TOPOLOGY
from tests.fakes.dns_zones import FakeDnsZones
from tests.fakes.plans import FakePlans
from tests.fakes.state import START, FakeSetups
from tests.simulation.choices import Choices
from tests.simulation.cluster import Controllers, SimCertificates, SimHelm, SimKube, SimProbe, SimResolver

REQUESTED, TEAR_DOWN = "l7-setup-requested", "l7-teardown-requested"
POLL, CHECK = "l7-poll-due", "l7-drift-check-due"
MOST_DELIVERIES = 20
TICK = "tick"
FATES = ("go", "suspend", "long", "fail", "kill", "lost")  # of a call
STATE_FATES = (*FATES[:-1], "unanswered")
CALM = 0.93  # how often a call goes well


class Killed(BaseException):
    """The process ends here."""


@dataclass
class TrueClock:
    """The time as the state store has it."""

    moment: datetime = START

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return self.moment.timestamp()


@dataclass(frozen=True)
class ProcessClock:
    """A process' clock, which is wrong by some minutes."""

    true: TrueClock
    skew: timedelta

    def now(self) -> datetime:
        return self.true.now() + self.skew

    def monotonic(self) -> float:
        return self.true.monotonic()


class Due(NamedTuple):
    """Something that happens at a moment. The number, which is unique, decides between equal moments."""

    at: datetime
    number: int
    act: Callable[[], None]
    label: str


@dataclass(frozen=True)
class Message:
    topic: str
    body: bytes
    mark: OrderMark


class Caller:
    """Wraps a port, so that every call of it comes to the world first and last."""

    def __init__(
        self, world: World, real: Any, name: str, writes: Sequence[str], is_state: bool = False
    ) -> None:
        self._world, self._real, self._name = world, real, name
        self._writes, self._is_state = writes, is_state

    def __getattr__(self, method: str) -> Any:
        real = getattr(self._real, method)
        if not callable(real):
            return real

        label = f"{self._name}.{method}"

        def called(*args: Any, **more: Any) -> Any:
            is_write = method in self._writes and not more.get("dry_run")
            return self._world.call(label, lambda: real(*args, **more), is_write, self._is_state)

        return called


@dataclass
class Connections:
    world: World

    def objects(self, cluster: str) -> Any:
        return Caller(self.world, self.world.kube, "kube", ("apply", "create", "delete"))

    def releases(self, cluster: str, namespace: str) -> Any:
        return Caller(self.world, self.world.helm, "helm", ())


@dataclass
class SimPorts(ClusterPorts):
    """The stages' ports of the simulated world."""

    world: World

    def __post_init__(self) -> None:
        super().__init__(Connections(self.world))

    @property
    def zones(self) -> Any:
        return Caller(self.world, self.world.zones, "zones", ("change",))

    @property
    def certificates(self) -> Any:
        return self.world.certificates

    @property
    def probe(self) -> Any:
        return Caller(self.world, SimProbe(self.world.kube), "probe", ())

    @property
    def resolver(self) -> Any:
        return Caller(self.world, SimResolver(self.world.kube), "dns", ())

    @property
    def plans(self) -> Any:
        return self.world.plans

    @property
    def ahead(self) -> Any:
        from milvus_l7.adapters.stage_ports import NothingAhead

        return NothingAhead()

    def dry_run(self) -> Any:
        return RecordingPorts.over(self)

    __hash__ = object.__hash__


class SimSetups(FakeSetups):
    """The state store without the detour over documents, which other tests take."""

    def _written(self, setup: Setup, now: datetime) -> Setup:
        lease = setup.lease
        if lease is None or lease.started_at is not None:
            return setup
        return replace(setup, lease=replace(lease, started_at=now))


@dataclass
class World:
    """`run` goes on until nothing is left to happen, or the time is up."""

    choices: Choices

    def __post_init__(self) -> None:
        self.clock = TrueClock()
        self.numbers = count()
        self.names = count(1)
        self.agenda: list[Due] = []
        self.until = START
        self.setups = SimSetups(self.clock)
        self.plans, self.zones, self.certificates = FakePlans(), FakeDnsZones(), SimCertificates()
        self.kube = SimKube(on_write=self._landed)
        self.helm = SimHelm(self.kube, self._helm_step)
        self.controllers = Controllers(self.kube)
        self.published: list[Event] = []
        self.rejected: list[Rejection] = []
        self.sent: list[Message] = []
        self.violations: list[str] = []
        self.noted: list[tuple[datetime, str, str, str]] = []
        self.writes: list[str] = []
        self.main = getcurrent()
        self.later(0.0, self.tick, TICK)
        self.running: dict[greenlet, str] = {}
        self._start()

    def _start(self) -> None:
        self.helm.install()
        counts = {"replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1}
        labels = {"app.kubernetes.io/instance": "my-release", "app.kubernetes.io/name": "milvus"}
        metadata = {"namespace": "default", "name": "my-release-milvus-standalone", "labels": labels}
        self.kube.put(
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": metadata,
                "spec": {"replicas": 1},
                "status": counts,
            }
        )
        foreign = {"namespace": "default", "name": "theirs-tls", "labels": {"app": "theirs"}}
        self.kube.put(
            {"apiVersion": "v1", "kind": "Secret", "metadata": foreign, "data": {"tls.crt": "eA=="}}
        )
        self.controllers.act()

    # Time

    def later(self, seconds: float, act: Callable[[], None], label: str = "") -> None:
        heapq.heappush(
            self.agenda, Due(self.clock.moment + timedelta(seconds=seconds), next(self.numbers), act, label)
        )

    def run(self, until: datetime) -> None:
        self.until = until
        while self.agenda and self.agenda[0].at <= until:
            due = heapq.heappop(self.agenda)
            self.clock.moment = max(self.clock.moment, due.at)
            due.act()
            self.controllers.act()
        self.clock.moment = max(self.clock.moment, until)

    # Calls to the outside

    def call(self, label: str, real: Callable[[], Any], is_write: bool, is_state: bool) -> Any:
        """One call by the greenlet that is running."""
        choice = self.choices.pick(STATE_FATES if is_state else FATES, label, CALM)
        self._note(label, choice)
        if choice in ("suspend", "long") and not (is_write and not is_state):
            self.pause(
                float(self.choices.pick((5, 40, 100, 400) if choice == "suspend" else (1500, 5000), "for"))
            )
        if choice == "kill":
            raise Killed
        if choice == "fail":
            raise (
                StateUnavailable("injected")
                if is_state
                else Transient(Reason.CLUSTER_UNAVAILABLE, "injected")
            )
        if is_write and not is_state and choice in ("suspend", "long", "lost"):
            return self._sent(label, real, choice)
        self.pause(0.02)
        result = real()
        if choice == "unanswered":
            raise StateUnavailable("the answer was lost")
        if is_write and self.choices.pick(("go", "kill", "suspend"), f"after {label}", CALM) != "go":
            self._after(label)
        return result

    def _after(self, label: str) -> None:
        if self.choices.pick(("suspend", "kill"), f"then {label}") == "kill":
            raise Killed
        self.pause(float(self.choices.pick((5, 100, 400, 2000), "for")))

    def _sent(self, label: str, real: Callable[[], Any], choice: str) -> Any:
        """A write that is under way: it lands within the server's limit, whatever becomes of its sender."""
        execution, delay = self.running.get(getcurrent(), ""), self.choices.pick((1, 10, 19), "lands after")
        if choice == "lost":
            self.later(float(delay), lambda: self._strays(label, real, execution))
            self.pause(float(min(delay, 5)) / 2)
            raise Unanswered(Reason.CLUSTER_UNAVAILABLE, "time-out")
        self.pause(float(delay))
        result = real()
        self.pause(float(self.choices.pick((0, 100, 400, 3000), "answered after")))
        return result

    def _strays(self, label: str, real: Callable[[], Any], execution: str) -> None:
        self._note(label, "lands")
        self.landing = execution
        try:
            real()
        except L7Error:
            pass
        finally:
            self.landing = ""

    landing: str = ""

    def pause(self, seconds: float) -> None:
        """Let time pass for the greenlet that is running; if nothing else happens meanwhile, it goes on."""
        current = getcurrent()
        if current is self.main:
            return
        end = self.clock.moment + timedelta(seconds=seconds)
        if end <= self.until and end < self.agenda[0].at:
            self.controllers.act()
            self.clock.moment = end
        else:
            self.later(seconds, current.switch)
            self.main.switch()

    def _helm_step(self, label: str) -> None:
        choice = self.choices.pick(("go", "suspend", "kill", "lost"), label, CALM)
        self._note(label, choice)
        if choice == "kill":
            raise Killed
        if choice == "lost":
            raise Unanswered(Reason.HELM_FAILED, "killed")
        self.pause(60.0 if choice == "suspend" else 0.5)

    def _landed(self, what: str) -> None:
        """No effect after the lease, and none of an execution that does not hold it."""
        execution = self.landing or self.running.get(getcurrent(), "")
        if not execution:
            return
        self.writes.append(what)
        leases = [each.setup.lease for each in self.setups.stored.values() if each.setup.lease]
        holder = next((lease for lease in leases if lease.execution == execution), None)
        if holder is None:
            self.violations.append(f"{what} by {execution}, which holds no lease")
        elif holder.has_run_out(self.clock.moment):
            self.violations.append(f"{what} by {execution}, whose lease has run out")

    def _note(self, what: str, how: str) -> None:
        self.noted.append((self.clock.moment, self.running.get(getcurrent(), ""), what, how))

    @property
    def trace(self) -> list[str]:
        """What happened, a line each: the second, the execution, the call, what became of it."""
        return [
            f"{(at - START).total_seconds():9.1f} {who:5} {what}: {how}" for at, who, what, how in self.noted
        ]

    # The bus

    def publish(self, event: Event) -> None:
        self.published.append(event)
        self._send(Message(event.topic, json.dumps(event.payload()).encode(), self._mark()))

    def publish_all(self, events: Sequence[Event]) -> None:
        for event in events:
            self.publish(event)

    def reject(self, rejection: Rejection) -> None:
        self.rejected.append(rejection)

    def _mark(self) -> OrderMark:
        return OrderMark(self.clock.moment, f"{next(self.numbers):08}")

    def request(self, body: Mapping[str, Any], topic: str = REQUESTED, delay: float = 0.0) -> Message:
        """A user publishes; the delivery may be late, and may come more than once."""
        message = Message(topic, json.dumps(body).encode(), self._mark())
        self.sent.append(message)
        self._send(message, delay)
        return message

    def _send(self, message: Message, delay: float = 0.0) -> None:
        fate = self.choices.pick(("once", "twice", "late", "never"), f"{message.topic} is delivered", 0.9)
        if fate == "never" and message.topic in (REQUESTED, TEAR_DOWN) and message in self.sent:
            fate = "late"
        if fate != "never":
            wait = self.choices.pick((60, 700, 4000), "late by") if fate == "late" else 0.05
            self.later(delay + wait, lambda: self._deliver(message, 1), message.topic)
        if fate == "twice":
            again = self.choices.pick((0.06, 30, 900, 9000), "again after")
            self.later(delay + again, lambda: self._deliver(message, 1), message.topic)

    def _deliver(self, message: Message, attempt: int) -> None:
        skew = timedelta(seconds=self.choices.pick((0, 300, -300, 60), "clock", 0.8))
        worker = greenlet(lambda: self._work(message, attempt, ProcessClock(self.clock, skew)), self.main)
        worker.switch()

    def _work(self, message: Message, attempt: int, clock: ProcessClock) -> None:
        try:
            self._handle(message, clock)
        except (StateUnavailable, Killed):
            if attempt < MOST_DELIVERIES:
                self.later(
                    min(10.0 * 2**attempt, 600.0), lambda: self._deliver(message, attempt + 1), message.topic
                )
        except Exception as error:  # noqa: BLE001 - seen as a violation
            import traceback

            self.violations.append(
                f"{message.topic}: {type(error).__name__}: {error} {traceback.format_exc()[-800:]}"
            )
        finally:
            self.running.pop(getcurrent(), None)

    def _handle(self, message: Message, clock: ProcessClock) -> None:
        outbox = Outbox(
            Caller(self, self.setups, "state", ("commit",), True),
            Caller(self, self, "bus", ("publish",), True),
        )
        if message.topic == REQUESTED:
            AcceptRequest(outbox, self.plans, clock, TOPOLOGY).handle(message.mark, message.body)
        elif message.topic == POLL:
            Repoll(outbox, clock, TOPOLOGY).handle()
        elif message.topic == CHECK:
            self._check(outbox, clock, json.loads(message.body))
        elif message.topic == TEAR_DOWN and b"event_id" not in message.body:
            AcceptTearDown(outbox, clock, TOPOLOGY).handle(message.mark, message.body)
        else:
            self._stage(outbox, clock, message)

    def _check(self, outbox: Outbox, clock: ProcessClock, body: Mapping[str, Any]) -> None:
        ports = SimPorts(self)
        check = CheckDrift(outbox, clock, TOPOLOGY, lambda: RecordingPorts.over(ports))
        if "setup_id" in body:
            check.check(SetupId(body["setup_id"]))
        else:
            check.tick()

    def _stage(self, outbox: Outbox, clock: ProcessClock, message: Message) -> None:
        stages = [stage for stage in Stage if TOPOLOGY.trigger(stage) == message.topic]
        for stage in stages:
            engine = Engine(outbox.setups, outbox, clock, TOPOLOGY, "simulation", name=self._name)
            runner = Runner(
                engine,
                stage,
                lambda execution, stage=stage: registry.work(stage, self._ports(execution)),
                lambda execution: registry.take_back(self._ports(execution)),
            )
            runner.handle(from_payload(message.topic, json.loads(message.body)))

    def _name(self) -> str:
        name = f"e{next(self.names)}"
        self.running[getcurrent()] = name
        return name

    def _ports(self, execution: Execution) -> StagePorts:
        return FencedPorts(SimPorts(self), execution, execution)

    # The schedule

    def tick(self) -> None:
        """Cloud Scheduler, every minute; a tick that would find nothing, whatever the clock, is left out."""
        self.later(60.0, self.tick, TICK)
        soon = self.clock.moment + timedelta(minutes=6)
        setups = [each.setup for each in self.setups.stored.values()]
        for topic, times in ((POLL, [s.poll_at for s in setups]), (CHECK, [s.check_at for s in setups])):
            if any(at and at <= soon for at in times) or (topic == POLL and self.setups.outbox):
                self._deliver(Message(topic, b"{}", self._mark()), MOST_DELIVERIES)

    @property
    def is_idle(self) -> bool:
        """Whether nothing but ticks and drift checks can happen any more."""
        is_at_rest = all(each.setup.poll_at is None for each in self.setups.stored.values())
        return is_at_rest and not self.setups.outbox and all(due.label == TICK for due in self.agenda)
