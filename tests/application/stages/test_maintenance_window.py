"""What restarts Milvus waits for the maintenance window; nothing else does."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from milvus_l7.application.planning.planner import Planner
from milvus_l7.application.stages import registry
from milvus_l7.domain.planning import chain_plan
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.document import Setup, TearDown
from milvus_l7.domain.setup.maintenance_window import MaintenanceWindow
from milvus_l7.domain.setup.outcome import Done, Outcome, Waiting
from milvus_l7.domain.setup.supervision import Supervision
from tests.builders import new_setup
from tests.fakes.endpoint import FakeEndpointProbe
from tests.fakes.plaintext_release import cluster, release
from tests.fakes.ports import FakePorts, dry_run, stage
from tests.fakes.provisioning import FakeCertificates
from tests.fakes.releases import Killed, ReleaseCluster

WINDOW = MaintenanceWindow("02:00", "04:00", "Europe/Berlin")
DAY, OPENING = datetime(2026, 11, 23, 12, tzinfo=UTC), datetime(2026, 11, 24, 1, tzinfo=UTC)
SETUP = new_setup(supervision=Supervision(maintenance_window=WINDOW))


def run(there: ReleaseCluster, now: datetime, setup: Setup = SETUP) -> Outcome:
    return stage(Stage.PREPARE_TLS, there)(setup, now)


def test_upgrade_waits_until_the_window_begins_and_nothing_is_written_before() -> None:
    there = cluster(release())
    outcome = run(there, DAY)
    assert isinstance(outcome, Waiting)
    assert (outcome.reason, outcome.until) == (Reason.OUTSIDE_MAINTENANCE_WINDOW, OPENING)
    assert outcome.message == (
        "Milvus may restart 02:00-04:00 Europe/Berlin; that is next from 2026-11-24 02:00 CET on"
    )
    assert (there.helm.writes, there.kube.writes) == (0, 0)
    assert isinstance(run(there, OPENING), Done)
    assert there.helm.writes == 1


def test_what_is_there_before_the_change_is_recorded_when_that_begins() -> None:
    there = cluster(release())
    outcome = run(there, DAY)
    assert outcome.facts is not None
    assert (outcome.facts.before, outcome.facts.annotations_before) == (None, None)
    there.helm.revisions = [release(values={"service": {"type": "NodePort"}})]
    later = run(there, OPENING, replace(SETUP, facts=outcome.facts))
    assert later.facts is not None
    assert later.facts.before is not None
    assert later.facts.before.values["service.type"] == "NodePort"


def test_upgrade_does_not_begin_with_too_little_of_the_window_left() -> None:
    outcome = run(cluster(release()), OPENING + timedelta(minutes=116))
    assert isinstance(outcome, Waiting)
    assert outcome.until == OPENING + timedelta(days=1)


def test_upgrade_that_would_change_nothing_needs_no_window() -> None:
    there = cluster(release())
    run(there, OPENING)
    assert isinstance(run(there, DAY), Done)
    assert there.helm.writes == 1


def test_upgrade_that_was_left_half_way_is_taken_back_at_once() -> None:
    there = cluster(release())
    there.helm.kill_in = "pending"
    with pytest.raises(Killed):
        run(there, OPENING)
    outcome = run(there, DAY)
    assert isinstance(outcome, Waiting)
    assert outcome.reason is Reason.RELEASE_ROLLED_BACK


def test_tear_down_that_somebody_asks_for_restores_the_release_at_once() -> None:
    there = cluster(release())
    done = run(there, OPENING)
    assert done.facts is not None
    leaving = replace(SETUP, facts=done.facts, teardown=TearDown(restore_l4=True))
    stage(Stage.TEAR_DOWN, there, probe=FakeEndpointProbe("00"))(leaving, DAY)
    assert there.helm.writes == 2


def test_plan_shows_all_changes_and_when_those_begin_that_restart_milvus() -> None:
    ports = FakePorts(cluster(release()), certificates=FakeCertificates())
    plan = Planner(dry_run(ports), registry.planned).plan(SETUP, DAY)
    assert plan.refusal is None
    begins = {step.stage: step.begins_at for step in plan.steps}
    assert begins.pop(Stage.PREPARE_TLS) == OPENING
    assert set(begins.values()) == {None}
    free = Planner(dry_run(ports), registry.planned).plan(new_setup(), DAY)
    assert plan.changes == free.changes
    assert chain_plan.to_json(plan)["steps"][0]["begins_at"] == "2026-11-24T01:00:00+00:00"
