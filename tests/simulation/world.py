"""All functions over a cluster in memory, on a bus that duplicates, delays and reorders.

Processes are suspended or killed at any call, and their clocks differ by minutes. Every delivery runs in a
greenlet. At each call to the outside it comes back to the world, which decides: go on, be suspended before or
after it, fail, lose the answer, or die. What is sent to the cluster lands within the server's limit, also if
its sender waits no longer.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from greenlet import getcurrent, greenlet

from milvus_l7.adapters.stage_ports import ClusterPorts, NothingAhead, RecordingPorts
from milvus_l7.application.engine.outbox import Outbox
from milvus_l7.domain.kubernetes import kinds
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import (
    Conflict,
    L7Error,
    MalformedEvent,
    StateUnavailable,
    Transient,
    Unanswered,
)
from milvus_l7.domain.request.rejection import Rejection
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.document import Setup, StageState
from milvus_l7.domain.setup.event import Event
from milvus_l7.ports import Commit, Versioned
from tests.builders import TOPOLOGY
from tests.fakes.plans import FakePlans
from tests.fakes.state import START, FakeSetups
from tests.simulation.agenda import Agenda, ProcessClock
from tests.simulation.bus import CHECK, MOST_DELIVERIES, POLL, Message
from tests.simulation.choices import Choices
from tests.simulation.cluster import NAMESPACE, SITES, SimHelm, SimKube, SimZones, Site, site_of
from tests.simulation.functions import Functions
from tests.simulation.google import Controllers, SimCertificates, SimProbe, SimResolver, runs

# What becomes of a call; the first is the harmless one.
READ = ("go", "suspend", "long", "stale", "fail", "kill")
STATE = (*READ, "unanswered")
CHANGE = ("go", "suspend", "long", "fail", "kill", "lost", "orphaned", "inconclusive")
WRITE = (*CHANGE, "conflict")
UNDER_WAY = ("suspend", "long", "lost", "orphaned", "inconclusive")
MEANWHILE = ("stale", *UNDER_WAY)  # a user may ask for something else at that very moment
SUSPENDED = {"suspend": (5, 40, 100, 400), "long": (1500, 5000), "stale": (5, 40, 400, 2000)}
CALM = 0.93  # how often a call goes well
MINUTE = 60.0
WIDEST_SKEW = timedelta(minutes=6)
ROUGHLY = 2 * WIDEST_SKEW  # by a clock that is wrong, and by an execution that was suspended
THEIRS = {"namespace": NAMESPACE, "name": "theirs-tls", "labels": {"app": "theirs"}}


class Killed(BaseException):
    """The process ends here."""


class Caller:
    """Wraps a port, so that every call of it comes to the world first and last."""

    def __init__(self, world: World, real: Any, name: str, fates: Mapping[str, Sequence[str]]) -> None:
        self._world, self._real, self._name, self._fates = world, real, name, fates

    def __getattr__(self, method: str) -> Any:
        real = getattr(self._real, method)
        if not callable(real):
            return real
        label = f"{self._name}.{method}"
        writing = self._fates.get(method, self._fates["else"])

        def called(*args: Any, **more: Any) -> Any:
            if more.get("dry_run"):
                return self._world.call(f"{label} dry", lambda: real(*args, **more), READ)
            return self._world.call(label, lambda: real(*args, **more), writing)

        return called


@dataclass
class Connections:
    """Ways into the simulated cluster."""

    world: World

    def objects(self, cluster: str) -> Any:
        writes = dict.fromkeys(("apply", "create", "delete"), WRITE)
        return Caller(self.world, self.world.kube, "kube", {**writes, "else": READ})

    def releases(self, cluster: str, namespace: str) -> Any:
        return Caller(self.world, self.world.helm, "helm", {"else": READ})


class SimPorts(ClusterPorts):
    """The stages' ports of the simulated world."""

    def __init__(self, world: World) -> None:
        super().__init__(Connections(world))
        self.zones: Any = Caller(world, world.zones, "zones", {"change": CHANGE, "else": READ})
        self.probe: Any = Caller(world, SimProbe(world.kube), "probe", {"else": READ})
        self.resolver: Any = Caller(world, SimResolver(world.kube), "dns", {"else": READ})
        self.certificates: Any = world.certificates
        self.plans: Any = Caller(world, world.plans, "plans", {"else": STATE})
        self.ahead = NothingAhead()

    def dry_run(self) -> Any:
        return RecordingPorts.over(self)


@dataclass
class SimSetups(FakeSetups):
    """The state store without the detour over documents, which other tests take."""

    twice: list[str] = field(default_factory=list)  # entries of the history that were written again
    on_verified: Callable[[Setup], None] = lambda setup: None
    leased: dict[str, Setup] = field(default_factory=dict)  # by execution, as it began

    def commit(self, commit: Commit) -> Versioned:
        entry, setup_id = commit.history, commit.setup.setup_id
        if entry is not None and (entry.stage, entry.outcome) == (Stage.VERIFY_ENDPOINT, StageState.DONE):
            self.on_verified(commit.setup)
        if commit.setup.lease is not None:
            self.leased.setdefault(commit.setup.lease.execution, commit.setup)
        is_known = entry is not None and self.has_entry(setup_id, entry.entry_id)
        written = super().commit(commit)
        if entry is not None and is_known:
            self.twice.append(f"{setup_id} {entry.entry_id}")
        return written

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
        self.kube, self.zones = SimKube(on_write=self._landed), SimZones(on_write=self._landed)
        self.helm = SimHelm(self.kube, self._helm_step, self._restart, self._upgrades)
        self.controllers = Controllers(self.kube)
        self.agenda = Agenda(self.controllers.act)
        self.clock = self.agenda.clock
        self.setups, self.plans = SimSetups(self.clock), FakePlans()
        self.setups.on_verified = self._verified
        self.certificates = SimCertificates()
        self.ids, self.names, self.restarts = count(1), count(1), count(1)
        self.published: list[Event] = []
        self.rejected: list[Rejection] = []
        self.sent: list[Message] = []
        self.dead: list[Message] = []
        self.violations: list[str] = []
        self.writes: list[str] = []
        self.meddled: set[str] = set()  # releases of which somebody has deleted something
        self.noted: list[tuple[datetime, str, str, str]] = []
        self.running: dict[greenlet, str] = {}
        self.meanwhile: Callable[[], object] | None = None  # what a user may do while a call is under way
        self.landing = ""  # the execution whose write lands without it
        self._start()

    def _start(self) -> None:
        for site in SITES:
            self.helm.install(site.release)
            self._deploy(site)
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": THEIRS, "data": {"tls.crt": "eA=="}}
        self.kube.put(secret)
        self.controllers.act()
        self._tick_in(0.0)

    def _deploy(self, site: Site) -> None:
        counts = {"replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1}
        ref = site.ref(kinds.DEPLOYMENT, "-standalone")
        metadata = {"namespace": NAMESPACE, "name": ref.name, "labels": site.labels}
        manifest = {**kinds.DEPLOYMENT.header(), "metadata": metadata, "spec": {"replicas": 1}}
        self.kube.put({**manifest, "status": counts})

    def _restart(self, site: Site) -> None:
        """The Pods come up with a new configuration, some time later; or with a still newer one."""
        ref = site.ref(kinds.DEPLOYMENT, "-standalone")
        live, restart = self.kube.stored[ref], next(self.restarts)
        counts = {"replicas": 1, "updatedReplicas": 1, "availableReplicas": 0}
        self.kube.stored[ref] = {**live, "status": {**counts, "restart": restart}}

        def is_up() -> None:
            status = self.kube.stored[ref]["status"]
            if status.get("restart") == restart:
                status["availableReplicas"] = 1

        self.agenda.later(float(self.choices.pick((90, 5, 400, 2400), "Pods come up after", 0.6)), is_up)

    def _upgrades(self) -> None:
        """What a set-up upgrades, it upgrades within its maintenance window."""
        setup = self.setups.leased.get(self.acting)
        window = setup.supervision.maintenance_window if setup else None
        if setup is None or setup.teardown is not None or window is None:
            return
        moments = (self.clock.moment + late for late in (-ROUGHLY, timedelta(), ROUGHLY))
        if not any(window.opening(moment) == moment for moment in moments):
            self.violations.append(f"{self.acting} upgrades outside of the maintenance window")

    def _verified(self, setup: Setup) -> None:
        site = site_of(setup.desired.release)
        if not runs(self.kube, site.service):
            self.violations.append(f"{setup.setup_id} is verified before its Pods run")

    # Calls to the outside

    def call(self, label: str, real: Callable[[], Any], fates: Sequence[str]) -> Any:
        """One call by the greenlet that is running."""
        fate = self.choices.pick(fates, label, CALM)
        self.note(label, fate)
        if fate in MEANWHILE:
            self._ask_meanwhile()
        if fate == "kill":
            raise Killed
        if fate in ("fail", "conflict"):
            raise self._failure(fate, is_state=fates is STATE)
        is_write = fates in (CHANGE, WRITE)
        if is_write and fate in UNDER_WAY:
            return self._sent(label, real, fate)
        if fate in ("suspend", "long"):
            self._suspend(fate)
        self.agenda.pause(0.02)
        result = real()
        if fate == "stale":
            self._suspend(fate)
        if fate == "unanswered":
            raise StateUnavailable("the answer was lost")
        if is_write:
            self._after(label)
        return result

    def _ask_meanwhile(self) -> None:
        if self.meanwhile and self.choices.pick((False, True), "a user asks meanwhile", 0.6):
            self.meanwhile()

    def _failure(self, fate: str, *, is_state: bool) -> L7Error:
        if is_state:
            return StateUnavailable("injected")
        kind = Conflict if fate == "conflict" else Transient  # 409; 429, and 503 of a read
        return kind(Reason.CLUSTER_UNAVAILABLE, "injected")

    def _suspend(self, fate: str) -> None:
        self.agenda.pause(float(self.choices.pick(SUSPENDED[fate], "for")))

    def _after(self, label: str) -> None:
        fate = self.choices.pick(("go", "suspend", "long", "kill"), f"after {label}", CALM)
        if fate == "kill":
            raise Killed
        if fate != "go":
            self._suspend(fate)

    def _sent(self, label: str, real: Callable[[], Any], fate: str) -> Any:
        """A write that is under way: it lands within the server's limit, whatever becomes of its sender."""
        delay = float(self.choices.pick((1, 10, 19), "lands after"))
        if fate in ("suspend", "long"):
            self.agenda.pause(delay)
            result = real()
            self.agenda.pause(float(self.choices.pick((0, 100, 400, 3000), "answered after")))
            return result
        execution = self.acting
        if fate != "inconclusive" or self.choices.pick((True, False), "lands"):
            self.agenda.later(delay, lambda: self._strays(label, real, execution))
        if fate == "orphaned":
            raise Killed
        self.agenda.pause(min(delay, 5) / 2 if fate == "lost" else 0.02)
        raise Unanswered(Reason.CLUSTER_UNAVAILABLE, "time-out" if fate == "lost" else "500")

    def _strays(self, label: str, real: Callable[[], Any], execution: str) -> None:
        self.note(label, "lands")
        self.landing = execution
        try:
            real()
        except L7Error:
            pass
        finally:
            self.landing = ""

    def _helm_step(self, label: str) -> None:
        fate = self.choices.pick(("go", "suspend", "kill", "lost"), label, CALM)
        self.note(label, fate)
        if fate == "kill":
            raise Killed
        if fate == "lost":
            raise Unanswered(Reason.HELM_FAILED, "killed")
        self.agenda.pause(60.0 if fate == "suspend" else 0.5)

    def _landed(self, what: str, name: str) -> None:
        """No effect after the lease, none without one, and none on what is not the release's own."""
        execution = self.landing or self.acting
        if not execution:
            return
        self.writes.append(what)
        held = (each.setup for each in self.setups.stored.values() if each.setup.lease)
        holder = next((setup for setup in held if setup.lease.execution == execution), None)  # type: ignore[union-attr]
        if holder is None or holder.lease is None:
            self.violations.append(f"{what} by {execution}, which holds no lease")
        elif holder.lease.has_run_out(self.clock.moment):
            self.violations.append(f"{what} by {execution}, whose lease has run out")
        elif not next(site for site in SITES if site.release == holder.desired.release).owns(name):
            self.violations.append(f"{what} for {holder.setup_id}")

    @property
    def acting(self) -> str:
        """The execution that is running."""
        return self.running.get(getcurrent(), "")

    def note(self, what: str, how: str) -> None:
        """Keep a line of the trace."""
        self.noted.append((self.clock.moment, self.acting, what, how))

    @property
    def trace(self) -> list[str]:
        """What happened, a line each: the second, the execution, the call, what became of it."""
        told = (((at - START).total_seconds(), who, what, how) for at, who, what, how in self.noted)
        return [f"{second:9.1f} {who:5} {what}: {how}" for second, who, what, how in told]

    # The bus

    def publish(self, event: Event) -> None:
        self.published.append(event)
        self._send(self.message(event.topic, json.dumps(event.payload()).encode()))

    def publish_all(self, events: Sequence[Event]) -> None:
        for event in events:
            self.publish(event)

    def reject(self, rejection: Rejection) -> None:
        self.rejected.append(rejection)

    def request(self, topic: str, body: bytes) -> Message:
        """A user publishes; the delivery may be late, and may come more than once."""
        message = self.message(topic, body)
        self.sent.append(message)
        self._send(message)
        return message

    def replay(self, message: Message) -> None:
        """An operator publishes a dead letter again."""
        again = self.message(message.topic, message.body, message.published_at)
        self.sent.append(again)
        self._send(again)

    def message(self, topic: str, body: bytes, original_at: datetime | None = None) -> Message:
        """Return a message that Pub/Sub takes now."""
        return Message(topic, body, f"{next(self.ids):08}", self.clock.moment, original_at)

    def _send(self, message: Message) -> None:
        is_kept = message in self.sent or message.topic == TOPOLOGY.dry_run_topic
        fates = ("once", "twice", "late", "much later") + (() if is_kept else ("never",))
        fate = self.choices.pick(fates, f"{message.topic} is delivered", 0.9)
        waits = {"late": (60, 700, 4000), "much later": (10_000, 40_000)}
        wait = self.choices.pick(waits[fate], "late by") if fate in waits else 0.05
        if fate != "never":
            self.deliver(message, wait)
        if fate == "twice":
            self.deliver(message, self.choices.pick((0.06, 30, 900, 9000), "again after"))

    def deliver(self, message: Message, after_s: float, attempt: int = 1) -> None:
        """Push the message once more after so many seconds."""
        self.agenda.later(after_s, lambda: self._push(message, attempt))
        if self.tick_at > self.clock.moment + timedelta(seconds=after_s + MINUTE):
            self._tick_in(after_s + MINUTE)

    def _push(self, message: Message, attempt: int) -> None:
        self.start(message, self._some_clock(), attempt)

    def _some_clock(self) -> ProcessClock:
        skew = self.choices.pick((0, 300, -300, 60), "clock", 0.8)
        return ProcessClock(self.clock, timedelta(seconds=skew))

    def start(self, message: Message, clock: ProcessClock, attempt: int = MOST_DELIVERIES) -> None:
        """Let a process with this clock handle a delivery of the message."""
        greenlet(lambda: self._work(message, attempt, clock), self.agenda.main).switch()

    def _work(self, message: Message, attempt: int, clock: ProcessClock) -> None:
        try:
            self._functions(clock).handle(message.topic, message.pushed())
        except (StateUnavailable, MalformedEvent, Killed):
            if attempt < MOST_DELIVERIES:
                self.deliver(message, min(10.0 * 2**attempt, 600.0), attempt + 1)
            elif message.is_request:
                self.dead.append(message)
        except Exception as error:  # noqa: BLE001 - seen as a violation
            where = traceback.format_exc()[-800:]
            self.violations.append(f"{message.topic}: {type(error).__name__}: {error} {where}")
        finally:
            self.running.pop(getcurrent(), None)

    def _functions(self, clock: ProcessClock) -> Functions:
        state = {"else": STATE}
        bus: Any = Caller(self, self, "bus", state)
        outbox = Outbox(Caller(self, self.setups, "state", state), bus)  # type: ignore[arg-type]
        plans: Any = Caller(self, self.plans, "plans", state)
        return Functions(outbox, plans, clock, lambda: SimPorts(self), self._name)  # type: ignore[arg-type,return-value]

    def _name(self) -> str:
        name = f"e{next(self.names)}"
        self.running[getcurrent()] = name
        return name

    # The schedule

    def _tick_in(self, seconds: float) -> None:
        """Let the next tick come then, and not when it was to come."""
        self.tick_at = at = self.clock.moment + timedelta(seconds=seconds)
        self.agenda.later(seconds, lambda: self.tick() if at == self.tick_at else None, is_tick=True)

    def tick(self) -> None:
        """Cloud Scheduler, every minute; a tick that would find nothing is left out."""
        quiet = self._quiet_minutes()
        self._tick_in(MINUTE * max(quiet, 1))
        if quiet:
            return
        setups = [each.setup for each in self.setups.stored.values()]
        for topic, times in ((POLL, [s.poll_at for s in setups]), (CHECK, [s.check_at for s in setups])):
            clock = self._some_clock()
            if any(at and at <= clock.now() for at in times) or (topic == POLL and self.setups.outbox):
                self.start(self.message(topic, b"{}"), clock)

    def _quiet_minutes(self) -> int:
        """For how many whole minutes nothing can be due, because nothing else happens."""
        if self.setups.outbox:
            return 0
        setups = [each.setup for each in self.setups.stored.values()]
        dues = [at - WIDEST_SKEW for setup in setups for at in (setup.poll_at, setup.check_at) if at]
        first = min([*dues, self.agenda.next_at or datetime.max.replace(tzinfo=START.tzinfo)])
        return min(max(int((first - self.clock.moment) / timedelta(minutes=1)), 0), 24 * 60)

    @property
    def is_idle(self) -> bool:
        """Whether nothing but ticks and drift checks can happen any more."""
        is_at_rest = all(each.setup.poll_at is None for each in self.setups.stored.values())
        return is_at_rest and not self.setups.outbox and self.agenda.has_only_ticks
