"""Check setups for drift: dry-run every stage, work through the checklist, report, and repair if allowed.

    scheduler's tick --> due setups postponed --> one message each --> checked, one at a time

A check writes nothing to the cluster. A repair is an ordinary run of the chain, from the first stage that has
drifted, under the engine's rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from milvus_l7.application.drift import report_log
from milvus_l7.application.engine import bugs, log
from milvus_l7.application.engine.due_queue import DueSetups, QueueAction, TickResult
from milvus_l7.application.engine.outbox import Outbox
from milvus_l7.application.planning.planner import StageDryRun, run_stage
from milvus_l7.application.stages import registry
from milvus_l7.domain.certificates import key_pair as certificates
from milvus_l7.domain.drift import evaluation, wording
from milvus_l7.domain.drift.evaluation import Decision, StageObservation
from milvus_l7.domain.planning import chain_plan
from milvus_l7.domain.planning.chain_plan import ClientAccess
from milvus_l7.domain.reasons.condition import Condition
from milvus_l7.domain.reasons.errors import StateConflict
from milvus_l7.domain.request import registration
from milvus_l7.domain.setup import event as events
from milvus_l7.domain.setup import schedule
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.desired import SetupId
from milvus_l7.domain.setup.document import Setup, StageState, Status
from milvus_l7.domain.setup.drift_report import DriftReport, Finding
from milvus_l7.domain.setup.event import Event
from milvus_l7.domain.setup.facts import Check
from milvus_l7.domain.setup.outcome import Waiting
from milvus_l7.domain.setup.supervision import DriftPolicy
from milvus_l7.domain.setup.topology import Topology
from milvus_l7.domain.setup.work import StageWork
from milvus_l7.ports import Clock, Commit, DryRunPorts, HistoryEntry, Queue, StagePorts, Versioned


def _verification(ports: StagePorts) -> StageWork:
    return registry.work(Stage.VERIFY_ENDPOINT, ports)


# A setup is not checked again sooner after its last check.
LEAST_AGE = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class CheckDrift:
    """The use case behind `l7-drift-check-due`."""

    outbox: Outbox
    clock: Clock
    topology: Topology
    dry_run: Callable[[], DryRunPorts]  # a new one for each check
    pace_scale: float = 1.0
    verification: Callable[[StagePorts], StageWork] = _verification

    def tick(self) -> TickResult:
        """Ask for the check of every setup whose time has come, each by a message of its own.

        Raises `StateUnavailable` if state or event bus do not answer; the next tick goes on.
        """
        return DueSetups(self.outbox, self.clock, Queue.CHECK, self._due).serve()

    def check(self, setup_id: SetupId) -> DriftReport | None:
        """Check one setup and keep the report; None if it is not one to check, or changed during the check.

        Safe to repeat: a check writes nothing to the cluster, and a repair begins once. Raises
        `StateUnavailable`: the delivery must be retried.
        """
        found = self.outbox.setups.load(setup_id)
        if found is None:
            log.write("INFO", "not checked for drift: there is no such setup", setup_id=setup_id)
            return None
        hindrance = _hindrance(found)
        if hindrance is not None:
            log.write("INFO", f"not checked for drift: {hindrance}", found.setup)
            return None
        if self._is_too_soon(found.setup):
            self._put_off(found)
            return None
        begun = replace(found.setup, check_begun_at=self.clock.now())
        try:
            found = self.outbox.setups.commit(Commit(begun, found.version))
        except StateConflict:
            return self.check(setup_id)  # of messages that come together one begins, the others are put off
        return self._keep(found, *self._observe(found.setup))

    def _is_too_soon(self, setup: Setup) -> bool:
        """Whether one publisher asks without end; the scheduler asks later than that anyway."""
        last = setup.check_begun_at
        return last is not None and last <= self.clock.now() < last + LEAST_AGE * self.pace_scale

    def _put_off(self, found: Versioned) -> None:
        """Let the scheduler's next tick ask again, so that nobody waits for a check that never comes."""
        setup, soon = found.setup, self.clock.now() + LEAST_AGE * self.pace_scale
        if setup.check_at is not None and setup.check_at <= soon:
            return
        with suppress(StateConflict):
            self.outbox.commit(Commit(replace(setup, check_at=soon), found.version))
        log.write("INFO", "drift check put off: the last one is too recent", setup)

    def _due(self, setup: Setup, now: datetime) -> QueueAction | None:
        if not _is_watched(setup) or setup.check_at is None:
            return None
        event = events.check_due(setup, self.topology, f"{setup.check_at.timestamp():.3f}")
        return QueueAction(self._next(setup, now), event)

    def _observe(self, setup: Setup) -> tuple[DriftReport, bool]:
        """Return the report, and whether its repair would interrupt anybody."""
        now = self.clock.now()
        ports = self.dry_run()
        observations, steps, state = [], [], setup
        for stage, work in _comparable(setup, registry.planned(ports)):
            ran = run_stage(ports, stage, bugs.told(stage, work), state, now)
            observations.append(_observation(ran, ports))
            steps.append(ran.step)
            state = ran.setup
        checks: tuple[Check, ...] = ()
        if not any(evaluation.is_inconclusive(each) for each in observations):
            ran = self._verify(ports, setup, now)
            observations.append(_observation(ran, ports))
            checks = ran.setup.facts.checklist
        evaluated = evaluation.evaluate(observations, checks, setup.drift, now)
        report = evaluation.with_unmended(evaluated, setup.drift, [each.stage for each in observations])
        has_outage = bool(chain_plan.impacts(tuple(steps), ClientAccess()))
        return evaluation.with_finding(report, _expiring(setup, now)), has_outage

    def _verify(self, ports: DryRunPorts, setup: Setup, now: datetime) -> StageDryRun:
        """The checklist on the cluster as it is. It makes no throw-away collection in Milvus."""
        shallow = replace(setup, desired=replace(setup.desired, deep_verification=False))
        fresh = replace(shallow, facts=replace(setup.facts, checklist=()))
        work = bugs.told(Stage.VERIFY_ENDPOINT, self.verification(ports.observed()))
        return run_stage(ports, Stage.VERIFY_ENDPOINT, work, fresh, now)

    def _keep(self, found: Versioned, report: DriftReport, has_outage: bool) -> DriftReport | None:
        now, setup = self.clock.now(), found.setup
        decision = Decision(report)
        if setup.supervision.policy is DriftPolicy.REPAIR and setup.status is Status.VERIFIED:
            is_allowed = setup.supervision.allow_outage or not has_outage
            decision = evaluation.plan_repair(report, now, is_allowed=is_allowed)
        checked = replace(setup, drift=decision.report, check_at=setup.check_at or self._next(setup, now))
        commit = self._commit(found, checked, decision, now)
        try:
            self.outbox.commit(commit)
        except StateConflict:
            log.write("INFO", "drift report dropped: the setup changed during the check", setup)
            return None
        report_log.write(decision.report, setup, is_repairing=decision.first is not None)
        return decision.report

    def _next(self, setup: Setup, now: datetime) -> datetime:
        return now + schedule.check_delay(setup) * self.pace_scale

    def _commit(self, found: Versioned, checked: Setup, decision: Decision, now: datetime) -> Commit:
        report, mark = decision.report, f"{decision.report.checked_at.timestamp():.3f}"
        announced: tuple[Event, ...] = ()
        if evaluation.is_news(report, found.setup.drift):
            announced = (events.drift_found(checked, self.topology, mark),)
        if decision.first is None:
            return Commit(checked, found.version, announced, _entry(checked, mark) if announced else None)
        again = registration.repair(checked, now)
        begun = events.start(again, self.topology, f"repair.{mark}")
        all_announced = (*announced, *((begun,) if begun else ()))
        return Commit(again, found.version, all_announced, _entry(again, mark, "repairing"))


def _is_watched(setup: Setup) -> bool:
    """Whatever was once verified is checked until it is torn down, whatever its status."""
    return setup.was_verified and setup.teardown is None and not schedule.is_paused(setup)


def _hindrance(found: Versioned) -> str | None:
    if not _is_watched(found.setup):
        return "not a setup that has been verified, or paused"
    lease = found.setup.lease
    return "a stage is running" if lease and not lease.has_run_out(found.read_at) else None


def _comparable(setup: Setup, planned: Mapping[Stage, StageWork]) -> Iterator[tuple[Stage, StageWork]]:
    """In a run that is under way, what its later stages are about to change is no drift."""
    is_under_way = setup.requested is None and not schedule.is_at_rest(setup)
    for stage, work in planned.items():
        if not is_under_way or setup.record(stage).state is StageState.DONE:
            yield stage, work


def _entry(setup: Setup, mark: str, outcome: str = "drifted") -> HistoryEntry:
    report = setup.drift
    findings = report.findings if report else ()
    return HistoryEntry(
        entry_id=f"{events.CHECKED}.{mark}",
        at=setup.updated_at if report is None else report.checked_at,
        generation=setup.desired_generation,
        stage=events.CHECKED,
        outcome=outcome,
        reason=findings[0].reason if findings else None,
        message=wording.summary(findings),
    )


def _observation(ran: StageDryRun, ports: DryRunPorts) -> StageObservation:
    waiting = ran.ended if isinstance(ran.ended, Waiting) and ran.stage is not Stage.VERIFY_ENDPOINT else None
    fault = ran.step.fault or (Condition(waiting.reason, waiting.message) if waiting else None)
    return StageObservation(
        ran.stage,
        ran.step.changes,
        fault,
        waiting is not None,
        ports.writers,
        ports.missing,
        ran.step.notice,
    )


def _expiring(setup: Setup, now: datetime) -> Finding | None:
    certificate = setup.facts.certificate
    if certificate is None or setup.desired.is_google_managed:
        return None
    asked = setup.desired.certificate
    notice = certificates.EXPIRY_NOTICE if asked.secret else certificates.notice(asked.validity_days)
    secret = f"{setup.desired.namespace}/{certificate.secret}"
    return evaluation.expiring(secret, certificate.not_after, notice, now)
