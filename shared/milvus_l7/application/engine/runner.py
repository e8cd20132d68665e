"""The engine: runs one stage of one setup for one event, exactly once in effect, one execution at a time.

    event --> load --> admit --> lease (commit) --> stage --> settle --> commit + outbox --> publish
                                                     |
                                        write-ahead --> fence --> write

The lease outlives generations: what is asked for meanwhile begins when the execution under way has ended, or
its lease has run out. An execution stops at its next write once a newer generation exists.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from milvus_l7.application.engine import log
from milvus_l7.application.engine.execution import CONFLICTS, Execution, Stopwatch
from milvus_l7.application.engine.outbox import Outbox
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import (
    Conflict,
    LeaseLost,
    Permanent,
    StateConflict,
    StateUnavailable,
    Transient,
)
from milvus_l7.domain.setup import event as events
from milvus_l7.domain.setup import transitions
from milvus_l7.domain.setup.admission import Admission, Moment, admit
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.document import Setup, StageState
from milvus_l7.domain.setup.event import Event
from milvus_l7.domain.setup.lease import Lease
from milvus_l7.domain.setup.outcome import Failed, Outcome, Waiting
from milvus_l7.domain.setup.topology import Topology
from milvus_l7.domain.setup.transitions import Result, Settled, Timing
from milvus_l7.domain.setup.work import StageWork
from milvus_l7.ports import Clock, Commit, HistoryEntry, Setups, Versioned

# How often a stage is run at once because what it had read had changed when it wrote.
READINGS = 4


def _unique() -> str:
    return uuid.uuid4().hex


@dataclass(frozen=True, slots=True)
class Engine:
    """What running any stage needs."""

    setups: Setups
    outbox: Outbox
    clock: Clock
    topology: Topology
    owner: str  # names this execution environment in leases, for people
    lease_s: float | None = None  # overrides the topology's lease, for the embedded cloud
    pace_scale: float = 1.0
    name: Callable[[], str] = field(default=_unique)  # a new name for each execution


@dataclass(frozen=True, slots=True)
class Runner:
    """Runs one stage for one event at a time.

    `work` builds the stage for an execution; `take_back` builds what settles an effect of an execution of the
    stage that died.
    """

    engine: Engine
    stage: Stage
    work: Callable[[Execution], StageWork]
    take_back: Callable[[Execution], StageWork]

    def handle(self, event: Event) -> Admission:
        """Run the stage if the event starts it, and commit what it found. Safe for any repeated delivery.

        Raises `StateUnavailable` if state or event bus do not answer: the delivery must be retried.
        """
        watch = Stopwatch.started(self.engine.clock)
        leased = self._lease(event, watch)
        if isinstance(leased, Admission):
            return leased
        engine_s = watch.elapsed_s()
        result = self._result(leased, event)
        worked_s = watch.elapsed_s() - engine_s
        try:
            settled = self._settle(leased, result)
        except LeaseLost as lost:
            log.write("WARNING", f"result dropped: {lost}", leased.setup, self.stage, event=event)
            return Admission.RUN
        engine_s = watch.elapsed_s() - worked_s
        self._log(settled, event, worked_s, engine_s)
        return Admission.RUN

    def _lease(self, event: Event, watch: Stopwatch) -> Execution | Admission:
        name = self.engine.name()
        for _ in range(CONFLICTS):
            found = self.engine.setups.load(event.setup_id)
            if found is None:
                log.write("ERROR", "event names a setup that does not exist", event=event)
                return Admission.STALE
            if _holds(found.setup, name):
                return self._execution(found, watch)
            admission = self._admit(found, event)
            try:
                if admission is Admission.RUN:
                    return self._begin(found, name, watch)
                if admission is Admission.EXHAUSTED:
                    self._exhaust(found, event)
                if admission is Admission.PAUSED:
                    self._rest(found)
            except StateConflict:
                continue
            return admission
        raise StateUnavailable(f"{event.setup_id} keeps changing")

    def _admit(self, found: Versioned, event: Event) -> Admission:
        moment = Moment(self.engine.clock.now(), found.read_at, self.engine.pace_scale)
        admission = admit(found.setup, self.stage, event, moment)
        if admission is Admission.REPEAT:
            announced = events.announcement(found.setup, self.stage, self.engine.topology)
            self.engine.outbox.events.publish(announced)
        if admission is not Admission.RUN:
            log.write("INFO", f"event ignored: {admission.name}", found.setup, self.stage, event=event)
        return admission

    def _begin(self, found: Versioned, name: str, watch: Stopwatch) -> Execution:
        engine, setup = self.engine, found.setup
        lease = Lease(
            self.stage,
            setup.generation_of(self.stage),
            name,
            engine.owner,
            engine.lease_s or engine.topology.lease_s(self.stage),
            is_take_back=setup.effect is self.stage,
        )
        running = transitions.begin(setup, lease, engine.clock.now())
        return self._execution(engine.setups.commit(Commit(running, found.version)), watch)

    def _execution(self, held: Versioned, watch: Stopwatch) -> Execution:
        engine = self.engine
        pace = (engine.lease_s or 0) / engine.topology.lease_s(self.stage) or 1.0
        return Execution(engine.setups, held, watch, min(pace, 1.0))

    def _rest(self, found: Versioned) -> None:
        rested = transitions.resting(found.setup, found.read_at)
        if rested is not found.setup:
            self.engine.setups.commit(Commit(rested, found.version))

    def _exhaust(self, found: Versioned, event: Event) -> None:
        timing = Timing(self.engine.clock.now(), self.engine.pace_scale)
        settled = transitions.exhaust(found.setup, self.stage, timing)
        self.engine.outbox.commit(self._commit(settled, found.setup, found.version, timing))
        self._log(settled, event, 0, 0)

    def _result(self, execution: Execution, event: Event) -> Result:
        """What the execution found; errors of ports and bugs of ours become outcomes, never crash loops."""
        for reading in range(1, READINGS + 1):
            try:
                outcome, has_raised = self._outcome(execution, event)
            except Conflict as conflict:
                if reading < READINGS:
                    continue
                outcome, has_raised = Waiting(conflict.reason, conflict.message), True
            break
        return Result(outcome, has_raised, execution.lost_answer_s)

    def _outcome(self, execution: Execution, event: Event) -> tuple[Outcome, bool]:
        lease = execution.setup.lease
        build = self.take_back if lease and lease.is_take_back else self.work
        try:
            return build(execution)(execution.setup, self.engine.clock.now()), False
        except Conflict:
            raise
        except Transient as error:
            return Waiting(error.reason, error.message), True
        except Permanent as error:
            return Failed(error.reason, error.message), True
        except LeaseLost as lost:
            log.write("WARNING", f"execution stopped: {lost}", execution.setup, self.stage, event=event)
            return Waiting(Reason.EXECUTION_STOPPED, "stopped before its next write"), True
        except StateUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - an unknown error must be seen on the setup too
            log.failure("stage raised an unknown error", execution.setup, self.stage, event)
            return Waiting(Reason.INTERNAL_ERROR, f"{type(error).__name__} in {self.stage}"), True

    def _settle(self, execution: Execution, result: Result) -> Settled:
        """Commit the outcome; `LeaseLost` if another execution has taken over."""
        held, before = execution.held, execution.setup
        for _ in range(CONFLICTS):
            timing = Timing(self.engine.clock.now(), self.engine.pace_scale)
            settled = transitions.settle(held.setup, execution.name, result, timing)
            try:
                self.engine.outbox.commit(self._commit(settled, before, held.version, timing))
            except StateConflict:
                found = self.engine.setups.load(before.setup_id)
                if found is None:
                    raise LeaseLost("the setup is gone") from None
                held = found
                continue
            return settled
        raise StateUnavailable(f"{before.setup_id} keeps changing")

    def _commit(self, settled: Settled, before: Setup, version: object, timing: Timing) -> Commit:
        entry = None if settled.is_superseded else _entry(settled.ended, self.stage, timing)
        return Commit(settled.setup, version, self._announcements(settled, before), entry)

    def _announcements(self, settled: Settled, before: Setup) -> tuple[Event, ...]:
        """What the result announces, and what comes next; nothing announces what is not recorded."""
        if settled.is_superseded:
            return self._next(settled.setup, "next")
        setup, topology = settled.ended, self.engine.topology
        if _is_refused(setup, before):
            return (events.failure(setup, self.stage, topology), *self._next(setup, "refused"))
        state = setup.record(self.stage).state
        if state is StageState.FAILED:
            failure = events.failure(setup, self.stage, topology)
            return (failure, *self._next(settled.setup, "restore" if settled.begins_way_back else "next"))
        if state is not StageState.DONE:
            return self._next(setup, "next") if setup.current is not self.stage else ()
        done = events.announcement(setup, self.stage, topology)
        more = () if setup.current in (None, self.stage.following) else self._next(setup, "next")
        is_renewed = setup.facts.has_renewed_certificate(before.facts)
        return (done, *((events.certificate_reissued(setup, topology),) if is_renewed else ()), *more)

    def _next(self, setup: Setup, why: str) -> tuple[Event, ...]:
        begun = events.start(setup, self.engine.topology, f"{why}.x{setup.executions}")
        return (begun,) if begun else ()

    def _log(self, settled: Settled, event: Event, worked_s: float, engine_s: float) -> None:
        setup = settled.ended
        record = setup.record(self.stage)
        log.write(
            "INFO",
            "stage superseded" if settled.is_superseded else f"stage {record.state}",
            setup,
            self.stage,
            event=event,
            reason=record.reason,
            work_ms=round(worked_s * 1000, 1),
            engine_ms=round(engine_s * 1000, 1),
        )


def _holds(setup: Setup, name: str) -> bool:
    """Whether a commit of ours, whose answer was lost, took the lease."""
    return setup.lease is not None and setup.lease.execution == name and not setup.lease.is_settled


def _is_refused(setup: Setup, before: Setup) -> bool:
    return setup.refusal is not None and setup.refusal != before.refusal


def _entry(setup: Setup, stage: Stage, timing: Timing) -> HistoryEntry:
    record, refusal = setup.record(stage), setup.refusal
    is_refusal = stage is Stage.PLAN_SETUP and refusal is not None and refusal.at == timing.now
    generation = refusal.generation if is_refusal and refusal else setup.generation_of(stage)
    return HistoryEntry(
        entry_id=f"{stage}.x{setup.executions}",
        at=timing.now,
        generation=generation,
        stage=stage,
        outcome="refused" if is_refusal else record.state,
        reason=refusal.reason if is_refusal and refusal else record.reason,
        message=refusal.message if is_refusal and refusal else record.message,
    )
