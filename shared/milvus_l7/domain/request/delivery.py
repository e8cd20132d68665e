"""What a Pub/Sub delivery holds, whichever way it came: raw push, or Eventarc's CloudEvent."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from milvus_l7.domain.reasons.errors import MalformedEvent
from milvus_l7.domain.setup.document import OrderMark
from milvus_l7.domain.setup.event import Event, from_payload

_ORIGINAL_TIME = "CloudPubSubDeadLetterSourceTopicPublishTime"
_NANOSECONDS = re.compile(r"(\.\d{6})\d+")
_LONGEST_TIME = 64


def message_body(message: Mapping[str, Any]) -> bytes | None:
    """The body of a Pub/Sub message, or None if it has none or its transport encoding is broken."""
    try:
        return base64.b64decode(message["data"], validate=True)
    except (KeyError, TypeError, binascii.Error):
        return None


@dataclass(frozen=True, slots=True)
class PushedMessage:
    """One Pub/Sub message as it was pushed."""

    mark: OrderMark  # when Pub/Sub took it, and its id
    body: bytes | None
    subscription: str = ""  # the last part of its name


def pushed(body: bytes) -> PushedMessage:
    """Return the message of a delivery's HTTP body.

    The time of a replayed dead letter is the earlier of its own and the original's. Raises `MalformedEvent`
    if it is no Pub/Sub delivery, or does not say when it was published: "now" would make an old request the
    last.
    """
    message_id, content = pushed_message(body)
    envelope = json.loads(body)
    message = envelope["message"]
    attributes = message.get("attributes")
    times = [message.get("publishTime") or message.get("publish_time")]
    if isinstance(attributes, Mapping):
        times.append(attributes.get(_ORIGINAL_TIME))
    published = [found for each in times if (found := _moment(each))]
    if _moment(times[0]) is None:
        raise MalformedEvent("the delivery does not say when its message was published")
    subscription = envelope.get("subscription")
    name = subscription.rpartition("/")[2] if isinstance(subscription, str) else ""
    return PushedMessage(OrderMark(min(published), message_id), content, name)


def _moment(value: object) -> datetime | None:
    """Return an RFC 3339 time to the microsecond; None for anything else."""
    if not isinstance(value, str) or len(value) > _LONGEST_TIME:
        return None
    try:
        moment = datetime.fromisoformat(_NANOSECONDS.sub(r"\1", value))
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def pushed_message(body: bytes) -> tuple[str, bytes | None]:
    """Message id and body of a delivery's HTTP body; `MalformedEvent` if it is no Pub/Sub delivery."""
    try:
        message = json.loads(body)["message"]
        message_id = message.get("messageId") or message["message_id"]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise MalformedEvent("not a Pub/Sub delivery") from None
    return str(message_id), message_body(message)


def json_object(data: object) -> Mapping[str, Any]:
    """The JSON object inside a CloudEvent's data; `MalformedEvent` if there is none."""
    message = data.get("message") if isinstance(data, Mapping) else None
    body = message_body(message) if isinstance(message, Mapping) else None
    try:
        value = json.loads(body or b"null")
    except ValueError:
        raise MalformedEvent("the event body is not JSON") from None
    if not isinstance(value, Mapping):
        raise MalformedEvent("the event body is not a JSON object")
    return value


def is_chain_event(body: bytes | None) -> bool:
    """Whether the body is an event of ours rather than a request of a user's."""
    try:
        value = json.loads(body or b"null")
    except ValueError:
        return False
    return isinstance(value, Mapping) and "event_id" in value


def chain_event(data: object, topic: str) -> Event:
    """The chain event inside a CloudEvent's data; `MalformedEvent` if there is none."""
    return from_payload(topic, json_object(data))


def chain_event_in(body: bytes | None, topic: str) -> Event:
    """Return the chain event that a message's body is; `MalformedEvent` if it is none."""
    try:
        value = json.loads(body or b"null")
    except ValueError:
        raise MalformedEvent("the event body is not JSON") from None
    return from_payload(topic, value)
