"""The engine: runs one stage of one setup for one event, exactly once in effect.

    event --> load --> admit --> lease (commit) --> stage --> settle --> commit + outbox --> publish

A stage may run under a lease that has since been lost (another execution took over, or the user changed the
request); its result is then dropped. What it did to the cluster is harmless: stages are level-triggered.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from milvus_l7.application.engine import log
from milvus_l7.application.engine.outbox import Outbox
from milvus_l7.application.stages.work import StageWork
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import LeaseLost, Permanent, StateConflict, StateUnavailable, Transient
from milvus_l7.domain.setup import event as events
from milvus_l7.domain.setup import transitions
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.document import Setup, StageState
from milvus_l7.domain.setup.event import Event
from milvus_l7.domain.setup.outcome import Failed, Outcome, Waiting
from milvus_l7.domain.setup.topology import Topology
from milvus_l7.domain.setup.transitions import Admission, Settled
from milvus_l7.ports import Clock, Commit, HistoryEntry, Setups, Versioned

# Commits of one execution that may find the document changed (by a request, or by re-poll) before giving up.
CONFLICTS = 5


@dataclass(frozen=True, slots=True)
class Engine:
    """What running any stage needs."""

    setups: Setups
    outbox: Outbox
    clock: Clock
    topology: Topology
    owner: str  # names this execution environment in leases
    lease_s: float | None = None  # overrides the topology's lease, for the embedded cloud
    pace_scale: float = 1.0


@dataclass(frozen=True, slots=True)
class Runner:
    """Runs `work`, which is `stage`, for one event at a time."""

    engine: Engine
    stage: Stage
    work: StageWork

    def handle(self, event: Event) -> Admission:
        """Run the stage if the event starts it, and commit what it found. Safe for any repeated delivery.

        Raises `StateUnavailable` if state or event bus do not answer: the delivery must be retried.
        """
        clock = self.engine.clock
        started = clock.now()
        leased = self._lease(event)
        if isinstance(leased, Admission):
            return leased
        working = clock.now()
        outcome = self._outcome(leased.setup, event)
        worked = clock.now()
        try:
            settled = self._settle(leased, outcome)
        except LeaseLost as lost:
            log.write("WARNING", f"result dropped: {lost}", leased.setup, self.stage, event=event)
            return Admission.RUN
        record = settled.ended.record(self.stage)
        log.write(
            "INFO",
            f"stage {record.state}",
            settled.ended,
            self.stage,
            event=event,
            reason=record.reason,
            work_ms=_ms(worked - working),
            engine_ms=_ms(working - started + clock.now() - worked),
        )
        return Admission.RUN

    def _lease(self, event: Event) -> Versioned | Admission:
        for _ in range(CONFLICTS):
            found = self.engine.setups.load(event.setup_id)
            if found is None:
                log.write("ERROR", "event names a setup that does not exist", event=event)
                return Admission.STALE
            admission = transitions.admit(found.setup, self.stage, event, self.engine.clock.now())
            if admission is Admission.REPEAT:
                self._repeat(found.setup)
            if admission is not Admission.RUN:
                log.write("INFO", f"event ignored: {admission.name}", found.setup, self.stage, event=event)
                return admission
            try:
                return self._begin(found)
            except StateConflict:
                continue
        raise StateUnavailable(f"{event.setup_id} keeps changing")

    def _begin(self, found: Versioned) -> Versioned:
        engine = self.engine
        lease_s = engine.lease_s or engine.topology.lease_s(self.stage)
        setup = transitions.begin(found.setup, self.stage, engine.owner, lease_s, engine.clock.now())
        return engine.setups.commit(Commit(setup, found.version))

    def _repeat(self, setup: Setup) -> None:
        self.engine.outbox.events.publish(events.announcement(setup, self.stage, self.engine.topology))

    def _outcome(self, setup: Setup, event: Event) -> Outcome:
        """What the stage found; errors of its ports and its own bugs become outcomes, never crash loops."""
        try:
            return self.work(setup, self.engine.clock.now())
        except Transient as error:
            return Waiting(error.reason, error.message)
        except Permanent as error:
            return Failed(error.reason, error.message)
        except StateUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - an unknown error must be seen on the setup too
            log.failure("stage raised an unknown error", setup, self.stage, event)
            return Waiting(Reason.INTERNAL_ERROR, f"{type(error).__name__} in {self.stage}")

    def _settle(self, leased: Versioned, outcome: Outcome) -> Settled:
        """Commit the outcome; `LeaseLost` if another execution or a new request took the setup over."""
        found: Versioned | None = leased
        for _ in range(CONFLICTS):
            if found is None:
                raise LeaseLost("the setup is gone")
            timing = transitions.Timing(self.engine.clock.now(), self.engine.pace_scale)
            settled = transitions.settle(found.setup, leased.setup.token, outcome, timing)
            try:
                self.engine.outbox.commit(self._commit(settled, leased.setup, found.version, timing.now))
            except StateConflict:
                found = self.engine.setups.load(leased.setup.setup_id)
                continue
            return settled
        raise StateUnavailable(f"{leased.setup.setup_id} keeps changing")

    def _commit(self, settled: Settled, before: Setup, version: object, now: datetime) -> Commit:
        setup = settled.ended
        record = setup.record(self.stage)
        entry = HistoryEntry(
            entry_id=f"{self.stage}.t{setup.token}",
            at=now,
            generation=setup.generation,
            stage=self.stage,
            outcome=record.state,
            reason=record.reason,
            message=record.message,
        )
        return Commit(settled.setup, version, self._announcements(settled, before), entry)

    def _announcements(self, settled: Settled, before: Setup) -> tuple[Event, ...]:
        topology, setup = self.engine.topology, settled.ended
        state = setup.record(self.stage).state
        if state is StageState.DONE:
            done = events.announcement(setup, self.stage, topology)
            is_renewed = setup.facts.has_renewed_certificate(before.facts)
            return (done, events.certificate_reissued(setup, topology)) if is_renewed else (done,)
        if state is not StageState.FAILED:
            return ()
        failure = events.failure(setup, self.stage, topology)
        if not settled.begins_way_back:
            return (failure,)
        return (failure, events.start(settled.setup, settled.setup.chain[0], topology, "restore"))


def _ms(span: timedelta) -> float:
    return round(span.total_seconds() * 1000, 1)
