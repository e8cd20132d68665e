"""Topics, subscriptions, publishing and pulling.

Runs against Google's emulator if PUBSUB_EMULATOR_HOST is set.
"""

import os
import time
import uuid

import pytest
from google.api_core import exceptions
from google.cloud import pubsub_v1
from google.pubsub_v1 import PublisherClient, types

from localcloud.pubsub import Delivery, PubSubEmulator
from localcloud.pubsub.backlog import Backlog

embedded_only = pytest.mark.skipif(
    "PUBSUB_EMULATOR_HOST" in os.environ,
    reason="PUBSUB_EMULATOR_HOST is set: Google's emulator has other limits and no dead-letter accounting",
)


@pytest.fixture(scope="module")
def emulator():
    with pytest.MonkeyPatch.context() as patch, PubSubEmulator() as emulator:
        if "PUBSUB_EMULATOR_HOST" not in os.environ:
            patch.setenv("PUBSUB_EMULATOR_HOST", emulator.address)
        yield emulator


@pytest.fixture(scope="module")
def publisher(emulator):
    with PublisherClient() as publisher:
        yield publisher


@pytest.fixture(scope="module")
def subscriber(emulator):
    with pubsub_v1.SubscriberClient() as subscriber:
        yield subscriber


@pytest.fixture
def project():
    return f"projects/contract-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def topic(publisher, project):
    return publisher.create_topic(name=f"{project}/topics/requested").name


@pytest.fixture
def subscription(subscriber, project, topic):
    name = f"{project}/subscriptions/requested"
    return subscriber.create_subscription(name=name, topic=topic).name


def publish(publisher, topic, *bodies, **attributes):
    messages = [{"data": body, "attributes": attributes} for body in bodies]
    return list(publisher.publish(topic=topic, messages=messages).message_ids)


def pull(subscriber, subscription, count=1, timeout_s=5.0):
    """Messages as they come, until there are `count` or the time is over."""
    received, deadline = [], time.monotonic() + timeout_s
    while len(received) < count and time.monotonic() < deadline:
        request = {"subscription": subscription, "max_messages": count - len(received)}
        received += subscriber.pull(request=request, timeout=10).received_messages
    return received


def test_published_message_is_pulled_as_it_was(publisher, subscriber, topic, subscription):
    ids = publish(publisher, topic, b"\x00body", event="e-1")
    (received,) = pull(subscriber, subscription)
    assert received.message.data == b"\x00body"
    assert dict(received.message.attributes) == {"event": "e-1"}
    assert [received.message.message_id] == ids
    assert abs(received.message.publish_time.timestamp() - time.time()) < 60


def test_every_message_of_a_request_gets_its_own_id(publisher, topic):
    assert len(set(publish(publisher, topic, b"a", b"b", b"a"))) == 3


def test_batching_publisher_publishes(emulator, subscriber, topic, subscription):
    with pubsub_v1.PublisherClient() as publisher:
        publisher.publish(topic, b"x", event="e-1").result(timeout=5)
    assert [received.message.data for received in pull(subscriber, subscription)] == [b"x"]


def test_every_subscription_gets_every_message(publisher, subscriber, project, topic, subscription):
    other = subscriber.create_subscription(name=f"{project}/subscriptions/other", topic=topic).name
    publish(publisher, topic, b"x")
    assert [len(pull(subscriber, name)) for name in (subscription, other)] == [1, 1]


def test_subscription_gets_nothing_published_before_it(publisher, subscriber, project, topic):
    publish(publisher, topic, b"early")
    late = subscriber.create_subscription(name=f"{project}/subscriptions/late", topic=topic).name
    publish(publisher, topic, b"late")
    assert [received.message.data for received in pull(subscriber, late)] == [b"late"]


def test_acknowledged_message_is_gone(publisher, subscriber, topic, subscription):
    publish(publisher, topic, b"x")
    (received,) = pull(subscriber, subscription)
    subscriber.acknowledge(subscription=subscription, ack_ids=[received.ack_id])
    assert pull(subscriber, subscription, timeout_s=0.1) == []


def test_leased_message_is_not_delivered_again_meanwhile(publisher, subscriber, topic, subscription):
    publish(publisher, topic, b"x")
    assert len(pull(subscriber, subscription)) == 1
    assert pull(subscriber, subscription, timeout_s=0.1) == []


def test_refused_message_is_delivered_again(publisher, subscriber, topic, subscription):
    publish(publisher, topic, b"x")
    (first,) = pull(subscriber, subscription)
    subscriber.modify_ack_deadline(subscription=subscription, ack_ids=[first.ack_id], ack_deadline_seconds=0)
    (again,) = pull(subscriber, subscription)
    assert again.message.message_id == first.message.message_id
    assert again.ack_id != first.ack_id


def test_message_that_is_not_acknowledged_in_time_is_delivered_again(
    publisher, subscriber, topic, subscription
):
    publish(publisher, topic, b"x")
    (first,) = pull(subscriber, subscription)
    subscriber.modify_ack_deadline(subscription=subscription, ack_ids=[first.ack_id], ack_deadline_seconds=1)
    (again,) = pull(subscriber, subscription, timeout_s=15)
    assert again.message.message_id == first.message.message_id


def test_lease_ends_with_the_ack_deadline():
    backlog = Backlog(types.Subscription.pb()(name="projects/p/subscriptions/s"))
    backlog.add(types.PubsubMessage.pb()(data=b"x"), 100.0, Delivery())
    first = backlog.take(100.0, lease_s=10)
    first_ack_id = first.ack_id
    assert backlog.take(109.9, lease_s=10) is None
    assert backlog.take(110.0, lease_s=10) is first
    assert backlog.leased(first_ack_id) is None


@embedded_only
def test_refused_message_waits_for_the_retry_policy(publisher, subscriber, project, topic):
    policy = {"minimum_backoff": {"seconds": 1}, "maximum_backoff": {"seconds": 1}}
    request = {"name": f"{project}/subscriptions/slow", "topic": topic, "retry_policy": policy}
    slow = subscriber.create_subscription(request=request).name
    publish(publisher, topic, b"x")
    (first,) = pull(subscriber, slow)
    refused_at = time.monotonic()
    subscriber.modify_ack_deadline(subscription=slow, ack_ids=[first.ack_id], ack_deadline_seconds=0)
    assert len(pull(subscriber, slow)) == 1
    assert 0.9 < time.monotonic() - refused_at < 3


@embedded_only
def test_message_refused_too_often_is_forwarded_to_the_dead_letter_topic(
    publisher, subscriber, project, topic
):
    dead_topic = publisher.create_topic(name=f"{project}/topics/dead").name
    dead = subscriber.create_subscription(name=f"{project}/subscriptions/dead", topic=dead_topic).name
    request = {
        "name": f"{project}/subscriptions/strict",
        "topic": topic,
        "dead_letter_policy": {"dead_letter_topic": dead_topic, "max_delivery_attempts": 5},
    }
    strict = subscriber.create_subscription(request=request).name
    (message_id,) = publish(publisher, topic, b"poison", event="e-1")
    attempts = []
    for _ in range(5):
        (received,) = pull(subscriber, strict)
        attempts.append(received.delivery_attempt)
        subscriber.modify_ack_deadline(subscription=strict, ack_ids=[received.ack_id], ack_deadline_seconds=0)
    (buried,) = pull(subscriber, dead)
    assert attempts == [1, 2, 3, 4, 5]
    assert buried.message.data == b"poison"
    assert buried.message.message_id != message_id
    attributes = dict(buried.message.attributes)
    assert attributes.pop("CloudPubSubDeadLetterSourceTopicPublishTime").startswith("20")
    assert attributes == {
        "event": "e-1",
        "CloudPubSubDeadLetterSourceDeliveryCount": "5",
        "CloudPubSubDeadLetterSourceSubscription": "strict",
        "CloudPubSubDeadLetterSourceSubscriptionProject": project.removeprefix("projects/"),
    }
    assert pull(subscriber, strict, timeout_s=0.1) == []


def test_publishing_to_an_unknown_topic_is_not_found(publisher, project):
    with pytest.raises(exceptions.NotFound):
        publish(publisher, f"{project}/topics/absent", b"x")


def test_message_without_data_and_attributes_is_refused(publisher, topic):
    with pytest.raises(exceptions.InvalidArgument):
        publish(publisher, topic, b"")


def test_message_with_attributes_only_is_accepted(publisher, subscriber, topic, subscription):
    publish(publisher, topic, b"", event="e-1")
    (received,) = pull(subscriber, subscription)
    assert (received.message.data, dict(received.message.attributes)) == (b"", {"event": "e-1"})


@embedded_only  # Google's emulator takes one byte more; the documentation counts
def test_message_above_ten_megabytes_is_refused(publisher, topic):
    with pytest.raises(exceptions.InvalidArgument):
        publish(publisher, topic, b"x" * (10 * 1024 * 1024 + 1))


def test_message_near_ten_megabytes_is_accepted(publisher, topic):
    assert len(publish(publisher, topic, b"x" * 9_999_000)) == 1


@embedded_only
@pytest.mark.parametrize("attributes", [{"googclient": "x"}, {"k" * 257: "x"}, {"k": "x" * 1025}])
def test_attribute_beyond_the_limits_is_refused(publisher, topic, attributes):
    with pytest.raises(exceptions.InvalidArgument):
        publish(publisher, topic, b"x", **attributes)


def test_creating_what_exists_is_already_exists(publisher, subscriber, topic, subscription):
    with pytest.raises(exceptions.AlreadyExists):
        publisher.create_topic(name=topic)
    with pytest.raises(exceptions.AlreadyExists):
        subscriber.create_subscription(name=subscription, topic=topic)


def test_subscribing_to_an_unknown_topic_is_not_found(subscriber, project):
    with pytest.raises(exceptions.NotFound):
        subscriber.create_subscription(name=f"{project}/subscriptions/x-1", topic=f"{project}/topics/absent")


def test_unknown_resources_are_not_found(publisher, subscriber, project):
    topic, subscription = f"{project}/topics/absent", f"{project}/subscriptions/absent"
    for call in (
        lambda: publisher.get_topic(topic=topic),
        lambda: publisher.delete_topic(topic=topic),
        lambda: subscriber.get_subscription(subscription=subscription),
        lambda: subscriber.delete_subscription(subscription=subscription),
        lambda: subscriber.pull(subscription=subscription, max_messages=1),
        lambda: subscriber.acknowledge(subscription=subscription, ack_ids=["x"]),
    ):
        with pytest.raises(exceptions.NotFound):
            call()


def test_resources_are_listed_by_project(publisher, subscriber, project, topic, subscription):
    assert [item.name for item in publisher.list_topics(project=project)] == [topic]
    assert [item.name for item in subscriber.list_subscriptions(project=project)] == [subscription]
    assert list(publisher.list_topics(project=f"{project}-other")) == []


def test_subscription_is_read_back_with_its_defaults(subscriber, subscription, topic):
    found = subscriber.get_subscription(subscription=subscription)
    assert (found.topic, found.ack_deadline_seconds) == (topic, 10)


def test_deleted_subscription_is_gone(subscriber, subscription):
    subscriber.delete_subscription(subscription=subscription)
    with pytest.raises(exceptions.NotFound):
        subscriber.get_subscription(subscription=subscription)


def test_deleted_topic_leaves_its_subscriptions(publisher, subscriber, topic, subscription):
    publisher.delete_topic(topic=topic)
    assert subscriber.get_subscription(subscription=subscription).topic == "_deleted-topic_"


@embedded_only
@pytest.mark.parametrize(
    "settings",
    [
        {"ack_deadline_seconds": 601},
        {"ack_deadline_seconds": 9},
        {"push_config": {"push_endpoint": "ftp://127.0.0.1/"}},
        {"push_config": {"push_endpoint": "http://127.0.0.1:99999/"}},
        {"retry_policy": {"maximum_backoff": {"seconds": 601}}},
        {"dead_letter_policy": {"dead_letter_topic": "projects/p/topics/dead", "max_delivery_attempts": 4}},
        {"dead_letter_policy": {"dead_letter_topic": "dead"}},
    ],
)
def test_subscription_with_impossible_settings_is_refused(subscriber, project, topic, settings):
    with pytest.raises(exceptions.InvalidArgument):
        subscriber.create_subscription(
            request={"name": f"{project}/subscriptions/bad", "topic": topic, **settings}
        )


@embedded_only
@pytest.mark.parametrize(
    "settings", [{"enable_message_ordering": True}, {"filter": 'attributes.a = "b"'}, {"detached": True}]
)
def test_setting_that_is_not_emulated_is_refused_not_ignored(subscriber, project, topic, settings):
    with pytest.raises(exceptions.MethodNotImplemented):
        subscriber.create_subscription(
            request={"name": f"{project}/subscriptions/bad", "topic": topic, **settings}
        )
