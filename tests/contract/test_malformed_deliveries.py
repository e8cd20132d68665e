"""Whatever a message says, no function fails with it: requests are refused by name, events with 400."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from google.pubsub_v1 import PublisherClient, SubscriberClient

from infra.bundle import bundle, function_names
from localcloud.firestore import FirestoreEmulator
from localcloud.functions import Functions
from localcloud.guard import Guard
from localcloud.pubsub import PubSubEmulator
from milvus_l7.domain.setup.chain import Stage
from tests.builders import TOPOLOGY, new_setup, request, trigger

PROJECT = "milvus-testing-nonprod"
EVENT = trigger(new_setup(), Stage.CREATE_INGRESS).payload()
EVENTS = [name for name in function_names() if name not in ("accept_request", "repoll", "tear_down")]
REQUESTS = ["accept_request", "tear_down"]

DEEP = b'{"a":' * 974
HALF = {"event_id": "x", "setup_id": "\ud800"}
BODIES: dict[str, bytes | None] = {
    "nothing": None,
    "no JSON": b"{",
    "an array": b"[]",
    "nested 974 levels deep": DEEP + b"1" + b"}" * 974,
    "a field nested deep": request(domain={}).replace(b"{}", DEEP + b"1" + b"}" * 974),
    "half a character in setup_id": json.dumps(HALF).encode(),
    "half a character": request(domain="\ud800.io"),
    "a setup_id alone": json.dumps({"event_id": "", "setup_id": EVENT["setup_id"]}).encode(),
    "some fields of an event": request(event_id="x"),
    "a number of 5000 digits": request(backend_timeout_s=0).replace(b" 0", b" " + b"9" * 5000),
    "9.9 MB": b" " * 9_900_000 + request(),
    "wrong types": json.dumps({key: [1] for key in ("cluster", "release", "setup_id", "stage")}).encode(),
}
# A drift check has use for a setup_id alone, or for nothing.
CHECKED = [BODIES["some fields of an event"], BODIES["a setup_id alone"]]
FORGED = {
    "an empty event_id": {**EVENT, "event_id": ""},
    "wrong types": {key: [1] for key in EVENT} | {"schema_version": 1},
    "ids too long for Firestore": {**EVENT, "event_id": "e" * 1600, "setup_id": "s" * 1600},
    "a negative generation": {**EVENT, "generation": -1},
    "a huge generation": {**EVENT, "generation": 10**300},
    "a reserved id": {**EVENT, "event_id": "__x__", "setup_id": "."},
}


@dataclass
class Cloud:
    """All functions, each in its own process, over an emulated Pub/Sub and Firestore."""

    functions: Functions
    rejected: str  # subscription
    subscriber: SubscriberClient

    def post(self, function: str, body: bytes) -> int:
        headers = {"Content-Type": "application/json"}
        sent = urllib.request.Request(self.functions.all[function].url, body, headers)
        try:
            with urllib.request.urlopen(sent, timeout=60) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    def push(self, function: str, body: bytes | None) -> int:
        message = {} if body is None else {"data": base64.b64encode(body).decode()}
        return self.post(
            function,
            json.dumps(
                {"message": {"publishTime": "2026-01-01T00:00:00Z", "messageId": "7", **message}}
            ).encode(),
        )

    def rejections(self) -> list[dict[str, Any]]:
        pulled = self.subscriber.pull(subscription=self.rejected, max_messages=10).received_messages
        if pulled:
            ids = [each.ack_id for each in pulled]
            self.subscriber.acknowledge(subscription=self.rejected, ack_ids=ids)
        return [json.loads(each.message.data) for each in pulled]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with (
        pytest.MonkeyPatch.context() as patch,
        Guard() as guard,
        PubSubEmulator() as pubsub,
        FirestoreEmulator() as firestore,
    ):
        addresses = {
            "PUBSUB_EMULATOR_HOST": pubsub.address,
            "FIRESTORE_EMULATOR_HOST": firestore.address,
            "GOOGLE_CLOUD_PROJECT": PROJECT,
        }
        for name, value in addresses.items():
            patch.setenv(name, value)
        topic = f"projects/{PROJECT}/topics/{TOPOLOGY.rejected_topic}"
        subscription = f"projects/{PROJECT}/subscriptions/rejected"
        PublisherClient().create_topic(name=topic)
        subscriber = SubscriberClient()
        subscriber.create_subscription(name=subscription, topic=topic)
        functions = Functions(
            guard,
            Path(tmp_path_factory.mktemp("functions")),
            bundle,
            dict.fromkeys(function_names(), addresses),
        )
        functions.start()
        functions.wait_ready()
        yield Cloud(functions, subscription, subscriber)


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("function", REQUESTS)
def test_a_request_that_is_none_is_acknowledged_and_announced_as_refused(
    cloud: Cloud, function: str, body: bytes | None
) -> None:
    assert cloud.push(function, body) == 200
    (rejection,) = cloud.rejections()
    assert rejection["request_id"] == "7"
    assert rejection["remedy"]
    assert len(json.dumps(rejection)) < 2000


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("function", EVENTS)
def test_an_event_that_is_none_is_refused_so_that_it_is_dead_lettered(
    cloud: Cloud, function: str, body: bytes | None
) -> None:
    is_checked = function == "check_drift" and body in CHECKED
    assert cloud.push(function, body) == (200 if is_checked else 400)


@pytest.mark.parametrize("event", FORGED.values(), ids=FORGED)
@pytest.mark.parametrize("function", [*EVENTS, "tear_down"])
def test_a_forged_event_is_refused(cloud: Cloud, function: str, event: dict[str, Any]) -> None:
    is_checked = function == "check_drift" and event["setup_id"] == EVENT["setup_id"]
    assert cloud.push(function, json.dumps(event).encode()) == (200 if is_checked else 400)


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_re_poll_ticks_whatever_the_message_says(cloud: Cloud, body: bytes | None) -> None:
    assert cloud.push("repoll", body) == 200


@pytest.mark.parametrize(
    "delivery",
    [
        b"",
        b"{",
        b'{"message":' * 974,
        b'{"message": {"publishTime": "2026-01-01T00:00:00Z", "messageId": "\\ud800"}}',
        b"x" * 17_000_000,
    ],
)
@pytest.mark.parametrize("function", function_names())
def test_what_is_no_delivery_is_refused(cloud: Cloud, function: str, delivery: bytes) -> None:
    assert cloud.post(function, delivery) == 400


def test_no_function_wrote_a_long_line(cloud: Cloud) -> None:
    for name in function_names():
        lines = cloud.functions.log_path(name).read_bytes().splitlines()
        assert max(map(len, lines), default=0) < 17_000, name
        assert not any(b"Traceback" in line for line in lines), name
