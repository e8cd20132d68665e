"""A release adds a stage: setups verified before it are watched on, and the next run includes the stage.

Each present stage in turn plays the added one.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

import pytest

from milvus_l7.adapters.setup import documents
from milvus_l7.application.drift.check_drift import LEAST_AGE, CheckDrift
from milvus_l7.application.stages import registry
from milvus_l7.domain.setup.chain import SETUP_STAGES, Stage
from milvus_l7.domain.setup.document import StageRecord, StageState, Status
from milvus_l7.domain.setup.drift_report import DriftReport
from milvus_l7.domain.setup.facts import Check, CheckState
from milvus_l7.domain.setup.outcome import Done, Outcome
from milvus_l7.domain.setup.work import StageWork
from milvus_l7.ports import Commit, StagePorts
from tests.builders import TOPOLOGY, new_setup, request
from tests.fakes.engine import FakeEngine, ScriptedWork
from tests.fakes.plaintext_release import cluster, release
from tests.fakes.ports import FakePorts, dry_run
from tests.fakes.provisioning import FakeCertificates
from tests.fakes.state import START

BY_TRIGGER = {TOPOLOGY.trigger(stage): stage for stage in SETUP_STAGES}

each_added_stage = pytest.mark.parametrize("added", SETUP_STAGES)


def passing(ports: StagePorts) -> StageWork:
    """A verification whose checklist has passed."""

    def work(setup, now: datetime) -> Outcome:  # type: ignore[no-untyped-def]
        return Done(replace(setup.facts, checklist=(Check("milvus", CheckState.PASSED),)))

    return work


@dataclass
class World:
    """The setup as the earlier release stored it, in an engine of this one; the cluster is untouched."""

    added: Stage
    done: tuple[Stage, ...] = SETUP_STAGES
    engine: FakeEngine = field(default_factory=FakeEngine)

    def __post_init__(self) -> None:
        done = {stage: StageRecord(StageState.DONE) for stage in self.done if stage is not self.added}
        setup = replace(new_setup(), stages=done)
        stored = documents.to_document(setup)
        if self.done == SETUP_STAGES:
            ended = {"status": "verified", "has_ended": True, "verified_at": START}
            stored |= {**ended, "poll_at": None, "check_at": START}
        self.engine.setups.commit(Commit(documents.from_document(stored), None))

    @property
    def check_drift(self) -> CheckDrift:
        ports = FakePorts(cluster(release()), certificates=FakeCertificates())
        engine = self.engine
        return CheckDrift(engine.outbox, engine.clock, TOPOLOGY, dry_run(ports), verification=passing)

    def check(self) -> DriftReport:
        report = self.check_drift.check(self.engine.only().setup_id)
        assert report is not None
        self.engine.clock.advance(seconds=LEAST_AGE.total_seconds())
        return report

    def run(self) -> list[Stage]:
        """The stages that run, in order, when the last event and all that follow are delivered."""
        ran = []
        while stage := BY_TRIGGER.get(self.engine.topics()[-1]):
            work = ScriptedWork()
            self.engine.runner(stage, work).handle(self.engine.events.published[-1])
            ran += [stage] * work.runs
        return ran


@each_added_stage
def test_its_drift_checks_go_on(added: Stage) -> None:
    world = World(added)
    assert world.check_drift.tick().count == 1
    assert world.engine.topics() == ["l7-drift-check-due"]
    world.check()
    setup = world.engine.only()
    assert setup.status is Status.VERIFIED
    assert setup.check_at is not None
    assert setup.check_at > START


@pytest.mark.parametrize("added", registry.planned(FakePorts(None)))
def test_what_the_added_stage_would_change_is_found_and_does_not_end_the_checks(added: Stage) -> None:
    world = World(added)
    found = [world.check() for _ in range(2)][-1].findings
    assert added in {finding.stage for finding in found}


@each_added_stage
def test_same_request_once_more_runs_the_added_stage_too(added: Stage) -> None:
    world = World(added)
    world.engine.submit("message-2", request())
    assert world.engine.setups.history[-1].outcome == "restarted"
    assert world.run() == list(SETUP_STAGES)
    assert world.engine.only().status is Status.VERIFIED


@each_added_stage
def test_repoll_has_nothing_to_wake(added: Stage) -> None:
    world = World(added)
    world.engine.clock.advance(days=1)
    assert world.engine.repoll.handle().woken == 0


@each_added_stage
def test_run_that_had_come_to_the_added_stage_goes_on_with_it(added: Stage) -> None:
    world = World(added, added.earlier)
    world.engine.clock.advance(minutes=11)
    world.engine.repoll.handle()
    assert world.run() == list(SETUP_STAGES[SETUP_STAGES.index(added) :])
    assert world.engine.only().status is Status.VERIFIED


@pytest.mark.parametrize("added", SETUP_STAGES[:-2])
def test_run_that_was_past_the_added_stage_goes_on_without_it(added: Stage) -> None:
    passed = SETUP_STAGES.index(added) + 2
    world = World(added, SETUP_STAGES[:passed])
    world.engine.clock.advance(minutes=11)
    world.engine.repoll.handle()
    assert world.run() == list(SETUP_STAGES[passed:])
