"""Chain events and the deliveries that carry them."""

from __future__ import annotations

import base64
import json

import pytest

from milvus_l7.domain.reasons.errors import MalformedEvent
from milvus_l7.domain.request.delivery import chain_event, pushed_message
from milvus_l7.domain.setup import event
from milvus_l7.domain.setup.chain import SETUP_STAGES, Stage
from tests.builders import TOPOLOGY, new_setup, requested_setup, trigger


def data_of(body: object) -> dict[str, object]:
    return {"message": {"data": base64.b64encode(json.dumps(body).encode()).decode()}}


def test_event_survives_the_journey() -> None:
    sent = trigger(new_setup(), Stage.CREATE_INGRESS)
    assert chain_event(data_of(sent.payload()), sent.topic) == sent


def test_event_carries_ids_only() -> None:
    assert set(trigger(new_setup(), Stage.CREATE_INGRESS).payload()) == {
        "schema_version",
        "event_id",
        "setup_id",
        "generation",
        "stage",
    }


def test_each_stage_is_triggered_by_the_announcement_of_the_one_before() -> None:
    setup = new_setup()
    for stage in Stage:
        if stage.following:
            announced = event.announcement(setup, stage, TOPOLOGY)
            assert announced.topic == TOPOLOGY.trigger(stage.following)
    begun = event.start(requested_setup(), TOPOLOGY, "m1")
    assert begun is not None
    assert begun.topic == TOPOLOGY.trigger(SETUP_STAGES[0]) == TOPOLOGY.functions["accept_request"].announces


@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        {"message": None},
        {"message": {"attributes": {"a": "b"}}},
        {"message": {"data": "%%%"}},
        data_of([]),
        data_of({"schema_version": 2}),
        data_of({**trigger(new_setup(), Stage.CREATE_INGRESS).payload(), "generation": "1"}),
        data_of({"schema_version": 1, "event_id": "x", "setup_id": "y", "stage": "z"}),
    ],
)
def test_delivery_that_is_no_event_is_refused(data: object) -> None:
    with pytest.raises(MalformedEvent):
        chain_event(data, "l7-tls-prepared")


def test_pushed_message_without_data_has_no_body() -> None:
    push = {"message": {"attributes": {"a": "b"}, "messageId": "7"}, "subscription": "s"}
    assert pushed_message(json.dumps(push).encode()) == ("7", None)


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"null", b'{"message": 5}', b'{"message": {}}'])
def test_post_that_is_no_push_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedEvent):
        pushed_message(body)
