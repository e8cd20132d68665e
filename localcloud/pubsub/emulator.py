"""`google.pubsub.v1` over gRPC, for unmodified clients with `PUBSUB_EMULATOR_HOST`, and push over HTTP.

Not emulated, and refused: streaming pull, ordering, filters, exactly-once, seek, snapshots, unwrapped push.
The OIDC setting of authenticated push is kept, but no token is sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf.empty_pb2 import Empty
from google.pubsub_v1 import types

from localcloud.gates import Gates
from localcloud.grpc_server import GrpcServer, Rpc, invalid
from localcloud.pubsub import resources
from localcloud.pubsub.broker import Broker
from localcloud.pubsub.delivery import Delivery

# A pull on an empty subscription is answered, empty, after a bounded time; production does not say how long.
_PULL_WAIT_S = 1.0


class PubSubEmulator(GrpcServer):
    """An empty, in-memory Pub/Sub; a context manager.

    A gate sees the RPC name and the topic or subscription; before every push, `Push` and the subscription.
    """

    def __init__(self, gates: Gates | None = None, delivery: Delivery | None = None) -> None:
        gates = gates or Gates()
        self._broker = Broker(gates, delivery or Delivery())
        services = {
            "google.pubsub.v1.Publisher": self._publisher_rpcs(),
            "google.pubsub.v1.Subscriber": self._subscriber_rpcs(),
        }
        super().__init__(services, "pubsub", gates)

    @property
    def delivery(self) -> Delivery:
        """Return how messages are delivered; may be set at any time, for messages published from then on."""
        return self._broker.delivery

    @delivery.setter
    def delivery(self, delivery: Delivery) -> None:
        self._broker.delivery = delivery

    def outstanding(self) -> Mapping[str, int]:
        """Return unacknowledged messages by subscription name, those in flight included."""
        return self._broker.outstanding()

    def is_idle(self) -> bool:
        """Return whether no push subscription has a message waiting, in flight, or backing off."""
        return self._broker.is_idle()

    def wait_idle(self, timeout_s: float) -> None:
        """Block until `is_idle`; `TimeoutError`, naming what is left, after `timeout_s` seconds."""
        self._broker.wait_idle(timeout_s)

    def stop(self) -> None:
        """Cut off deliveries in flight, stop serving, free the port. Safe to call twice."""
        self._broker.close()
        super().stop()

    def _publisher_rpcs(self) -> list[Rpc]:
        return [
            Rpc("CreateTopic", types.Topic, types.Topic, self._create_topic, _name),
            Rpc("GetTopic", types.GetTopicRequest, types.Topic, self._get_topic, _topic),
            Rpc("ListTopics", types.ListTopicsRequest, types.ListTopicsResponse, self._list_topics, _project),
            Rpc("DeleteTopic", types.DeleteTopicRequest, Empty, self._delete_topic, _topic),
            Rpc("Publish", types.PublishRequest, types.PublishResponse, self._publish, _topic),
        ]

    def _subscriber_rpcs(self) -> list[Rpc]:
        def rpc(name: str, response: Any, answer: Any) -> Rpc:
            return Rpc(name, getattr(types, f"{name}Request"), response, answer, _subscription)

        listing = types.ListSubscriptionsRequest, types.ListSubscriptionsResponse
        return [
            Rpc(
                "CreateSubscription", types.Subscription, types.Subscription, self._create_subscription, _name
            ),
            rpc("GetSubscription", types.Subscription, self._get_subscription),
            Rpc("ListSubscriptions", *listing, self._list_subscriptions, _project),
            rpc("DeleteSubscription", Empty, self._delete_subscription),
            rpc("ModifyPushConfig", Empty, self._modify_push_config),
            rpc("Pull", types.PullResponse, self._pull),
            rpc("Acknowledge", Empty, self._acknowledge),
            rpc("ModifyAckDeadline", Empty, self._modify_ack_deadline),
        ]

    def _create_topic(self, topic: Any) -> Any:
        resources.check_name(topic.name, "topics")
        self._broker.create_topic(topic)
        return topic

    def _get_topic(self, request: Any) -> Any:
        topic = self._broker.topics().get(request.topic)
        if topic is None:
            raise resources.not_found(request.topic)
        return topic

    def _list_topics(self, request: Any) -> Any:
        return types.ListTopicsResponse.pb()(topics=_of_project(self._broker.topics(), request.project))

    def _delete_topic(self, request: Any) -> Any:
        self._broker.delete_topic(request.topic)
        return Empty()

    def _publish(self, request: Any) -> Any:
        resources.check_publish(request)
        return types.PublishResponse.pb()(message_ids=self._broker.publish(request.topic, request.messages))

    def _create_subscription(self, subscription: Any) -> Any:
        resources.check_subscription(subscription)
        self._broker.create_subscription(subscription)
        return subscription

    def _get_subscription(self, request: Any) -> Any:
        subscription = self._broker.subscriptions().get(request.subscription)
        if subscription is None:
            raise resources.not_found(request.subscription)
        return subscription

    def _list_subscriptions(self, request: Any) -> Any:
        found = _of_project(self._broker.subscriptions(), request.project)
        return types.ListSubscriptionsResponse.pb()(subscriptions=found)

    def _delete_subscription(self, request: Any) -> Any:
        self._broker.delete_subscription(request.subscription)
        return Empty()

    def _modify_push_config(self, request: Any) -> Any:
        resources.check_push_config(request.push_config)
        self._broker.modify_push_config(request.subscription, request.push_config)
        return Empty()

    def _pull(self, request: Any) -> Any:
        if request.max_messages < 1:
            raise invalid("max_messages must be at least 1.")
        wait_s = 0.0 if request.return_immediately else _PULL_WAIT_S
        response = types.PullResponse.pb()()
        config = self._get_subscription(request)
        for entry, ack_id in self._broker.pull(request.subscription, request.max_messages, wait_s):
            received = response.received_messages.add(ack_id=ack_id, message=entry.message)
            if config.HasField("dead_letter_policy"):
                received.delivery_attempt = entry.attempts
        return response

    def _acknowledge(self, request: Any) -> Any:
        self._broker.acknowledge(request.subscription, request.ack_ids)
        return Empty()

    def _modify_ack_deadline(self, request: Any) -> Any:
        resources.check_ack_deadline(request.ack_deadline_seconds, minimum_s=0)
        self._broker.modify_ack_deadline(request.subscription, request.ack_ids, request.ack_deadline_seconds)
        return Empty()


def _of_project(named: Mapping[str, Any], project: str) -> list[Any]:
    return [resource for name, resource in sorted(named.items()) if name.startswith(f"{project}/")]


def _name(request: Any) -> str:
    return str(request.name)


def _topic(request: Any) -> str:
    return str(request.topic)


def _subscription(request: Any) -> str:
    return str(request.subscription)


def _project(request: Any) -> str:
    return str(request.project)
