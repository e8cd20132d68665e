"""What a Pub/Sub delivery holds, whichever way it came: raw push, or Eventarc's CloudEvent."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from milvus_l7.domain.reasons.errors import MalformedEvent
from milvus_l7.domain.setup.event import Event, from_payload


def message_body(message: Mapping[str, Any]) -> bytes | None:
    """The body of a Pub/Sub message, or None if it has none or its transport encoding is broken."""
    try:
        return base64.b64decode(message["data"], validate=True)
    except (KeyError, TypeError, binascii.Error):
        return None


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
