"""Running a stage: exactly once in effect, whatever happens to executions and events."""

from __future__ import annotations

import pytest

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Permanent, StateUnavailable, Transient
from milvus_l7.domain.setup.chain import SETUP_STAGES
from milvus_l7.domain.setup.document import StageState
from milvus_l7.domain.setup.event import Event
from milvus_l7.domain.setup.facts import CertificateFacts, Facts
from milvus_l7.domain.setup.outcome import Done, Failed, Waiting
from milvus_l7.domain.setup.transitions import Admission
from tests.builders import request, trigger
from tests.fakes.engine import FakeEngine, ScriptedWork
from tests.fakes.state import START

FIRST, SECOND = SETUP_STAGES[0], SETUP_STAGES[1]


@pytest.fixture
def cloud() -> FakeEngine:
    engine = FakeEngine()
    engine.accept.handle("m1", request())
    return engine


def accepted(cloud: FakeEngine) -> Event:
    return cloud.events.published[0]


def test_done_stage_is_announced_and_leaves_nothing_in_the_outbox(cloud: FakeEngine) -> None:
    cloud.runner(FIRST).handle(accepted(cloud))
    assert cloud.topics() == ["l7-setup-accepted", "l7-tls-prepared"]
    assert cloud.setups.outbox == {}


def test_whole_chain_ends_verified(cloud: FakeEngine) -> None:
    for stage in SETUP_STAGES:
        cloud.runner(stage).handle(cloud.events.published[-1])
    assert cloud.only().status == "verified"
    assert cloud.topics()[-1] == "l7-setup-verified"


@pytest.mark.parametrize(("sha256", "told"), [("new", True), ("old", False)])
def test_certificate_that_replaces_another_in_its_secret_is_announced(
    cloud: FakeEngine, sha256: str, told: bool
) -> None:
    def with_certificate(sha256: str) -> Done:
        return Done(Facts(certificate=CertificateFacts("x-tls", "pem", sha256, START)))

    cloud.runner(FIRST, ScriptedWork([with_certificate("old")])).handle(accepted(cloud))
    assert "l7-certificate-reissued" not in cloud.topics()
    cloud.runner(SECOND, ScriptedWork([with_certificate(sha256)])).handle(cloud.events.published[-1])
    assert ("l7-certificate-reissued" in cloud.topics()) is told


def test_redelivered_event_does_not_run_the_stage_again(cloud: FakeEngine) -> None:
    work = ScriptedWork()
    runner = cloud.runner(FIRST, work)
    assert [runner.handle(accepted(cloud)) for _ in range(3)] == [Admission.RUN, *[Admission.REPEAT] * 2]
    assert work.runs == 1
    assert len({event.event_id for event in cloud.events.published[1:]}) == 1


def test_transient_error_is_a_wait_with_its_reason(cloud: FakeEngine) -> None:
    work = ScriptedWork([Transient(Reason.CLUSTER_UNAVAILABLE, "503 from the API server")])
    cloud.runner(FIRST, work).handle(accepted(cloud))
    record = cloud.only().record(FIRST)
    assert (record.state, record.reason, record.message) == (
        StageState.WAITING,
        Reason.CLUSTER_UNAVAILABLE,
        "503 from the API server",
    )


def test_permanent_error_fails_the_setup_and_is_announced(cloud: FakeEngine) -> None:
    work = ScriptedWork([Permanent(Reason.RELEASE_NOT_FOUND, "no release my-release")])
    cloud.runner(FIRST, work).handle(accepted(cloud))
    assert (cloud.only().status, cloud.topics()[-1]) == ("failed", "l7-setup-failed")


def test_unknown_error_is_seen_on_the_setup_without_its_text(
    cloud: FakeEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    work = ScriptedWork([ValueError("-----BEGIN RSA PRIVATE KEY-----")])
    cloud.runner(FIRST, work).handle(accepted(cloud))
    record = cloud.only().record(FIRST)
    assert (record.reason, record.message) == (Reason.INTERNAL_ERROR, "ValueError in prepare_tls")
    log = capsys.readouterr().out
    assert "ValueError" in log
    assert "PRIVATE KEY" not in log


def test_crash_after_the_commit_is_made_good_by_the_redelivery(cloud: FakeEngine) -> None:
    cloud.events.failure = StateUnavailable("bus down")
    with pytest.raises(StateUnavailable):
        cloud.runner(FIRST).handle(accepted(cloud))
    cloud.events.failure = None
    assert cloud.runner(FIRST).handle(accepted(cloud)) is Admission.REPEAT
    assert cloud.topics()[-1] == "l7-tls-prepared"


def test_result_of_an_execution_that_lost_its_lease_is_dropped(cloud: FakeEngine) -> None:
    event = accepted(cloud)

    class Slow(ScriptedWork):
        def __call__(self, setup, now):  # type: ignore[no-untyped-def]
            cloud.clock.advance(hours=1)
            cloud.runner(FIRST).handle(event)
            return Failed(Reason.HELM_FAILED, "too late")

    cloud.runner(FIRST, Slow()).handle(event)
    assert cloud.only().record(FIRST).state is StageState.DONE
    assert "l7-setup-failed" not in cloud.topics()


def test_request_changed_during_a_stage_discards_the_result(cloud: FakeEngine) -> None:
    class Overtaken(ScriptedWork):
        def __call__(self, setup, now):  # type: ignore[no-untyped-def]
            cloud.accept.handle("m2", request(domain="other.example.com"))
            return Failed(Reason.HELM_FAILED, "for the old domain")

    cloud.runner(FIRST, Overtaken()).handle(accepted(cloud))
    assert (cloud.only().generation, cloud.only().status) == (2, "accepted")


def test_repoll_during_a_stage_does_not_cost_the_result(cloud: FakeEngine) -> None:
    class Polled(ScriptedWork):
        def __call__(self, setup, now):  # type: ignore[no-untyped-def]
            cloud.clock.advance(minutes=6)
            cloud.repoll.handle()
            return Waiting(Reason.ROLLOUT_IN_PROGRESS, "slow")

    cloud.runner(FIRST, Polled()).handle(accepted(cloud))
    assert cloud.only().record(FIRST).message == "slow"


def test_every_outcome_is_kept_in_the_history(cloud: FakeEngine) -> None:
    work = ScriptedWork([Waiting(Reason.ROLLOUT_IN_PROGRESS, "1 of 2 Pods")])
    runner = cloud.runner(FIRST, work)
    runner.handle(accepted(cloud))
    cloud.clock.advance(minutes=1)
    runner.handle(accepted(cloud))
    outcomes = [(entry.stage, entry.outcome, entry.reason) for entry in cloud.setups.history]
    assert outcomes == [
        ("accept_request", "created", None),
        ("prepare_tls", "waiting", "RolloutInProgress"),
        ("prepare_tls", "done", None),
    ]


def test_event_for_an_unknown_setup_is_ignored() -> None:
    cloud = FakeEngine()
    cloud.accept.handle("m1", request())
    event = trigger(cloud.only(), FIRST)
    cloud.setups.stored.clear()
    assert cloud.runner(FIRST).handle(event) is Admission.STALE
