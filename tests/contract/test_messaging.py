"""Topics and subscriptions of a topology in which one function is triggered by two topics."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import SimpleQueue
from typing import Any

import pytest

from localcloud.messaging import Messaging, subscription_id, triggers
from localcloud.pubsub import PubSubEmulator

PROJECT = "topology-project"
TOPOLOGY: dict[str, Any] = {
    "functions": {
        "make_plan": {
            "trigger": "setup-accepted",
            "also_triggered_by": ["plan-requested", "plan-due"],
            "announces": "plan-made",
        },
        "keep_books": {"trigger": "setup-accepted", "announces": "plan-requested"},
    },
    "notices": {"failed": "failed"},
    "subscriptions": {
        "ack_deadline_s": 600,
        "minimum_backoff_s": 10,
        "maximum_backoff_s": 600,
        "dead_letter_topic": "dead-letter",
        "max_delivery_attempts": 20,
    },
}


class Function(ThreadingHTTPServer):
    """Takes every delivery, and keeps its envelope."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.taken: SimpleQueue[dict[str, Any]] = SimpleQueue()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"


class Handler(BaseHTTPRequestHandler):
    server: Function

    def do_POST(self) -> None:
        self.server.taken.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def functions() -> Iterator[dict[str, Function]]:
    running = {name: Function() for name in TOPOLOGY["functions"]}
    for function in running.values():
        threading.Thread(target=function.serve_forever, args=(0.02,), daemon=True).start()
    yield running
    for function in running.values():
        function.shutdown()
        function.server_close()


@pytest.fixture
def messaging(functions: dict[str, Function]) -> Iterator[Messaging]:
    with PubSubEmulator() as pubsub:
        messaging = Messaging(pubsub.address, PROJECT)
        messaging.create(TOPOLOGY, {name: function.url for name, function in functions.items()})
        yield messaging
        pubsub.stop()
        messaging.close()


def subscriptions(messaging: Messaging) -> dict[str, Any]:
    found = messaging.subscriber.list_subscriptions(project=f"projects/{PROJECT}")
    return {each.name.rpartition("/")[2]: each for each in found}


def test_function_has_a_subscription_for_each_of_its_topics(messaging: Messaging) -> None:
    found = subscriptions(messaging)
    pushed = {
        name: each.topic.rpartition("/")[2] for name, each in found.items() if each.push_config.push_endpoint
    }
    assert pushed == {
        "setup-accepted-make-plan": "setup-accepted",
        "plan-requested-make-plan": "plan-requested",
        "plan-due-make-plan": "plan-due",
        "setup-accepted-keep-books": "setup-accepted",
    }


def test_every_subscription_of_a_function_has_the_same_rules(messaging: Messaging) -> None:
    found = subscriptions(messaging)
    first, second = found["setup-accepted-make-plan"], found["plan-due-make-plan"]
    assert first.push_config == second.push_config
    assert (first.retry_policy, first.dead_letter_policy) == (second.retry_policy, second.dead_letter_policy)
    assert first.ack_deadline_seconds == second.ack_deadline_seconds == 600


def test_delivery_tells_its_topic_by_its_subscription(
    messaging: Messaging, functions: dict[str, Function]
) -> None:
    topics = triggers(TOPOLOGY["functions"]["make_plan"])
    known = {messaging.subscription_path(subscription_id(topic, "make_plan")): topic for topic in topics}
    for topic in topics:
        messaging.publish(topic, topic.encode())
        envelope = functions["make_plan"].taken.get(timeout=10)
        assert known[envelope["subscription"]] == topic
    assert functions["keep_books"].taken.get(timeout=10)["subscription"].endswith("setup-accepted-keep-books")
    assert functions["keep_books"].taken.empty()


def test_only_what_triggers_nothing_is_watched(messaging: Messaging) -> None:
    watched = {name for name in subscriptions(messaging) if name.endswith("-watch")}
    assert watched == {"plan-made-watch", "failed-watch", "dead-letter-watch"}
