"""Pub/Sub: it duplicates, delays, reorders, and tells when it took a message."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from milvus_l7.domain.request.delivery import PushedMessage, is_chain_event, pushed
from milvus_l7.domain.setup.document import OrderMark

REQUESTED, TEAR_DOWN = "l7-setup-requested", "l7-teardown-requested"
POLL, CHECK = "l7-poll-due", "l7-drift-check-due"
ORIGINAL_TIME = "CloudPubSubDeadLetterSourceTopicPublishTime"
MOST_DELIVERIES = 20  # then it is a dead letter


@dataclass(frozen=True)
class Message:
    """One message. `original_at` is the time of the message whose dead letter was published again."""

    topic: str
    body: bytes
    message_id: str
    published_at: datetime
    original_at: datetime | None = None

    @property
    def mark(self) -> OrderMark:
        """Return its place in the order of requests."""
        return OrderMark(min(self.published_at, self.original_at or self.published_at), self.message_id)

    @property
    def is_request(self) -> bool:
        """Whether a user published it."""
        return self.topic == REQUESTED or (self.topic == TEAR_DOWN and not is_chain_event(self.body))

    def pushed(self) -> PushedMessage:
        """Return the message as a function reads it from the delivery; of an event of ours only the body."""
        if not self.is_request:
            return PushedMessage(self.message_id, self.body, self.published_at)
        attributes = {ORIGINAL_TIME: self.original_at.isoformat()} if self.original_at else {}
        message: dict[str, Any] = {
            "data": base64.b64encode(self.body).decode(),
            "messageId": self.message_id,
            "publishTime": self.published_at.isoformat(),
            "attributes": attributes,
        }
        return pushed(json.dumps({"message": message, "subscription": self.topic}).encode())
