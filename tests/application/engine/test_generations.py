"""What is asked for while an execution is under way, and what becomes of a request that is refused."""

from __future__ import annotations

import pytest

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.setup.admission import Admission
from milvus_l7.domain.setup.chain import SETUP_STAGES, Stage
from milvus_l7.domain.setup.event import Event
from milvus_l7.domain.setup.facts import Facts
from milvus_l7.domain.setup.outcome import Done, Failed, Outcome, Waiting
from tests.builders import TOPOLOGY, request
from tests.fakes.engine import During, FakeEngine, ScriptedWork

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


def test_tear_down_during_a_stage_discards_the_result_and_begins_at_once(cloud: FakeEngine) -> None:
    work = During([Done(Facts(address="192.0.2.1"))], happening=lambda: cloud.tear_down("t1"))
    cloud.runner(FIRST, work).handle(planned(cloud))
    setup = cloud.only()
    assert (setup.generation, setup.lease, setup.facts.address) == (2, None, None)
    assert "l7-tls-prepared" not in cloud.topics()
    assert cloud.run_all() == ["tear_down"]


@pytest.mark.parametrize(
    "outcome", [Done(), Failed(Reason.HELM_FAILED, "old"), Waiting(Reason.ROLLOUT_IN_PROGRESS, "old")]
)
def test_request_changed_during_a_stage_is_planned_at_once_when_that_has_ended(
    cloud: FakeEngine, outcome: Outcome
) -> None:
    cloud.runner(FIRST, During([outcome], happening=lambda: cloud.submit("m2", OTHER))).handle(planned(cloud))
    assert (cloud.only().generation, cloud.only().current, cloud.only().lease) == (2, PLAN, None)
    assert cloud.run_all() == list(SETUP_STAGES)
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
    assert cloud.run_all() == list(SETUP_STAGES)
    assert (cloud.only().desired.domain, cloud.only().generation) == ("d5.example.com", 5)


def test_late_result_of_a_generation_before_starts_the_newest_one_and_is_not_in_the_history(
    cloud: FakeEngine,
) -> None:
    work = During([Failed(Reason.HELM_FAILED, "old")], happening=lambda: cloud.tear_down("t1"))
    cloud.runner(FIRST, work).handle(planned(cloud))
    event = cloud.events.published[-1]
    assert (event.topic, event.generation) == (TOPOLOGY.trigger(DOWN), 2)
    assert "l7-setup-failed" not in cloud.topics()
    assert [entry.outcome for entry in cloud.setups.history][-1] == "changed"


def test_result_while_a_request_is_to_be_planned_is_told_of_the_generation_that_it_is_of(
    cloud: FakeEngine,
) -> None:
    failed = Failed(Reason.HELM_FAILED, "old")
    work = During([failed], happening=lambda: cloud.submit("m2", OTHER))
    cloud.runner(FIRST, work).handle(planned(cloud))
    told = next(event for event in cloud.events.published if event.topic == "l7-setup-failed")
    assert (told.stage, told.generation) == ("prepare_tls", 1)
    assert (cloud.setups.history[-1].outcome, cloud.setups.history[-1].generation) == ("failed", 1)
    following = cloud.events.published[-1]
    assert (following.topic, following.generation) == (TOPOLOGY.trigger(PLAN), 2)


# A plan that refuses.


def refuse(cloud: FakeEngine) -> None:
    work = ScriptedWork([Failed(Reason.MUTUAL_TLS, "tlsMode 2")])
    cloud.runner(PLAN, work).handle(cloud.events.published[-1])


def test_refused_request_of_a_verified_setup_is_announced_and_leaves_it_verified(cloud: FakeEngine) -> None:
    cloud.run_all()
    cloud.submit("m2", OTHER)
    refuse(cloud)
    assert cloud.only().status == "verified"
    assert cloud.topics()[-1] == "l7-setup-failed"
    assert cloud.events.published[-1].generation == 2
    entry = cloud.setups.history[-1]
    assert (entry.stage, entry.outcome, entry.generation) == ("plan_setup", "refused", 2)
    assert (entry.reason, entry.message) == (Reason.MUTUAL_TLS, "tlsMode 2")


def test_request_after_a_refused_one_works(cloud: FakeEngine) -> None:
    cloud.run_all()
    cloud.submit("m2", OTHER)
    refuse(cloud)
    cloud.submit("m3", request(domain="third.example.com"))
    assert cloud.run_all() == list(SETUP_STAGES)
    assert (cloud.only().status, cloud.only().desired.domain) == ("verified", "third.example.com")


def test_refused_request_lets_the_chain_that_it_came_into_go_on_at_once(cloud: FakeEngine) -> None:
    cloud.runner(FIRST).handle(planned(cloud))
    cloud.submit("m2", OTHER)
    refuse(cloud)
    assert cloud.topics()[-2:] == ["l7-setup-failed", TOPOLOGY.trigger(SECOND)]
    assert [event.generation for event in cloud.events.published[-2:]] == [2, 1]
    assert cloud.run_all() == list(SETUP_STAGES[2:])
    assert (cloud.only().status, cloud.only().desired.domain) == ("verified", "my-release.milvus.io")


def test_first_request_that_is_refused_is_announced_and_fails() -> None:
    cloud = FakeEngine()
    cloud.submit("m1", request(on_failure="restore"))
    refuse(cloud)
    assert (cloud.only().status, cloud.topics()) == ("failed", ["l7-setup-accepted", "l7-setup-failed"])
    assert cloud.setups.history[-1].outcome == "refused"
