"""What a Pub/Sub delivery holds, whichever way it came: raw push, or Eventarc's CloudEvent."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from milvus_l7.domain.reasons.errors import MalformedEvent
from milvus_l7.domain.setup import event as events
from milvus_l7.domain.setup.desired import SetupId
from milvus_l7.domain.setup.document import OrderMark
from milvus_l7.domain.setup.document_id import is_document_id
from milvus_l7.domain.setup.event import Event, from_payload
from milvus_l7.domain.text import bounded_json
from milvus_l7.domain.text.bounded_json import Limits
from milvus_l7.domain.text.untrusted import mapping, text

# Pub/Sub takes messages of 10 MB, which base64 makes 13.4 MB; a hundred attributes may be full of commas.
DELIVERY = Limits(size_bytes=16 * 1024 * 1024, depth=8, items=200_000)
# Our events carry ids only.
EVENT = Limits(size_bytes=64 * 1024, depth=8, items=1000)

# Pub/Sub's are decimal numbers; it becomes a part of ids of ours.
_MESSAGE_ID = re.compile(r"[!-~]{1,100}")


_NAMING = ("cluster", "release")  # required in every request, and in no event
_ORIGINAL_TIME = "CloudPubSubDeadLetterSourceTopicPublishTime"
_NANOSECONDS = re.compile(r"(\.\d{6})\d+")
_LONGEST_TIME = 64


@dataclass(frozen=True, slots=True)
class PushedMessage:
    """One Pub/Sub message as it was pushed."""

    message_id: str
    body: bytes | None
    published_at: datetime | None = None  # by Pub/Sub; of a replayed dead letter, the original's
    subscription: str = ""  # the last part of its name

    @property
    def mark(self) -> OrderMark:
        """Return the message's place in the order of requests.

        Raises `MalformedEvent` if the delivery does not say when Pub/Sub took the message: "now" would make
        an old request the last one.
        """
        if self.published_at is None:
            raise MalformedEvent("the delivery does not say when its message was published")
        return OrderMark(self.published_at, self.message_id)


def pushed(body: bytes) -> PushedMessage:
    """Return the message of a delivery's HTTP body; raise `MalformedEvent` if it is no Pub/Sub delivery."""
    try:
        delivery = bounded_json.loads(body, DELIVERY)
        message = delivery["message"]
        message_id = message.get("messageId") or message["message_id"]
    except bounded_json.OutOfBounds as error:
        raise MalformedEvent(f"not a Pub/Sub delivery: {error}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise MalformedEvent("not a Pub/Sub delivery") from None
    if not isinstance(message_id, str) or not _MESSAGE_ID.fullmatch(message_id):
        raise MalformedEvent("not a Pub/Sub delivery: its message id is none")
    subscription = text(delivery.get("subscription")).rpartition("/")[2]
    return PushedMessage(message_id, message_body(message), _published_at(message), subscription)


def _published_at(message: Mapping[str, Any]) -> datetime | None:
    """Return when Pub/Sub took the message: of a replayed dead letter, the earlier of its two times."""
    own = _moment(message.get("publishTime") or message.get("publish_time"))
    original = _moment(mapping(message, "attributes").get(_ORIGINAL_TIME))
    return min(own, original) if own and original else own


def _moment(value: object) -> datetime | None:
    """Return an RFC 3339 time to the microsecond; None for anything else."""
    if not isinstance(value, str) or len(value) > _LONGEST_TIME:
        return None
    try:
        moment = datetime.fromisoformat(_NANOSECONDS.sub(r"\1", value))
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def message_body(message: Mapping[str, Any]) -> bytes | None:
    """Return the body of a Pub/Sub message, or None if it has none or its transport encoding is broken."""
    try:
        return base64.b64decode(message["data"], validate=True)
    except (KeyError, TypeError, ValueError):
        return None


def json_object(body: bytes | None) -> Mapping[str, Any]:
    """Return the JSON object in an event's body; raise `MalformedEvent` if there is none, or a larger one."""
    try:
        value = bounded_json.loads(body or b"null", EVENT)
    except (bounded_json.OutOfBounds, bounded_json.NotUnicode) as error:
        raise MalformedEvent(f"the event body is none of ours: {error}") from None
    except ValueError:
        raise MalformedEvent("the event body is not JSON") from None
    if not isinstance(value, Mapping):
        raise MalformedEvent("the event body is not a JSON object")
    return value


def is_chain_event(body: bytes | None) -> bool:
    """Return whether the body is an event of ours, not a request of a user's: it has all fields of one.

    What has only some of them, or names a release, is a request with fields too many, and is refused and
    announced as one.
    """
    try:
        fields = json_object(body).keys()
    except MalformedEvent:
        return False
    return fields >= events.FIELDS and fields.isdisjoint(_NAMING)


def chain_event(body: bytes | None, topic: str) -> Event:
    """Return the chain event in a message's body; `MalformedEvent` if there is none."""
    return from_payload(topic, json_object(body))


def named_setup(body: bytes | None) -> SetupId | None:
    """Return the setup that a message is about, None if about all; raise `MalformedEvent` for neither."""
    value = json_object(body)
    if "setup_id" not in value:
        return None
    if not is_document_id(value["setup_id"]):
        raise MalformedEvent("event field setup_id is not the id of a setup")
    return SetupId(value["setup_id"])
