"""One push delivery: the wrapped JSON body, posted to the endpoint.

Body: https://cloud.google.com/pubsub/docs/push
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import socket
import threading
from typing import Any
from urllib.parse import urlsplit

# Everything else, redirects included, is a negative acknowledgement.
_ACKNOWLEDGING = frozenset({102, 200, 201, 202, 204})


def body(subscription: Any, message: Any, attempt: int) -> bytes:
    """Return the wrapped message. No `data` and no `attributes` key if the message has none.

    `deliveryAttempt` is there only if the subscription has a dead-letter policy.
    """
    published = message.publish_time.ToJsonString()
    wrapped: dict[str, Any] = {
        "messageId": message.message_id,
        "message_id": message.message_id,
        "publishTime": published,
        "publish_time": published,
    }
    if message.data:
        wrapped["data"] = base64.b64encode(message.data).decode()
    if message.attributes:
        wrapped["attributes"] = dict(message.attributes)
    if message.ordering_key:
        wrapped["orderingKey"] = message.ordering_key
    envelope: dict[str, Any] = {"message": wrapped, "subscription": subscription.name}
    if subscription.HasField("dead_letter_policy"):
        envelope["deliveryAttempt"] = attempt
    return json.dumps(envelope).encode()


class Pusher:
    """Posts deliveries, each on a connection of its own, and can cut them all off."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._live: set[http.client.HTTPConnection] = set()
        self._is_closed = False

    def is_acknowledged(self, endpoint: str, payload: bytes, timeout_s: float) -> bool:
        """Post `payload` to an `http://` URL; return whether an acknowledging status came in time."""
        url = urlsplit(endpoint)
        connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=timeout_s)
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        try:
            self._connect(connection)
            connection.request("POST", target, payload, {"Content-Type": "application/json"})
            response = connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException):
            return False
        finally:
            with self._lock:
                self._live.discard(connection)
            connection.close()
        return response.status in _ACKNOWLEDGING

    def close(self) -> None:
        """Cut off every delivery in flight and refuse new ones."""
        with self._lock:
            self._is_closed = True
            for connection in self._live:
                with contextlib.suppress(OSError):
                    # Unlike `close`, this wakes the thread that waits for the answer.
                    connection.sock.shutdown(socket.SHUT_RDWR)

    def _connect(self, connection: http.client.HTTPConnection) -> None:
        connection.connect()
        with self._lock:
            if self._is_closed:
                raise ConnectionAbortedError("deliveries are closed")
            self._live.add(connection)
