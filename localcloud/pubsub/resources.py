"""What Pub/Sub accepts as a topic, a subscription and a message, and the defaults it fills in.

Limits: `google/pubsub/v1/pubsub.proto` and https://cloud.google.com/pubsub/quotas#resource_limits
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import grpc

from localcloud.grpc_server import Refused, invalid, unimplemented
from localcloud.pubsub.delivery import seconds

DELETED_TOPIC = "_deleted-topic_"
_MAX_REQUEST_BYTES = 10_000_000
_MAX_MESSAGES = 1000
_MAX_ATTRIBUTES = 100
_NAME = re.compile(r"projects/[^/]+/(topics|subscriptions)/(?!goog)[A-Za-z][A-Za-z0-9._~+%-]{2,254}")
_RETENTION_S = 7 * 24 * 3600
_EMULATED_SETTINGS = frozenset(
    {
        "name",
        "topic",
        "labels",
        "push_config",
        "ack_deadline_seconds",
        "message_retention_duration",
        "expiration_policy",
        "dead_letter_policy",
        "retry_policy",
    }
)


def not_found(name: str) -> Refused:
    """Return a NOT_FOUND as Pub/Sub words it."""
    return Refused(grpc.StatusCode.NOT_FOUND, f"Resource not found (resource={name.rpartition('/')[2]}).")


def already_exists(name: str) -> Refused:
    """Return an ALREADY_EXISTS as Pub/Sub words it."""
    text = f"Resource already exists in the project (resource={name.rpartition('/')[2]})."
    return Refused(grpc.StatusCode.ALREADY_EXISTS, text)


def check_name(name: str, kind: str) -> None:
    """Refuse a name that is not one of a `topics` or a `subscriptions` resource."""
    match = _NAME.fullmatch(name)
    if match is None or match.group(1) != kind:
        raise invalid(f"Invalid [{kind}] name: (name={name})")


def check_publish(request: Any) -> None:
    """Refuse a publish request that production would refuse (INVALID_ARGUMENT)."""
    if request.ByteSize() > _MAX_REQUEST_BYTES:
        raise invalid(f"Request payload size exceeds the limit: {_MAX_REQUEST_BYTES} bytes.")
    if not 1 <= len(request.messages) <= _MAX_MESSAGES:
        raise invalid(f"A publish request holds 1 to {_MAX_MESSAGES} messages.")
    for message in request.messages:
        _check_message(message)


def _check_message(message: Any) -> None:
    if not message.data and not message.attributes:
        raise invalid(
            "Some messages in the publish request are empty: each message must contain either non-empty "
            "data, or at least one attribute."
        )
    if len(message.attributes) > _MAX_ATTRIBUTES:
        raise invalid(f"A message has at most {_MAX_ATTRIBUTES} attributes.")
    for key, value in message.attributes.items():
        if not 1 <= len(key.encode()) <= 256 or key.startswith("goog") or len(value.encode()) > 1024:
            raise invalid(
                "An attribute's key has 1 to 256 bytes and no prefix 'goog'; its value at most 1024."
            )


def check_subscription(subscription: Any) -> None:
    """Fill in the defaults of a subscription in place; refuse what production or this emulator refuses."""
    check_name(subscription.name, "subscriptions")
    for setting, _ in subscription.ListFields():
        if setting.name not in _EMULATED_SETTINGS:
            raise unimplemented(f"a subscription's {setting.name}")
    check_push_config(subscription.push_config)
    subscription.ack_deadline_seconds = subscription.ack_deadline_seconds or 10
    check_ack_deadline(subscription.ack_deadline_seconds, minimum_s=10)
    if not subscription.HasField("message_retention_duration"):
        subscription.message_retention_duration.seconds = _RETENTION_S
    if subscription.HasField("dead_letter_policy"):
        _check_dead_letter_policy(subscription.dead_letter_policy)
    if subscription.HasField("retry_policy"):
        policy = subscription.retry_policy
        _check_backoffs([seconds(policy.minimum_backoff), seconds(policy.maximum_backoff)])


def check_push_config(push_config: Any) -> None:
    """Refuse an endpoint that cannot be called, and unwrapped delivery. No endpoint means pull."""
    if push_config.HasField("no_wrapper"):
        raise unimplemented("unwrapped push")
    endpoint = push_config.push_endpoint
    if endpoint and not _is_http_url(endpoint):
        raise invalid(f"Invalid push endpoint given (endpoint={endpoint}): not an http URL.")


def _is_http_url(text: str) -> bool:
    try:
        url = urlsplit(text)
        return url.scheme == "http" and bool(url.hostname) and url.port != 0
    except ValueError:  # the port is no number, or none that a port can have
        return False


def check_ack_deadline(deadline_s: int, minimum_s: int) -> None:
    """Refuse an acknowledgement deadline outside of `minimum_s` to 600 s."""
    if not minimum_s <= deadline_s <= 600:
        raise invalid(f"Invalid ack deadline given (deadline={deadline_s}): {minimum_s} to 600 seconds.")


def _check_dead_letter_policy(policy: Any) -> None:
    check_name(policy.dead_letter_topic, "topics")
    policy.max_delivery_attempts = policy.max_delivery_attempts or 5
    if not 5 <= policy.max_delivery_attempts <= 100:
        raise invalid("max_delivery_attempts must be between 5 and 100.")


def _check_backoffs(backoffs_s: Sequence[float]) -> None:
    if not all(0 <= backoff_s <= 600 for backoff_s in backoffs_s):
        raise invalid("A retry policy's back-off must be between 0 and 600 seconds.")
