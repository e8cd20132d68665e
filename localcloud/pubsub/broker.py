"""Topics, subscriptions and the threads that push. One lock over all; a wake-up for each subscription."""

from __future__ import annotations

import itertools
import math
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from google.pubsub_v1 import types

from localcloud.gates import Gates
from localcloud.pubsub.backlog import Entry
from localcloud.pubsub.delivery import Delivery
from localcloud.pubsub.resources import DELETED_TOPIC, already_exists, not_found
from localcloud.pubsub.workers import PushWorkers, Subscription

_Message = types.PubsubMessage.pb()


class Broker:
    """Publishes, leases, redelivers, pushes and buries. Thread-safe."""

    def __init__(self, gates: Gates, delivery: Delivery) -> None:
        self.delivery = delivery
        self._lock = threading.RLock()
        self._settled = threading.Condition(self._lock)
        self._topics: dict[str, Any] = {}
        self._subscriptions: dict[str, Subscription] = {}
        self._workers = PushWorkers(self, gates)
        # Unique across restarts too, and numeric as production's are.
        self._message_ids = itertools.count(time.time_ns() // 1000)

    def topics(self) -> Mapping[str, Any]:
        """Return a copy of the topics by name."""
        with self._lock:
            return dict(self._topics)

    def subscriptions(self) -> Mapping[str, Any]:
        """Return a copy of the subscriptions' settings by name."""
        with self._lock:
            return {name: subscription.config for name, subscription in self._subscriptions.items()}

    def outstanding(self) -> Mapping[str, int]:
        """Return unacknowledged messages by subscription, those in flight included."""
        with self._lock:
            return {name: len(item.backlog) for name, item in self._subscriptions.items()}

    def create_topic(self, topic: Any) -> None:
        """Add a topic; ALREADY_EXISTS if its name is taken."""
        with self._lock:
            if topic.name in self._topics:
                raise already_exists(topic.name)
            self._topics[topic.name] = topic

    def delete_topic(self, name: str) -> None:
        """Remove a topic; its subscriptions keep their messages and get no more."""
        with self._lock:
            if self._topics.pop(name, None) is None:
                raise not_found(name)
            for subscription in self._subscriptions.values():
                if subscription.config.topic == name:
                    subscription.config.topic = DELETED_TOPIC

    def create_subscription(self, config: Any) -> None:
        """Add a subscription, and begin to push if it has an endpoint."""
        with self._lock:
            if config.name in self._subscriptions:
                raise already_exists(config.name)
            if config.topic not in self._topics:
                raise not_found(config.topic)
            subscription = Subscription(config, self._lock)
            self._subscriptions[config.name] = subscription
            self._workers.start(subscription)

    def delete_subscription(self, name: str) -> None:
        """Remove a subscription with all its messages."""
        with self._lock:
            subscription = self._found(name)
            del self._subscriptions[name]
            self._close(subscription)

    def modify_push_config(self, name: str, push_config: Any) -> None:
        """Push to another endpoint from the next delivery on; an empty one makes it a pull subscription."""
        with self._lock:
            subscription = self._found(name)
            subscription.config.push_config.CopyFrom(push_config)
            self._workers.start(subscription)
            subscription.changed.notify_all()

    def publish(self, topic: str, messages: Sequence[Any]) -> list[str]:
        """Hand the messages to every subscription of the topic; returns their new ids."""
        with self._lock:
            if topic not in self._topics:
                raise not_found(topic)
            targets = [item for item in self._subscriptions.values() if item.config.topic == topic]
            return [self._publish_one(message, targets) for message in messages]

    def pull(self, name: str, limit: int, wait_s: float) -> list[tuple[Entry, str]]:
        """Lease up to `limit` messages, with their acknowledgement ids; wait for the first up to `wait_s`."""
        deadline_s = time.monotonic() + wait_s
        with self._lock:
            subscription = self._found(name)
            while not subscription.is_closed:
                leased = self._leased(subscription, limit, subscription.config.ack_deadline_seconds)
                left_s = deadline_s - time.monotonic()
                if leased or left_s <= 0:
                    return [(entry, entry.ack_id) for entry in leased]
                next_s = subscription.backlog.next_due_s() - time.monotonic()
                subscription.changed.wait(max(0.0, min(left_s, next_s)))
            return []

    def acknowledge(self, name: str, ack_ids: Sequence[str]) -> None:
        """Forget these messages; an id of an earlier delivery is ignored."""
        with self._lock:
            subscription = self._found(name)
            for ack_id in ack_ids:
                self._settle(subscription, subscription.backlog.leased(ack_id), is_acknowledged=True)

    def modify_ack_deadline(self, name: str, ack_ids: Sequence[str], deadline_s: int) -> None:
        """Lease these messages for `deadline_s` from now; 0 is a negative acknowledgement."""
        with self._lock:
            subscription = self._found(name)
            for entry in filter(None, map(subscription.backlog.leased, ack_ids)):
                if deadline_s:
                    entry.due_s = time.monotonic() + deadline_s
                else:
                    self._settle(subscription, entry, is_acknowledged=False)

    def wait_idle(self, timeout_s: float) -> None:
        """Block until no push subscription has a message left; `TimeoutError` after `timeout_s` seconds."""
        with self._lock:
            if not self._settled.wait_for(self.is_idle, timeout_s):
                raise TimeoutError(f"messages left after {timeout_s} s: {self.outstanding()}")

    def is_idle(self) -> bool:
        """Return whether no push subscription has a message waiting, in flight, or backing off."""
        with self._lock:
            pushed = [item for item in self._subscriptions.values() if item.config.push_config.push_endpoint]
            return not any(len(item.backlog) for item in pushed)

    def close(self) -> None:
        """Stop all deliveries. A push held by a gate is left behind, and does nothing once it is let go."""
        with self._lock:
            for subscription in self._subscriptions.values():
                self._close(subscription)
        self._workers.close()

    def next_push(self, subscription: Subscription) -> Entry | None:
        """Block until a message is due for push, and lease it; `None` when the subscription is closed."""
        with self._lock:
            while not subscription.is_closed:
                wait_s = math.inf
                if subscription.config.push_config.push_endpoint:
                    # The HTTP time-out ends the delivery, so the lease needs no end.
                    leased = self._leased(subscription, 1, math.inf)
                    if leased:
                        return leased[0]
                    wait_s = subscription.backlog.next_due_s() - time.monotonic()
                subscription.changed.wait(None if wait_s == math.inf else max(0.0, wait_s))
            return None

    def pushed(self, subscription: Subscription, entry: Entry, *, is_acknowledged: bool) -> None:
        """Settle a message after its push."""
        with self._lock:
            if not subscription.is_closed:
                self._settle(subscription, entry, is_acknowledged=is_acknowledged)

    def _found(self, name: str) -> Subscription:
        if name not in self._subscriptions:
            raise not_found(name)
        return self._subscriptions[name]

    def _close(self, subscription: Subscription) -> None:
        subscription.is_closed = True
        subscription.changed.notify_all()
        self._settled.notify_all()

    def _publish_one(self, message: Any, targets: Sequence[Subscription]) -> str:
        published = _Message()
        published.CopyFrom(message)
        published.message_id = str(next(self._message_ids))
        published.publish_time.CopyFrom(_now())
        for subscription in targets:
            subscription.backlog.add(published, time.monotonic(), self.delivery)
            subscription.changed.notify_all()
        return str(published.message_id)

    def _leased(self, subscription: Subscription, limit: int, lease_s: float) -> list[Entry]:
        self._bury_exhausted(subscription)
        entries: list[Entry] = []
        while len(entries) < limit and (entry := subscription.backlog.take(time.monotonic(), lease_s)):
            entries.append(entry)
        return entries

    def _settle(self, subscription: Subscription, entry: Entry | None, *, is_acknowledged: bool) -> None:
        if entry is None:
            return
        if is_acknowledged:
            subscription.backlog.remove(entry)
        else:
            subscription.backlog.release(entry, time.monotonic(), self.delivery)
            self._bury_exhausted(subscription)
        subscription.changed.notify_all()
        self._settled.notify_all()

    def _bury_exhausted(self, subscription: Subscription) -> None:
        """Forward what used up its attempts; while the dead-letter topic is missing it just stays."""
        config = subscription.config
        topic = config.dead_letter_policy.dead_letter_topic
        if topic not in self._topics:
            return
        for entry in subscription.backlog.exhausted(time.monotonic()):
            self.publish(topic, [_buried(config, entry)])
            subscription.backlog.remove(entry)
            self._settled.notify_all()


def _buried(subscription: Any, entry: Entry) -> Any:
    """Return the copy for the dead-letter topic: data and attributes, and where they come from."""
    _, project, _, name = subscription.name.split("/")
    copy = _Message(data=entry.message.data, attributes=dict(entry.message.attributes))
    copy.attributes.update(
        {
            "CloudPubSubDeadLetterSourceDeliveryCount": str(entry.attempts),
            "CloudPubSubDeadLetterSourceSubscription": name,
            "CloudPubSubDeadLetterSourceSubscriptionProject": project,
            "CloudPubSubDeadLetterSourceTopicPublishTime": _offset_time(entry.message.publish_time),
        }
    )
    return copy


def _offset_time(moment: Timestamp) -> str:
    """Return a time as production writes it into that attribute: in milliseconds, with an offset, no Z."""
    return moment.ToDatetime(UTC).isoformat(timespec="milliseconds")


def _now() -> Timestamp:
    """Return the present time in the milliseconds that Pub/Sub keeps."""
    now = Timestamp()
    now.FromMilliseconds(time.time_ns() // 1_000_000)
    return now
