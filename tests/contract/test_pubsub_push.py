"""Push delivery, redelivery and dead letters.

Runs against Google's emulator if PUBSUB_EMULATOR_HOST is set.
"""

import base64
import json
import os
import random
import re
import threading
import time
import uuid
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from google.cloud import pubsub_v1
from google.pubsub_v1 import PublisherClient

from localcloud.gates import Gates
from localcloud.pubsub import Delivery, PubSubEmulator
from localcloud.pubsub.push import Pusher

DIFFERENCES = (
    (
        "Google's emulator never has more than two pushes of a subscription under way; ours has four",
        "production has many: what overlaps there must overlap here",
    ),
    (
        "Google's emulator acknowledges by 203 and not by 202, and takes messages of 10 MiB and one byte",
        "the documentation counts",
    ),
    ("Google's emulator keeps no retry policy of its own", "production does; the pauses are scaled here"),
)

embedded_only = pytest.mark.skipif(
    "PUBSUB_EMULATOR_HOST" in os.environ,
    reason="PUBSUB_EMULATOR_HOST is set: Google's emulator has no knobs, no gates and its own timing",
)


class Endpoint(ThreadingHTTPServer):
    """Records the bodies it is sent and answers with the statuses it is given, the last one for ever."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.bodies, self.paths, self.types, self.times = [], [], [], []
        self.statuses = [204]
        self.at_once = self.most_at_once = 0
        self.is_open = threading.Event()
        self.is_open.set()
        self.changed = threading.Condition()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/"

    def texts(self):
        return [base64.b64decode(body["message"]["data"]).decode() for body in self.bodies]

    def wait_for(self, count, timeout_s=10.0):
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.bodies) >= count, timeout_s), self.bodies


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        endpoint = self.server
        with endpoint.changed:
            endpoint.bodies.append(body)
            endpoint.paths.append(self.path)
            endpoint.types.append(self.headers["Content-Type"])
            endpoint.times.append(time.monotonic())
            endpoint.at_once += 1
            endpoint.most_at_once = max(endpoint.most_at_once, endpoint.at_once)
            endpoint.changed.notify_all()
            status = endpoint.statuses.pop(0) if len(endpoint.statuses) > 1 else endpoint.statuses[0]
        endpoint.is_open.wait(20)
        with endpoint.changed:
            endpoint.at_once -= 1
        self.send_response(status)
        self.send_header("Content-Length", "0")
        if status == 308:
            self.send_header("Location", f"{endpoint.url}elsewhere")
        self.end_headers()

    def log_message(self, *args):
        pass


@pytest.fixture
def endpoint():
    with Endpoint() as endpoint:
        thread = threading.Thread(target=endpoint.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield endpoint
        endpoint.is_open.set()
        endpoint.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def gates():
    return Gates()


@pytest.fixture(scope="module")
def running(gates):
    with pytest.MonkeyPatch.context() as patch, PubSubEmulator(gates) as emulator:
        if "PUBSUB_EMULATOR_HOST" not in os.environ:
            patch.setenv("PUBSUB_EMULATOR_HOST", emulator.address)
        yield emulator


@pytest.fixture
def emulator(running):
    running.delivery = Delivery()
    return running


@pytest.fixture(scope="module")
def publisher(running):
    with PublisherClient() as publisher:
        yield publisher


@pytest.fixture(scope="module")
def subscriber(running):
    with pubsub_v1.SubscriberClient() as subscriber:
        yield subscriber


@pytest.fixture
def project():
    return f"projects/contract-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def topic(publisher, project):
    return publisher.create_topic(name=f"{project}/topics/requested").name


@pytest.fixture
def subscribe(subscriber, project, topic):
    """Creates a push subscription; it is deleted afterwards, so that nothing is delivered in other tests."""
    names = []

    def create(url, **settings):
        name = f"{project}/subscriptions/push-{len(names)}"
        request = {"name": name, "topic": topic, "push_config": {"push_endpoint": url}, **settings}
        names.append(subscriber.create_subscription(request=request).name)
        return name

    yield create
    for name in names:
        subscriber.delete_subscription(subscription=name)


@pytest.fixture
def publish(publisher, topic):
    def publish(*texts, **attributes):
        messages = [{"data": text.encode(), "attributes": attributes} for text in texts]
        return list(publisher.publish(topic=topic, messages=messages).message_ids)

    return publish


@pytest.fixture
def dead_letters(publisher, subscriber, project):
    """A dead-letter topic, and a function that pulls from it."""
    topic = publisher.create_topic(name=f"{project}/topics/dead").name
    name = subscriber.create_subscription(name=f"{project}/subscriptions/dead", topic=topic).name
    return topic, lambda: subscriber.pull(subscription=name, max_messages=5).received_messages


def test_push_is_the_wrapped_message_as_json(endpoint, subscribe, publish):
    name = subscribe(f"{endpoint.url}accept?x=1")
    (message_id,) = publish("body", event="e-1")
    endpoint.wait_for(1)
    (body,) = endpoint.bodies
    message = body["message"]
    assert body["subscription"] == name
    assert base64.b64decode(message["data"]) == b"body"
    assert message["attributes"] == {"event": "e-1"}
    assert message["messageId"] == message["message_id"] == message_id
    assert message["publishTime"] == message["publish_time"]
    assert message["publishTime"].endswith("Z")
    assert endpoint.paths == ["/accept?x=1"]
    assert endpoint.types == ["application/json"]


def published_at(body):
    """The publish time of an envelope, which is given under two names."""
    message = body["message"]
    assert message["publishTime"] == message["publish_time"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z", message["publishTime"])
    return datetime.fromisoformat(message["publishTime"])


def within(moment, started, ended):
    """Whether the moment, which has whole milliseconds, is between two others."""
    return started - timedelta(milliseconds=1) <= moment <= ended + timedelta(milliseconds=1)


def test_every_delivery_tells_when_the_message_was_taken(endpoint, subscriber, subscribe, project, publish):
    endpoint.statuses = [500, 500, 204]
    name = f"{project}/subscriptions/pulled"
    subscriber.create_subscription(name=name, topic=f"{project}/topics/requested")
    subscribe(endpoint.url)
    started = datetime.now(UTC)
    publish("x")
    ended = datetime.now(UTC)
    endpoint.wait_for(3)
    (pulled,) = subscriber.pull(subscription=name, max_messages=1).received_messages
    times = [published_at(body) for body in endpoint.bodies]
    assert within(times[0], started, ended)
    assert times == [pulled.message.publish_time] * 3


def test_publisher_cannot_choose_time_and_id(endpoint, publisher, topic, subscribe):
    subscribe(endpoint.url)
    started = datetime.now(UTC)
    forged = {"data": b"x", "publish_time": datetime(2001, 1, 1, tzinfo=UTC), "message_id": "forged"}
    publisher.publish(topic=topic, messages=[forged])
    endpoint.wait_for(1)
    (body,) = endpoint.bodies
    assert within(published_at(body), started, datetime.now(UTC))
    assert body["message"]["messageId"] != "forged"


@embedded_only
def test_message_that_is_held_back_is_not_younger_for_it(emulator, endpoint, gates, subscribe, publish):
    name = subscribe(endpoint.url)
    with gates.hold(lambda call: (call.method, call.path) == ("Push", name)) as gate:
        publish("x")
        taken_by = datetime.now(UTC)
        gate.wait_reached(5)
        time.sleep(0.1)
    emulator.wait_idle(5)
    assert published_at(endpoint.bodies[0]) <= taken_by


@embedded_only
def test_copies_have_one_publish_time(emulator, endpoint, subscribe, publish):
    emulator.delivery = Delivery(copies=3, shuffle=random.Random(1))
    subscribe(endpoint.url)
    publish("x")
    emulator.wait_idle(5)
    assert len({published_at(body) for body in endpoint.bodies}) == 1


def buried(pull_dead, timeout_s=20.0):
    """The next dead letter."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        for received in pull_dead():
            return received.message
        time.sleep(0.05)
    raise AssertionError("no dead letter")


def test_dead_letter_tells_where_and_when_it_was_published_first(
    endpoint, dead_letters, subscribe, publish, project
):
    dead_topic, pull_dead = dead_letters
    endpoint.statuses = [500]
    name = subscribe(
        endpoint.url, dead_letter_policy={"dead_letter_topic": dead_topic, "max_delivery_attempts": 5}
    )
    (message_id,) = publish("poison", event="e-1")
    message = buried(pull_dead)
    attributes = dict(message.attributes)
    first = datetime.fromisoformat(attributes.pop("CloudPubSubDeadLetterSourceTopicPublishTime"))
    assert int(attributes.pop("CloudPubSubDeadLetterSourceDeliveryCount")) >= 5
    assert attributes == {
        "event": "e-1",
        "CloudPubSubDeadLetterSourceSubscription": name.rpartition("/")[2],
        "CloudPubSubDeadLetterSourceSubscriptionProject": project.removeprefix("projects/"),
    }
    assert first == published_at(endpoint.bodies[0]) < message.publish_time
    assert (message.data, message.message_id != message_id) == (b"poison", True)


@embedded_only
def test_dead_letter_writes_its_first_publish_time_as_production_does(
    emulator, endpoint, dead_letters, subscribe, publish
):
    emulator.delivery = Delivery(backoff_scale=0)
    dead_topic, pull_dead = dead_letters
    endpoint.statuses = [500]
    subscribe(endpoint.url, dead_letter_policy={"dead_letter_topic": dead_topic, "max_delivery_attempts": 5})
    publish("poison")
    first = buried(pull_dead).attributes["CloudPubSubDeadLetterSourceTopicPublishTime"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", first)


def test_dead_letter_that_is_published_again_forgets_when_it_was_first(
    publisher, endpoint, dead_letters, subscribe, topic
):
    dead_topic, pull_dead = dead_letters
    endpoint.statuses = [500]
    subscribe(endpoint.url, dead_letter_policy={"dead_letter_topic": dead_topic, "max_delivery_attempts": 5})
    replayed = {"CloudPubSubDeadLetterSourceTopicPublishTime": "2001-01-01T00:00:00.000+00:00"}
    publisher.publish(topic=topic, messages=[{"data": b"poison", "attributes": replayed}])
    first = buried(pull_dead).attributes["CloudPubSubDeadLetterSourceTopicPublishTime"]
    assert datetime.fromisoformat(first) == published_at(endpoint.bodies[0])


@embedded_only
def test_push_has_no_other_keys(endpoint, subscribe, publish):
    subscribe(endpoint.url)
    publish("body")
    endpoint.wait_for(1)
    (body,) = endpoint.bodies
    assert set(body) == {"message", "subscription"}
    assert set(body["message"]) == {"data", "messageId", "message_id", "publishTime", "publish_time"}


@embedded_only
def test_message_without_data_is_pushed_without_the_data_key(endpoint, subscribe, publish):
    subscribe(endpoint.url)
    publish("", event="e-1")
    endpoint.wait_for(1)
    assert "data" not in endpoint.bodies[0]["message"]


# Google's emulator takes 203 for 202; its documentation lists 102, 200, 201, 202 and 204.
@pytest.mark.parametrize("status", [200, 201, pytest.param(202, marks=embedded_only), 204])
def test_success_acknowledges(endpoint, subscribe, publish, status):
    endpoint.statuses = [status]
    subscribe(endpoint.url)
    publish("x")
    endpoint.wait_for(1)
    time.sleep(1)  # for a second delivery, which must not come
    assert len(endpoint.bodies) == 1


@embedded_only
def test_nothing_is_outstanding_after_success(emulator, endpoint, subscribe, publish):
    name = subscribe(endpoint.url)
    publish("x")
    emulator.wait_idle(5)
    assert emulator.outstanding()[name] == 0
    assert len(endpoint.bodies) == 1


@pytest.mark.parametrize("status", [pytest.param(203, marks=embedded_only), 308, 400, 415, 429, 500])
def test_anything_else_is_delivered_again(endpoint, subscribe, publish, status):
    endpoint.statuses = [status, status, 204]
    subscribe(endpoint.url)
    (message_id,) = publish("x")
    endpoint.wait_for(3)
    assert [body["message"]["messageId"] for body in endpoint.bodies] == [message_id] * 3
    assert set(endpoint.paths) == {"/"}


@embedded_only
def test_message_survives_an_endpoint_that_is_not_there(emulator, endpoint, subscriber, subscribe, publish):
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as closed:
        nowhere = f"http://127.0.0.1:{closed.server_port}/"
    name = subscribe(nowhere)
    publish("x")
    with pytest.raises(TimeoutError, match=name):
        emulator.wait_idle(0.3)
    subscriber.modify_push_config(subscription=name, push_config={"push_endpoint": endpoint.url})
    emulator.wait_idle(5)
    assert endpoint.texts() == ["x"]


def test_answer_that_takes_too_long_is_no_acknowledgement(endpoint):
    endpoint.is_open.clear()
    started = time.monotonic()
    assert not Pusher().is_acknowledged(endpoint.url, b"{}", timeout_s=0.2)
    assert 0.2 <= time.monotonic() - started < 2


@embedded_only
def test_pauses_between_deliveries_double_up_to_the_maximum(emulator, endpoint, subscribe, publish):
    emulator.delivery = Delivery(backoff_scale=0.01)
    endpoint.statuses = [500] * 5 + [204]
    subscribe(
        endpoint.url,
        retry_policy={"minimum_backoff": {"seconds": 10}, "maximum_backoff": {"seconds": 40}},
    )
    publish("x")
    emulator.wait_idle(10)
    pauses = [later - earlier for earlier, later in zip(endpoint.times, endpoint.times[1:], strict=False)]
    for pause, expected in zip(pauses, [0.1, 0.2, 0.4, 0.4, 0.4], strict=True):
        assert expected <= pause < expected + 0.35


@embedded_only
def test_message_that_fails_too_often_is_forwarded(emulator, endpoint, dead_letters, subscribe, publish):
    emulator.delivery = Delivery(backoff_scale=0)
    dead_topic, pull_dead = dead_letters
    endpoint.statuses = [500]
    name = subscribe(
        endpoint.url, dead_letter_policy={"dead_letter_topic": dead_topic, "max_delivery_attempts": 6}
    )
    publish("poison", event="e-1")
    emulator.wait_idle(5)
    assert [body["deliveryAttempt"] for body in endpoint.bodies] == [1, 2, 3, 4, 5, 6]
    (buried,) = pull_dead()
    assert buried.message.attributes["event"] == "e-1"
    assert buried.message.attributes["CloudPubSubDeadLetterSourceSubscription"] == name.rpartition("/")[2]
    assert buried.message.attributes["CloudPubSubDeadLetterSourceDeliveryCount"] == "6"


@embedded_only
def test_without_its_dead_letter_topic_a_message_is_kept(emulator, endpoint, project, subscribe, publish):
    emulator.delivery = Delivery(backoff_scale=0)
    endpoint.statuses = [500]
    policy = {"dead_letter_topic": f"{project}/topics/absent", "max_delivery_attempts": 5}
    name = subscribe(endpoint.url, dead_letter_policy=policy)
    publish("x")
    endpoint.wait_for(5)
    with pytest.raises(TimeoutError):
        emulator.wait_idle(0.2)
    assert emulator.outstanding()[name] == 1


@embedded_only
def test_at_most_four_messages_are_in_flight(emulator, endpoint, subscribe, publish):
    endpoint.is_open.clear()
    subscribe(endpoint.url)
    publish(*"abcdefgh")
    endpoint.wait_for(4)
    endpoint.is_open.set()
    emulator.wait_idle(5)
    assert endpoint.most_at_once == 4
    assert sorted(endpoint.texts()) == list("abcdefgh")


@embedded_only
def test_every_copy_is_delivered_whatever_is_acknowledged(emulator, endpoint, subscribe, publish):
    emulator.delivery = Delivery(copies=3)
    subscribe(endpoint.url)
    ids = publish("a", "b")
    emulator.wait_idle(5)
    assert sorted(body["message"]["messageId"] for body in endpoint.bodies) == sorted(ids * 3)


@embedded_only
def test_shuffled_messages_overtake_each_other(emulator, endpoint, subscribe, publish):
    # This seed holds the first message back for about 0.2 s longer than the second.
    emulator.delivery = Delivery(shuffle=random.Random(15))
    subscribe(endpoint.url)
    publish("first", "second")
    emulator.wait_idle(5)
    assert endpoint.texts() == ["second", "first"]


@embedded_only
def test_gated_push_is_outstanding_until_it_is_let_go(emulator, endpoint, gates, subscribe, publish):
    name = subscribe(endpoint.url)
    with gates.hold(lambda call: (call.method, call.path) == ("Push", name)) as gate:
        publish("x")
        gate.wait_reached(5)
        assert not emulator.is_idle()
        assert endpoint.bodies == []
    emulator.wait_idle(5)
    assert endpoint.texts() == ["x"]


@embedded_only
def test_message_waits_while_a_subscription_has_no_endpoint(
    emulator, endpoint, subscriber, subscribe, publish
):
    name = subscribe(endpoint.url)
    subscriber.modify_push_config(subscription=name, push_config={})
    # A push to nowhere would be tried again only after 10 s.
    emulator.delivery = Delivery(backoff_scale=100)
    publish("x")
    (received,) = subscriber.pull(subscription=name, max_messages=1).received_messages
    emulator.delivery = Delivery()
    assert (received.message.data, endpoint.bodies) == (b"x", [])
    subscriber.modify_push_config(subscription=name, push_config={"push_endpoint": endpoint.url})
    subscriber.modify_ack_deadline(subscription=name, ack_ids=[received.ack_id], ack_deadline_seconds=0)
    emulator.wait_idle(5)
    assert endpoint.texts() == ["x"]


def test_stopping_cuts_off_the_delivery_in_flight(endpoint):
    endpoint.is_open.clear()
    with pytest.MonkeyPatch.context() as patch, PubSubEmulator() as emulator:
        patch.setenv("PUBSUB_EMULATOR_HOST", emulator.address)
        with PublisherClient() as publisher, pubsub_v1.SubscriberClient() as subscriber:
            topic = publisher.create_topic(name="projects/p/topics/requested").name
            push_config = {"push_endpoint": endpoint.url}
            subscriber.create_subscription(
                request={"name": "projects/p/subscriptions/push", "topic": topic, "push_config": push_config}
            )
            publisher.publish(topic=topic, messages=[{"data": b"x"}])
            endpoint.wait_for(1)
            started = time.monotonic()
            emulator.stop()
            assert time.monotonic() - started < 1.5
