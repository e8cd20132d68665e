"""The threads that push: a few for each push subscription, so that its concurrency is bounded."""

from __future__ import annotations

import threading
import time
from typing import Any, Protocol

from localcloud.gates import Call, Gates
from localcloud.pubsub import push
from localcloud.pubsub.backlog import Backlog, Entry

_PUSHES_AT_ONCE = 4
_STOP_JOIN_S = 2.0


class Subscription:
    """The settings and the backlog of a subscription, and the wake-up of those who wait for either."""

    def __init__(self, config: Any, lock: threading.RLock) -> None:
        self.config = config
        self.backlog = Backlog(config)
        self.changed = threading.Condition(lock)
        self.is_pushed = False
        self.is_closed = False


class Source(Protocol):
    """Where the threads get messages from, and say what became of them."""

    def next_push(self, subscription: Subscription) -> Entry | None:
        """Block until there is a message to push; `None` ends the thread."""

    def pushed(self, subscription: Subscription, entry: Entry, *, is_acknowledged: bool) -> None:
        """Note that the message was pushed."""


class PushWorkers:
    """Starts the threads of subscriptions and, in the end, cuts off what they are doing."""

    def __init__(self, source: Source, gates: Gates) -> None:
        self._source = source
        self._gates = gates
        self._pusher = push.Pusher()
        self._threads: list[threading.Thread] = []

    def start(self, subscription: Subscription) -> None:
        """Begin to push if the subscription has an endpoint; does nothing the second time."""
        if subscription.is_pushed or not subscription.config.push_config.push_endpoint:
            return
        subscription.is_pushed = True
        for _ in range(_PUSHES_AT_ONCE):
            thread = threading.Thread(target=self._run, args=(subscription,), name="pubsub-push", daemon=True)
            self._threads.append(thread)
            thread.start()

    def close(self) -> None:
        """Cut off deliveries in flight. A push held by a gate is left, and does nothing once it is let go."""
        self._pusher.close()
        ends_s = time.monotonic() + _STOP_JOIN_S
        for thread in self._threads:
            thread.join(max(0.0, ends_s - time.monotonic()))

    def _run(self, subscription: Subscription) -> None:
        while (entry := self._source.next_push(subscription)) is not None:
            self._source.pushed(subscription, entry, is_acknowledged=self._push(subscription, entry))

    def _push(self, subscription: Subscription, entry: Entry) -> bool:
        self._gates.pass_through(Call("pubsub", "Push", subscription.config.name))
        if subscription.is_closed:
            return False
        payload = push.body(subscription.config, entry.message, entry.attempts)
        endpoint = subscription.config.push_config.push_endpoint
        return self._pusher.is_acknowledged(endpoint, payload, subscription.config.ack_deadline_seconds)
