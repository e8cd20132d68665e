"""The event bus port, over the fake and over Pub/Sub (emulated, or Google's when its variable is set)."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol
from uuid import uuid4

import pytest
from google.pubsub_v1 import PublisherClient, SubscriberClient

from localcloud.pubsub import PubSubEmulator
from milvus_l7.adapters.setup.pubsub import PubSubEvents
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import StateUnavailable
from milvus_l7.domain.request.rejection import Problem, Rejection
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.event import from_payload
from milvus_l7.ports import Events
from tests.builders import TOPOLOGY, new_setup, trigger
from tests.fakes.state import FakeEvents

EVENT = trigger(new_setup(), Stage.PREPARE_TLS)
REJECTION = Rejection("message-7", Reason.INVALID_VALUE, (Problem("domain", '"x"', "needs a dot"),))


class Bus(Protocol):
    """An event bus, and what came out of it."""

    events: Events

    def received(self, topic: str) -> list[dict[str, Any]]: ...


@dataclass
class FakeBus:
    events: FakeEvents

    def received(self, topic: str) -> list[dict[str, Any]]:
        if topic == TOPOLOGY.rejected_topic:
            return [rejection.payload() for rejection in self.events.rejected]
        return [event.payload() for event in self.events.published if event.topic == topic]


@dataclass
class PubSubBus:
    events: PubSubEvents
    project: str

    def __post_init__(self) -> None:
        publisher, self.subscriber = PublisherClient(), SubscriberClient()
        for topic in (EVENT.topic, TOPOLOGY.rejected_topic):
            name = f"projects/{self.project}/topics/{topic}"
            publisher.create_topic(name=name)
            self.subscriber.create_subscription(name=self.subscription(topic), topic=name)

    def subscription(self, topic: str) -> str:
        return f"projects/{self.project}/subscriptions/{topic}-test"

    def messages(self, topic: str) -> list[Any]:
        pulled = self.subscriber.pull(subscription=self.subscription(topic), max_messages=10)
        return [received.message for received in pulled.received_messages]

    def received(self, topic: str) -> list[dict[str, Any]]:
        return [json.loads(message.data) for message in self.messages(topic)]


@pytest.fixture(scope="module")
def pubsub_host() -> Iterator[str]:
    if given := os.environ.get("PUBSUB_EMULATOR_HOST"):
        yield given
        return
    with PubSubEmulator() as emulator:
        yield emulator.address


@pytest.fixture
def pubsub(pubsub_host: str, monkeypatch: pytest.MonkeyPatch) -> PubSubBus:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", pubsub_host)
    project = f"test-{uuid4().hex[:12]}"
    return PubSubBus(PubSubEvents(project, TOPOLOGY.rejected_topic), project)


@pytest.fixture(params=["fake", "pubsub"])
def bus(request: pytest.FixtureRequest) -> Bus:
    if request.param == "fake":
        return FakeBus(FakeEvents())
    return request.getfixturevalue("pubsub")  # type: ignore[no-any-return]


def test_published_event_arrives_on_its_topic(bus: Bus) -> None:
    bus.events.publish(EVENT)
    (body,) = bus.received(EVENT.topic)
    assert from_payload(EVENT.topic, body) == EVENT


def test_publishing_again_repeats_the_event_id(bus: Bus) -> None:
    bus.events.publish(EVENT)
    bus.events.publish(EVENT)
    assert [body["event_id"] for body in bus.received(EVENT.topic)] == [EVENT.event_id] * 2


def test_events_published_together_arrive_on_their_topics(bus: Bus) -> None:
    others = [replace(EVENT, event_id=mark) for mark in ("2", "3")]
    bus.events.publish_all([others[0], replace(EVENT, topic=TOPOLOGY.rejected_topic), others[1]])
    assert sorted(body["event_id"] for body in bus.received(EVENT.topic)) == ["2", "3"]


def test_rejection_arrives_with_its_remedy(bus: Bus) -> None:
    bus.events.reject(REJECTION)
    (body,) = bus.received(TOPOLOGY.rejected_topic)
    assert body == json.loads(json.dumps(REJECTION.payload()))
    assert body["remedy"] == Reason.INVALID_VALUE.remedy


def test_event_id_is_an_attribute_too(pubsub: PubSubBus) -> None:
    pubsub.events.publish(EVENT)
    (message,) = pubsub.messages(EVENT.topic)
    assert message.attributes["event_id"] == EVENT.event_id


def test_a_topic_that_is_missing_is_unavailable(pubsub: PubSubBus) -> None:
    with pytest.raises(StateUnavailable, match="no-such-topic"):
        PubSubEvents(pubsub.project, "no-such-topic").reject(REJECTION)


def test_a_bus_that_does_not_answer_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", f"127.0.0.1:{closed.getsockname()[1]}")
        monkeypatch.setattr("milvus_l7.adapters.setup.pubsub.TRY_S", 0.2)
        monkeypatch.setattr("milvus_l7.adapters.setup.pubsub.TOTAL_S", 0.4)
        with pytest.raises(StateUnavailable):
            PubSubEvents("nowhere", "rejected").publish(EVENT)
