"""When Pub/Sub took a message: by the delivery itself, never by our clock."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from milvus_l7.domain.reasons.errors import MalformedEvent
from milvus_l7.domain.request.delivery import pushed

TIME = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
ORIGINAL = "CloudPubSubDeadLetterSourceTopicPublishTime"


def delivery(published: object, attributes: object = None, name: str = "publishTime") -> bytes:
    message = {"messageId": "7", "data": base64.b64encode(b"{}").decode(), name: published}
    if attributes is not None:
        message["attributes"] = attributes
    subscription = "projects/p/subscriptions/l7-accept-request"
    return json.dumps({"message": message, "subscription": subscription}).encode()


@pytest.mark.parametrize("name", ["publishTime", "publish_time"])
@pytest.mark.parametrize(
    "text",
    [
        "2026-03-01T12:00:00.123456Z",
        "2026-03-01T12:00:00.123456789Z",
        "2026-03-01T13:00:00.123456+01:00",
    ],
)
def test_publish_time_is_read_to_the_microsecond(name: str, text: str) -> None:
    message = pushed(delivery(text, name=name))
    assert (message.mark.published_at, message.mark.message_id) == (TIME, "7")
    assert (message.body, message.subscription) == (b"{}", "l7-accept-request")


@pytest.mark.parametrize("text", [None, "", "yesterday", 7, "2026-03-01T12:00:00", "2026-03-01" * 20])
def test_delivery_without_a_publish_time_is_malformed_and_never_now(text: object) -> None:
    for attributes in (None, {ORIGINAL: "2026-03-01T12:00:00Z"}):
        with pytest.raises(MalformedEvent, match="when its message was published"):
            _ = pushed(delivery(text, attributes)).mark


def test_replayed_dead_letter_has_the_time_of_its_original() -> None:
    replayed = (TIME + timedelta(days=3)).astimezone(timezone(timedelta(hours=2))).isoformat()
    message = pushed(delivery(replayed, {ORIGINAL: TIME.isoformat()}))
    assert message.mark.published_at == TIME


@pytest.mark.parametrize("original", [(TIME + timedelta(days=3)).isoformat(), "never", None, 7])
def test_time_that_somebody_wrote_makes_no_message_later(original: object) -> None:
    message = pushed(delivery(TIME.isoformat(), {ORIGINAL: original}))
    assert message.mark.published_at == TIME
