"""What becomes of a message on `l7-teardown-requested`, and of a dry-run request."""

from __future__ import annotations

import json

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.request.registration import Effect
from milvus_l7.domain.request.rejection import Rejection
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.document import Status
from milvus_l7.domain.setup.outcome import Failed
from tests.builders import CLUSTER, TOPOLOGY, request
from tests.fakes.engine import FakeEngine, ScriptedWork


def wish(**changes: object) -> bytes:
    return json.dumps({"cluster": CLUSTER, "release": "my-release", **changes}).encode()


def test_tear_down_of_a_setup_starts_its_way_back() -> None:
    cloud = FakeEngine()
    cloud.accept.handle("m1", request())
    assert cloud.accept_tear_down.handle("m2", wish(restore_l4=True)) is Effect.CHANGED
    setup = cloud.only()
    assert (setup.generation, setup.current) == (2, Stage.TEAR_DOWN)
    event = cloud.events.published[-1]
    assert (event.topic, event.generation) == (TOPOLOGY.trigger(Stage.TEAR_DOWN), 2)


def test_same_tear_down_message_starts_one() -> None:
    cloud = FakeEngine()
    cloud.accept.handle("m1", request())
    cloud.accept_tear_down.handle("m2", wish())
    published = len(cloud.events.published)
    assert cloud.accept_tear_down.handle("m2", wish()) is Effect.NONE
    assert len(cloud.events.published) == published


def test_tear_down_runs_to_its_end_and_is_announced() -> None:
    cloud = FakeEngine()
    cloud.accept.handle("m1", request())
    cloud.accept_tear_down.handle("m2", wish())
    cloud.runner(Stage.TEAR_DOWN).handle(cloud.events.published[-1])
    assert cloud.only().status is Status.TORN_DOWN
    assert cloud.topics()[-1] == "l7-setup-torn-down"


def test_tear_down_of_an_unknown_setup_is_rejected() -> None:
    found = FakeEngine().accept_tear_down.handle("m1", wish())
    assert isinstance(found, Rejection)
    assert found.reason is Reason.SETUP_NOT_FOUND


def test_tear_down_with_an_unknown_field_or_a_bad_name_is_rejected_by_name() -> None:
    for body, field in ((wish(restore=True), "restore"), (wish(release="UPPER"), "release")):
        found = FakeEngine().accept_tear_down.handle("m1", body)
        assert isinstance(found, Rejection)
        assert found.problems[0].field == field


def test_dry_run_registers_no_setup_and_asks_for_a_plan_once_per_message() -> None:
    cloud = FakeEngine()
    for _ in range(2):
        cloud.accept.handle("m1", request(dry_run=True))
    assert cloud.setups.stored == {}
    (plan_id,) = cloud.plans.stored
    assert plan_id.endswith(".plan.m1")
    assert {event.event_id for event in cloud.events.published} == {plan_id}


def test_failed_first_set_up_that_shall_be_restored_announces_both() -> None:
    cloud = FakeEngine()
    cloud.accept.handle("m1", request(on_failure="restore"))
    work = ScriptedWork([Failed(Reason.MUTUAL_TLS, "tlsMode 2")])
    cloud.runner(Stage.PREPARE_TLS, work).handle(cloud.events.published[-1])
    assert cloud.topics()[-2:] == ["l7-setup-failed", "l7-teardown-requested"]
    assert cloud.setups.history[-1].outcome == "failed"
    assert cloud.only().current is Stage.TEAR_DOWN
