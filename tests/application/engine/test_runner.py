"""Running a stage: exactly once in effect, whatever happens to executions and events."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from milvus_l7.application.engine.runner import READINGS
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Conflict, Permanent, StateConflict, StateUnavailable, Transient
from milvus_l7.domain.setup.admission import Admission
from milvus_l7.domain.setup.chain import SETUP_STAGES, Stage
from milvus_l7.domain.setup.document import StageState
from milvus_l7.domain.setup.event import Event
from milvus_l7.domain.setup.facts import CertificateFacts, Facts
from milvus_l7.domain.setup.outcome import Done, Failed, Waiting
from milvus_l7.ports import Commit, Versioned
from tests.builders import request, trigger
from tests.fakes.engine import FakeEngine, ScriptedWork
from tests.fakes.state import START, FakeSetups

PLAN, FIRST, SECOND = Stage.PLAN_SETUP, Stage.PREPARE_TLS, Stage.CONFIGURE_HEALTH_CHECK


@pytest.fixture
def cloud() -> FakeEngine:
    """A setup that is planned, and nothing else."""
    engine = FakeEngine()
    engine.submit("m1", request())
    engine.plan()
    return engine


def planned(cloud: FakeEngine) -> Event:
    """The event that starts the first stage after the plan."""
    return cloud.events.published[1]


def test_done_stage_is_announced_and_leaves_nothing_in_the_outbox(cloud: FakeEngine) -> None:
    cloud.runner(FIRST).handle(planned(cloud))
    assert cloud.topics() == ["l7-setup-accepted", "l7-setup-planned", "l7-tls-prepared"]
    assert cloud.setups.outbox == {}


def test_whole_chain_ends_verified(cloud: FakeEngine) -> None:
    assert cloud.run_all() == list(SETUP_STAGES[1:])
    assert cloud.only().status == "verified"
    assert cloud.topics()[-1] == "l7-setup-verified"


@pytest.mark.parametrize(("sha256", "told"), [("new", True), ("old", False)])
def test_certificate_that_replaces_another_in_its_secret_is_announced(
    cloud: FakeEngine, sha256: str, told: bool
) -> None:
    def with_certificate(sha256: str) -> Done:
        return Done(Facts(certificate=CertificateFacts("x-tls", "pem", sha256, START)))

    cloud.runner(FIRST, ScriptedWork([with_certificate("old")])).handle(planned(cloud))
    assert "l7-certificate-reissued" not in cloud.topics()
    cloud.runner(SECOND, ScriptedWork([with_certificate(sha256)])).handle(cloud.events.published[-1])
    assert ("l7-certificate-reissued" in cloud.topics()) is told


def test_redelivered_event_does_not_run_the_stage_again(cloud: FakeEngine) -> None:
    work = ScriptedWork()
    runner = cloud.runner(FIRST, work)
    assert [runner.handle(planned(cloud)) for _ in range(3)] == [Admission.RUN, *[Admission.REPEAT] * 2]
    assert work.runs == 1
    assert len({event.event_id for event in cloud.events.published[2:]}) == 1


def test_transient_error_is_a_wait_with_its_reason(cloud: FakeEngine) -> None:
    work = ScriptedWork([Transient(Reason.CLUSTER_UNAVAILABLE, "503 from the API server")])
    cloud.runner(FIRST, work).handle(planned(cloud))
    record = cloud.only().record(FIRST)
    assert (record.state, record.reason, record.message) == (
        StageState.WAITING,
        Reason.CLUSTER_UNAVAILABLE,
        "503 from the API server",
    )


def test_permanent_error_fails_the_setup_and_is_announced(cloud: FakeEngine) -> None:
    work = ScriptedWork([Permanent(Reason.RELEASE_NOT_FOUND, "no release my-release")])
    cloud.runner(FIRST, work).handle(planned(cloud))
    assert (cloud.only().status, cloud.topics()[-1]) == ("failed", "l7-setup-failed")


def test_unknown_error_is_seen_on_the_setup_without_its_text(
    cloud: FakeEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    work = ScriptedWork([ValueError("-----BEGIN RSA PRIVATE KEY-----")])
    cloud.runner(FIRST, work).handle(planned(cloud))
    record = cloud.only().record(FIRST)
    assert (record.reason, record.message) == (Reason.INTERNAL_ERROR, "ValueError in prepare_tls")
    log = capsys.readouterr().out
    assert "ValueError" in log
    assert "PRIVATE KEY" not in log


def test_crash_after_the_commit_is_made_good_by_the_redelivery(cloud: FakeEngine) -> None:
    cloud.events.failure = StateUnavailable("bus down")
    with pytest.raises(StateUnavailable):
        cloud.runner(FIRST).handle(planned(cloud))
    cloud.events.failure = None
    assert cloud.runner(FIRST).handle(planned(cloud)) is Admission.REPEAT
    assert cloud.topics()[-1] == "l7-tls-prepared"


def test_result_of_an_execution_that_lost_its_lease_is_dropped(cloud: FakeEngine) -> None:
    event = planned(cloud)

    class Slow(ScriptedWork):
        def __call__(self, setup, now):  # type: ignore[no-untyped-def]
            cloud.clock.advance(hours=1)
            cloud.runner(FIRST).handle(event)
            return Failed(Reason.HELM_FAILED, "too late")

    cloud.runner(FIRST, Slow()).handle(event)
    assert cloud.only().record(FIRST).state is StageState.DONE
    assert "l7-setup-failed" not in cloud.topics()


def test_execution_whose_answer_to_the_lease_was_lost_still_holds_it(cloud: FakeEngine) -> None:
    work, setups = ScriptedWork(), cloud.setups
    engine = replace(cloud.engine, setups=Forgetful(setups), name=lambda: "mine")
    runner = replace(cloud.runner(FIRST, work), engine=engine)
    assert runner.handle(planned(cloud)) is Admission.RUN
    assert (work.runs, cloud.only().record(FIRST).state, cloud.only().executions) == (1, "done", 2)


@dataclass
class Forgetful:
    """A store that makes the first commit, and then says that the setup has changed."""

    setups: FakeSetups
    has_forgotten: bool = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.setups, name)

    def commit(self, commit: Commit) -> Versioned:
        written = self.setups.commit(commit)
        if not self.has_forgotten:
            self.has_forgotten = True
            raise StateConflict("no answer")
        return written


def test_conflict_with_what_was_read_is_looked_at_again_at_once_a_few_times(cloud: FakeEngine) -> None:
    conflict = Conflict(Reason.CLUSTER_UNAVAILABLE, "409")
    work = ScriptedWork([conflict, conflict, Done()])
    cloud.runner(FIRST, work).handle(planned(cloud))
    assert (work.runs, cloud.only().record(FIRST).state) == (3, StageState.DONE)


def test_conflict_that_lasts_is_a_wait(cloud: FakeEngine) -> None:
    work = ScriptedWork([Conflict(Reason.CLUSTER_UNAVAILABLE, "409")] * READINGS)
    cloud.runner(FIRST, work).handle(planned(cloud))
    record = cloud.only().record(FIRST)
    assert (work.runs, record.state, record.message) == (READINGS, StageState.WAITING, "409")


def test_repoll_during_a_stage_does_not_cost_the_result(cloud: FakeEngine) -> None:
    class Polled(ScriptedWork):
        def __call__(self, setup, now):  # type: ignore[no-untyped-def]
            cloud.clock.advance(minutes=6)
            cloud.repoll.handle()
            return Waiting(Reason.ROLLOUT_IN_PROGRESS, "slow")

    cloud.runner(FIRST, Polled()).handle(planned(cloud))
    assert cloud.only().record(FIRST).message == "slow"


def test_every_outcome_is_kept_in_the_history(cloud: FakeEngine) -> None:
    work = ScriptedWork([Waiting(Reason.ROLLOUT_IN_PROGRESS, "1 of 2 Pods")])
    runner = cloud.runner(FIRST, work)
    runner.handle(planned(cloud))
    cloud.clock.advance(minutes=1)
    runner.handle(planned(cloud))
    outcomes = [(entry.stage, entry.outcome, entry.reason) for entry in cloud.setups.history]
    assert outcomes == [
        ("accept_request", "created", None),
        ("plan_setup", "done", None),
        ("prepare_tls", "waiting", "RolloutInProgress"),
        ("prepare_tls", "done", None),
    ]


def test_event_for_an_unknown_setup_is_ignored() -> None:
    cloud = FakeEngine()
    cloud.submit("m1", request())
    event = trigger(cloud.only(), PLAN)
    cloud.setups.stored.clear()
    assert cloud.runner(PLAN).handle(event) is Admission.STALE
