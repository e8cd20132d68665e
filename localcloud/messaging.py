"""The topics and subscriptions of the topology, made in the Pub/Sub emulator as Terraform makes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import grpc
from google.api_core.exceptions import DeadlineExceeded

if TYPE_CHECKING:
    from google.pubsub_v1 import PublisherClient, SubscriberClient


def triggers(function: Mapping[str, Any]) -> list[str]:
    """Return the topics that a function of the topology is called for."""
    return [function["trigger"], *function.get("also_triggered_by", ())]


def subscription_id(topic: str, function: str) -> str:
    """Return the name of the subscription that calls a function for a topic.

    A delivery's envelope holds it, so a function with several topics can tell which one a message came from.
    """
    return f"{topic}-{function}".replace("_", "-")


class Messaging:
    """Publishes to, and reads from, the project's topics, with the real clients."""

    def __init__(self, address: str, project: str) -> None:
        from google.pubsub_v1 import PublisherClient, SubscriberClient
        from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
        from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

        self._project = project
        self._channel = grpc.insecure_channel(address)
        self.publisher: PublisherClient = PublisherClient(
            transport=PublisherGrpcTransport(channel=self._channel)
        )
        self.subscriber: SubscriberClient = SubscriberClient(
            transport=SubscriberGrpcTransport(channel=self._channel)
        )

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()

    def topic_path(self, topic: str) -> str:
        """Return the full name of a topic."""
        return f"projects/{self._project}/topics/{topic}"

    def subscription_path(self, subscription: str) -> str:
        """Return the full name of a subscription."""
        return f"projects/{self._project}/subscriptions/{subscription}"

    def create(self, topology: Mapping[str, Any], endpoints: Mapping[str, str]) -> None:
        """Make topics, push subscriptions for the functions, and pull ones, `<topic>-watch`, for notices.

        `topology` is that of the `Deployment`; `endpoints` are the functions' URLs by name.
        """
        rules = topology["subscriptions"]
        functions = topology["functions"]
        notices = [*topology["notices"].values(), rules["dead_letter_topic"]]
        last = [f["announces"] for f in functions.values() if "announces" in f]
        pushed = [(name, topic) for name, f in functions.items() for topic in triggers(f)]
        calling = [topic for _, topic in pushed]
        for topic in dict.fromkeys([*calling, *last, *notices]):
            self.publisher.create_topic(name=self.topic_path(topic))
        for name, topic in pushed:
            self._push(name, topic, endpoints[name], rules)
        for topic in dict.fromkeys([*notices, *(t for t in last if t not in calling)]):
            self.subscriber.create_subscription(
                name=self.subscription_path(f"{topic}-watch"), topic=self.topic_path(topic)
            )

    def _push(self, name: str, topic: str, endpoint: str, rules: Mapping[str, Any]) -> None:
        self.subscriber.create_subscription(
            request={
                "name": self.subscription_path(subscription_id(topic, name)),
                "topic": self.topic_path(topic),
                "push_config": {"push_endpoint": endpoint},
                "ack_deadline_seconds": rules["ack_deadline_s"],
                "retry_policy": {
                    "minimum_backoff": {"seconds": rules["minimum_backoff_s"]},
                    "maximum_backoff": {"seconds": rules["maximum_backoff_s"]},
                },
                "dead_letter_policy": {
                    "dead_letter_topic": self.topic_path(rules["dead_letter_topic"]),
                    "max_delivery_attempts": rules["max_delivery_attempts"],
                },
            }
        )

    def publish(self, topic: str, body: bytes, **attributes: str) -> str:
        """Publish one message and return its id."""
        message = {"data": body, "attributes": attributes}
        answer = self.publisher.publish(request={"topic": self.topic_path(topic), "messages": [message]})
        return str(answer.message_ids[0])

    def take(self, topic: str, timeout_s: float) -> bytes | None:
        """Return the body of the next message on a notice topic, acknowledged; None if none came in time."""
        path = self.subscription_path(f"{topic}-watch")
        try:
            answer = self.subscriber.pull(subscription=path, max_messages=1, timeout=timeout_s)
        except DeadlineExceeded:
            return None
        for received in answer.received_messages:
            self.subscriber.acknowledge(subscription=path, ack_ids=[received.ack_id])
            return bytes(received.message.data)
        return None
