"""The event bus on Pub/Sub.

Uses the plain RPC client rather than the batching publisher: that one publishes from a background thread,
and a function's CPU is throttled as soon as it has answered (Cloud Run documentation, "General development
tips"). A publish that is repeated after a lost answer is a second message with the same `event_id`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from milvus_l7.domain.reasons.errors import StateUnavailable
from milvus_l7.domain.request.rejection import Rejection
from milvus_l7.domain.setup.event import Event

if TYPE_CHECKING:
    from google.pubsub_v1 import PublisherClient

# Well below the functions' time-outs (infra/topology.yaml), so that they end with an answer of their own.
TRY_S = 10.0
TOTAL_S = 30.0
MOST_MESSAGES = 1000  # in one call (Pub/Sub quotas)

Message = tuple[dict[str, Any], dict[str, str]]  # JSON payload, attributes


class PubSubEvents:
    """Implements `Events` on the topics of `project`.

    The client is made at the first call, never before a fork; `PUBSUB_EMULATOR_HOST` is honoured then.
    """

    def __init__(self, project: str, rejected_topic: str) -> None:
        self._project = project
        self._rejected_topic = rejected_topic

    @cached_property
    def _client(self) -> PublisherClient:
        from google.pubsub_v1 import PublisherClient

        return PublisherClient()

    def publish(self, event: Event) -> None:
        """Publish and wait until Pub/Sub has taken it. Raises `StateUnavailable`. May be repeated."""
        self._publish(event.topic, [_message(event)])

    def publish_all(self, events: Sequence[Event]) -> None:
        """Publish, a topic's up to a thousand in one call. Raises `StateUnavailable`; some may be out."""
        by_topic: dict[str, list[Message]] = {}
        for event in events:
            by_topic.setdefault(event.topic, []).append(_message(event))
        for topic, messages in by_topic.items():
            for start in range(0, len(messages), MOST_MESSAGES):
                self._publish(topic, messages[start : start + MOST_MESSAGES])

    def reject(self, rejection: Rejection) -> None:
        """Announce a rejection and wait until Pub/Sub has taken it. Raises `StateUnavailable`."""
        attributes = {"request_id": rejection.request_id, "reason": str(rejection.reason)}
        self._publish(self._rejected_topic, [(rejection.payload(), attributes)])

    def _publish(self, topic: str, messages: Sequence[Message]) -> None:
        from google.api_core import exceptions, retry, timeout
        from google.auth.exceptions import GoogleAuthError
        from google.pubsub_v1 import PubsubMessage

        passing = (
            exceptions.Aborted,
            exceptions.Cancelled,
            exceptions.DeadlineExceeded,
            exceptions.InternalServerError,
            exceptions.ResourceExhausted,
            exceptions.ServiceUnavailable,
            exceptions.Unknown,
        )
        try:
            self._client.publish(
                topic=f"projects/{self._project}/topics/{topic}",
                messages=[
                    PubsubMessage(data=json.dumps(payload).encode(), attributes=attributes)
                    for payload, attributes in messages
                ],
                retry=retry.Retry(retry.if_exception_type(*passing), initial=0.1, maximum=2, timeout=TOTAL_S),
                timeout=timeout.ConstantTimeout(TRY_S),  # type: ignore[no-untyped-call]
            )
        except (exceptions.GoogleAPIError, GoogleAuthError) as error:
            raise StateUnavailable(f"Pub/Sub {topic}: {type(error).__name__}: {error!s:.200}") from error


def _message(event: Event) -> Message:
    return event.payload(), {"event_id": event.event_id, "setup_id": event.setup_id}
