"""Running a stage: exactly once in effect, whatever happens to executions and events."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pytest

from milvus_l7.application.engine.execution import Execution
from milvus_l7.application.engine.runner import READINGS
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Conflict, Permanent, StateConflict, StateUnavailable, Transient
from milvus_l7.domain.setup.budget import CRASHES
from milvus_l7.domain.setup.chain import SETUP_STAGES, Stage
from milvus_l7.domain.setup.document import Setup, StageState
from milvus_l7.domain.setup.event import Event
from milvus_l7.domain.setup.facts import CertificateFacts, Facts
from milvus_l7.domain.setup.outcome import Done, Failed, Outcome, Waiting
from milvus_l7.domain.setup.transitions import Admission
from milvus_l7.ports import Commit, Versioned
from tests.builders import CLUSTER, TOPOLOGY, request, trigger
from tests.fakes.engine import FakeEngine, ScriptedWork
from tests.fakes.state import START, FakeSetups

PLAN, FIRST, SECOND = Stage.PLAN_SETUP, Stage.PREPARE_TLS, Stage.CONFIGURE_HEALTH_CHECK
DOWN = Stage.TEAR_DOWN
OTHER = request(domain="other.example.com")


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


def run_all(cloud: FakeEngine) -> list[str]:
    """Deliver the last event, and what follows from it, until nothing does; the stages that ran."""
    by_topic, ran = {TOPOLOGY.trigger(stage): stage for stage in Stage}, []
    while stage := by_topic.get(cloud.topics()[-1]):
        if cloud.runner(stage).handle(cloud.events.published[-1]) is not Admission.RUN:
            break
        ran.append(str(stage))
    return ran


def down(cloud: FakeEngine, message_id: str = "t1") -> None:
    cloud.submit_tear_down(message_id, json.dumps({"cluster": CLUSTER, "release": "my-release"}).encode())


def test_done_stage_is_announced_and_leaves_nothing_in_the_outbox(cloud: FakeEngine) -> None:
    cloud.runner(FIRST).handle(planned(cloud))
    assert cloud.topics() == ["l7-setup-accepted", "l7-setup-planned", "l7-tls-prepared"]
    assert cloud.setups.outbox == {}


def test_whole_chain_ends_verified(cloud: FakeEngine) -> None:
    assert run_all(cloud) == list(SETUP_STAGES[1:])
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


@dataclass
class During(ScriptedWork):
    """A stage during which something happens, then plays its script."""

    happening: Callable[[], object] = lambda: None

    def __call__(self, setup: Setup, now: datetime) -> Outcome:
        self.happening()
        return super().__call__(setup, now)


def test_tear_down_during_a_stage_discards_the_result_and_begins_at_once(cloud: FakeEngine) -> None:
    work = During([Done(Facts(address="192.0.2.1"))], happening=lambda: down(cloud))
    cloud.runner(FIRST, work).handle(planned(cloud))
    setup = cloud.only()
    assert (setup.generation, setup.lease, setup.facts.address) == (2, None, None)
    assert "l7-tls-prepared" not in cloud.topics()
    assert run_all(cloud) == ["tear_down"]


@pytest.mark.parametrize(
    "outcome", [Done(), Failed(Reason.HELM_FAILED, "old"), Waiting(Reason.ROLLOUT_IN_PROGRESS, "old")]
)
def test_request_changed_during_a_stage_is_planned_at_once_when_that_has_ended(
    cloud: FakeEngine, outcome: Outcome
) -> None:
    cloud.runner(FIRST, During([outcome], happening=lambda: cloud.submit("m2", OTHER))).handle(planned(cloud))
    assert (cloud.only().generation, cloud.only().current, cloud.only().lease) == (2, PLAN, None)
    assert run_all(cloud) == list(SETUP_STAGES)
    assert cloud.only().desired.domain == "other.example.com"


def test_request_during_a_stage_starts_nothing_while_that_runs(cloud: FakeEngine) -> None:
    admitted = []

    def change() -> None:
        cloud.submit("m2", OTHER)
        admitted.append(cloud.runner(PLAN).handle(cloud.events.published[-1]))

    cloud.runner(FIRST, During(happening=change)).handle(planned(cloud))
    assert admitted == [Admission.BUSY]


def test_requests_that_come_during_a_stage_are_planned_once(cloud: FakeEngine) -> None:
    def change() -> None:
        for number in range(2, 6):
            cloud.submit(f"m{number}", request(domain=f"d{number}.example.com"))

    cloud.runner(FIRST, During(happening=change)).handle(planned(cloud))
    assert run_all(cloud) == list(SETUP_STAGES)
    assert (cloud.only().desired.domain, cloud.only().generation) == ("d5.example.com", 5)


def test_late_result_of_a_generation_before_starts_the_newest_one_and_is_not_in_the_history(
    cloud: FakeEngine,
) -> None:
    work = During([Failed(Reason.HELM_FAILED, "old")], happening=lambda: down(cloud))
    cloud.runner(FIRST, work).handle(planned(cloud))
    event = cloud.events.published[-1]
    assert (event.topic, event.generation) == (TOPOLOGY.trigger(DOWN), 2)
    assert "l7-setup-failed" not in cloud.topics()
    assert [entry.outcome for entry in cloud.setups.history][-1] == "changed"


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


# A plan that refuses.


def refuse(cloud: FakeEngine) -> None:
    work = ScriptedWork([Failed(Reason.MUTUAL_TLS, "tlsMode 2")])
    cloud.runner(PLAN, work).handle(cloud.events.published[-1])


def test_refused_request_of_a_verified_setup_is_announced_and_leaves_it_verified(cloud: FakeEngine) -> None:
    run_all(cloud)
    cloud.submit("m2", OTHER)
    refuse(cloud)
    assert cloud.only().status == "verified"
    assert cloud.topics()[-1] == "l7-setup-failed"
    assert cloud.events.published[-1].generation == 2
    entry = cloud.setups.history[-1]
    assert (entry.stage, entry.outcome, entry.generation) == ("plan_setup", "refused", 2)
    assert (entry.reason, entry.message) == (Reason.MUTUAL_TLS, "tlsMode 2")


def test_request_after_a_refused_one_works(cloud: FakeEngine) -> None:
    run_all(cloud)
    cloud.submit("m2", OTHER)
    refuse(cloud)
    cloud.submit("m3", request(domain="third.example.com"))
    assert run_all(cloud) == list(SETUP_STAGES)
    assert (cloud.only().status, cloud.only().desired.domain) == ("verified", "third.example.com")


def test_refused_request_lets_the_chain_that_it_came_into_go_on_at_once(cloud: FakeEngine) -> None:
    cloud.runner(FIRST).handle(planned(cloud))
    cloud.submit("m2", OTHER)
    refuse(cloud)
    assert cloud.topics()[-2:] == ["l7-setup-failed", TOPOLOGY.trigger(SECOND)]
    assert run_all(cloud) == list(SETUP_STAGES[2:])
    assert (cloud.only().status, cloud.only().desired.domain) == ("verified", "my-release.milvus.io")


def test_first_request_that_is_refused_is_announced_and_fails() -> None:
    cloud = FakeEngine()
    cloud.submit("m1", request(on_failure="restore"))
    refuse(cloud)
    assert (cloud.only().status, cloud.topics()) == ("failed", ["l7-setup-accepted", "l7-setup-failed"])
    assert cloud.setups.history[-1].outcome == "refused"


# A budget that is spent.


def test_stage_whose_executions_always_die_fails_and_is_announced(cloud: FakeEngine) -> None:
    event, begun = planned(cloud), 0
    for _ in range(50):
        work = ScriptedWork([KeyboardInterrupt()])
        with suppress(KeyboardInterrupt):
            cloud.runner(FIRST, work).handle(event)
        begun += work.runs
        cloud.clock.advance(minutes=6)
    assert begun == CRASHES
    record = cloud.only().record(FIRST)
    assert (record.state, record.reason) == (StageState.FAILED, Reason.EXECUTION_LOST)
    assert cloud.topics()[-1] == "l7-setup-failed"
    assert cloud.topics().count("l7-setup-failed") == 1
    assert cloud.setups.history[-1].outcome == "failed"


# An effect that was begun and not settled.


class Interrupted(ScriptedWork):
    """A stage that begins an effect, and then plays its script."""

    def after(self, execution: Execution) -> Interrupted:
        execution.record(Facts(address="192.0.2.1"), begins_effect=True)
        return self


def test_execution_that_dies_after_it_began_an_effect_is_followed_by_a_take_back(cloud: FakeEngine) -> None:
    work, back = Interrupted([KeyboardInterrupt()]), ScriptedWork()
    runner = replace(cloud.runner(FIRST), work=work.after)
    with pytest.raises(KeyboardInterrupt):
        runner.handle(planned(cloud))
    cloud.clock.advance(minutes=6)
    assert replace(runner, take_back=lambda _: back).handle(planned(cloud)) is Admission.RUN
    assert (work.runs, back.runs, cloud.only().effect) == (1, 1, None)
    assert cloud.events.published[-1].topic == TOPOLOGY.trigger(FIRST)
    assert run_all(cloud) == list(SETUP_STAGES[1:])


@pytest.mark.parametrize("overtake", ["set-up", "tear-down"])
def test_take_back_comes_before_what_was_asked_for_since(cloud: FakeEngine, overtake: str) -> None:
    runner = replace(cloud.runner(FIRST), work=Interrupted([KeyboardInterrupt()]).after)
    with pytest.raises(KeyboardInterrupt):
        runner.handle(planned(cloud))
    cloud.clock.advance(minutes=6)
    if overtake == "set-up":
        cloud.submit("m2", OTHER)
    else:
        down(cloud)
    event = cloud.events.published[-1]
    assert event.topic == TOPOLOGY.trigger(FIRST)
    assert run_all(cloud)[:2] == ["prepare_tls", "plan_setup" if overtake == "set-up" else "tear_down"]


def test_tear_down_after_a_lease_that_was_lost_looks_twice(cloud: FakeEngine) -> None:
    with pytest.raises(KeyboardInterrupt):
        cloud.runner(FIRST, ScriptedWork([KeyboardInterrupt()])).handle(planned(cloud))
    cloud.clock.advance(minutes=6)
    down(cloud)
    work, event = ScriptedWork(), cloud.events.published[-1]
    for _ in range(2):
        cloud.runner(DOWN, work).handle(event)
    assert (work.runs, cloud.only().status) == (1, "waiting")
    cloud.clock.advance(minutes=1)
    cloud.repoll.handle()
    cloud.runner(DOWN, work).handle(cloud.events.published[-1])
    assert (work.runs, cloud.only().status, cloud.topics()[-1]) == (2, "torn-down", "l7-setup-torn-down")


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
