"""What becomes of a message on `l7-teardown-requested`, and of a dry-run request."""

from __future__ import annotations

import json
from dataclasses import replace

from milvus_l7.application.engine.execution import Execution
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.request.registration import Effect
from milvus_l7.domain.request.rejection import Rejection
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.document import Status
from milvus_l7.domain.setup.facts import Facts
from milvus_l7.domain.setup.outcome import Failed
from tests.builders import CLUSTER, TOPOLOGY, request
from tests.fakes.engine import FakeEngine, ScriptedWork


def wish(**changes: object) -> bytes:
    return json.dumps({"cluster": CLUSTER, "release": "my-release", **changes}).encode()


def test_tear_down_of_a_setup_starts_its_way_back() -> None:
    cloud = FakeEngine()
    cloud.submit("m1", request())
    assert cloud.submit_tear_down("m2", wish(restore_l4=True)) is Effect.CHANGED
    setup = cloud.only()
    assert (setup.generation, setup.current) == (2, Stage.TEAR_DOWN)
    event = cloud.events.published[-1]
    assert (event.topic, event.generation) == (TOPOLOGY.trigger(Stage.TEAR_DOWN), 2)


def test_same_tear_down_message_starts_one() -> None:
    cloud = FakeEngine()
    cloud.submit("m1", request())
    cloud.submit_tear_down("m2", wish())
    published = len(cloud.events.published)
    assert cloud.submit_tear_down("m2", wish()) is Effect.NONE
    assert len(cloud.events.published) == published


def test_tear_down_runs_to_its_end_and_is_announced() -> None:
    cloud = FakeEngine()
    cloud.submit("m1", request())
    cloud.submit_tear_down("m2", wish())
    cloud.runner(Stage.TEAR_DOWN).handle(cloud.events.published[-1])
    assert cloud.only().status is Status.TORN_DOWN
    assert cloud.topics()[-1] == "l7-setup-torn-down"


def test_tear_down_of_an_unknown_setup_is_rejected() -> None:
    found = FakeEngine().submit_tear_down("m1", wish())
    assert isinstance(found, Rejection)
    assert found.reason is Reason.SETUP_NOT_FOUND


def test_set_up_published_before_the_tear_down_of_an_unknown_setup_and_delivered_after_it_is_superseded() -> (
    None
):
    cloud = FakeEngine()
    earlier = cloud.clock.now()
    cloud.clock.advance(minutes=1)
    cloud.submit_tear_down("t1", wish())
    assert cloud.submit("m1", request(), earlier) is Effect.SUPERSEDED
    assert cloud.only().status is Status.TORN_DOWN
    assert [each.reason for each in cloud.events.rejected] == [Reason.SETUP_NOT_FOUND, Reason.SUPERSEDED]
    assert cloud.topics() == []


def test_tear_down_of_a_tombstone_is_rejected_as_that_of_an_unknown_setup() -> None:
    cloud = FakeEngine()
    for number in (1, 2):
        found = cloud.submit_tear_down(f"t{number}", wish())
        assert isinstance(found, Rejection)
        assert found.reason is Reason.SETUP_NOT_FOUND


def test_late_tear_down_is_announced_as_superseded_and_takes_nothing_away() -> None:
    cloud = FakeEngine()
    earlier = cloud.clock.now()
    cloud.clock.advance(minutes=1)
    cloud.submit("m1", request())
    assert cloud.submit_tear_down("t1", wish(), earlier) is Effect.SUPERSEDED
    assert [each.reason for each in cloud.events.rejected] == [Reason.SUPERSEDED]
    assert cloud.only().teardown is None


def test_tear_down_with_an_unknown_field_or_a_bad_name_is_rejected_by_name() -> None:
    for body, field in ((wish(restore=True), "restore"), (wish(release="UPPER"), "release")):
        found = FakeEngine().submit_tear_down("m1", body)
        assert isinstance(found, Rejection)
        assert found.problems[0].field == field


def test_dry_run_registers_no_setup_and_asks_for_a_plan_once_per_message() -> None:
    cloud = FakeEngine()
    for _ in range(2):
        cloud.submit("m1", request(dry_run=True))
    assert cloud.setups.stored == {}
    (plan_id,) = cloud.plans.stored
    assert plan_id.endswith(".plan.m1")
    assert {event.event_id for event in cloud.events.published} == {plan_id}


class Writing(ScriptedWork):
    """A stage that stores what it is about to write, and then plays its script."""

    def after(self, execution: Execution) -> Writing:
        execution.record(Facts(address="192.0.2.1"))
        return self


def test_failed_first_set_up_that_shall_be_restored_announces_both() -> None:
    cloud = FakeEngine()
    cloud.submit("m1", request(on_failure="restore"))
    work = Writing([Failed(Reason.MUTUAL_TLS, "tlsMode 2")])
    replace(cloud.runner(Stage.PREPARE_TLS), work=work.after).handle(cloud.plan())
    assert cloud.topics()[-2:] == ["l7-setup-failed", "l7-teardown-requested"]
    assert cloud.setups.history[-1].outcome == "failed"
    assert cloud.only().current is Stage.TEAR_DOWN
