"""Publish to Pub/Sub, with errors that say what to do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from milvus_l7.domain.text.excerpt import excerpt
from milvus_l7_cli.errors import CliError

if TYPE_CHECKING:
    from google.pubsub_v1 import PublisherClient

TRY_S = 10.0
TOTAL_S = 30.0


class Publisher:
    """Publisher to one project. The client, created at the first call, honours `PUBSUB_EMULATOR_HOST`."""

    def __init__(self, project: str) -> None:
        self._project = project

    @cached_property
    def _client(self) -> PublisherClient:
        from google.pubsub_v1 import PublisherClient

        return PublisherClient()

    def publish(self, topic: str, body: Mapping[str, Any]) -> str:
        """Publish one message and return its id once Pub/Sub has stored it.

        Raises `CliError`. A second call publishes a second message, which changes nothing while the first
        one is being worked on.
        """
        from google.api_core import exceptions, retry, timeout
        from google.auth.exceptions import GoogleAuthError
        from google.pubsub_v1 import PubsubMessage

        passing = (exceptions.Aborted, exceptions.DeadlineExceeded, exceptions.ServiceUnavailable)
        try:
            answer = self._client.publish(
                topic=f"projects/{self._project}/topics/{topic}",
                messages=[PubsubMessage(data=json.dumps(body).encode())],
                retry=retry.Retry(retry.if_exception_type(*passing), initial=0.1, maximum=2, timeout=TOTAL_S),
                timeout=timeout.ConstantTimeout(TRY_S),  # type: ignore[no-untyped-call]
            )
        except exceptions.NotFound as error:
            raise self._no_topic(topic) from error
        except (exceptions.PermissionDenied, exceptions.Unauthenticated) as error:
            raise self._not_allowed(topic, error) from error
        except (exceptions.GoogleAPIError, GoogleAuthError) as error:
            raise self._unreachable(error) from error
        return str(answer.message_ids[0])

    def _no_topic(self, topic: str) -> CliError:
        return CliError(
            f"There is no topic {topic} in project {self._project}: milvus-l7 is not deployed there. "
            "Check GOOGLE_CLOUD_PROJECT or --project."
        )

    def _not_allowed(self, topic: str, error: Exception) -> CliError:
        return CliError(
            f"No permission to publish to {topic} in project {self._project} ({excerpt(error)}). "
            "Ask for roles/pubsub.publisher on that topic."
        )

    def _unreachable(self, error: Exception) -> CliError:
        said = f"{type(error).__name__}: {excerpt(error)}"
        return CliError(
            f"Cannot reach Pub/Sub in project {self._project} ({said}). "
            "Check GOOGLE_CLOUD_PROJECT and `gcloud auth application-default login`."
        )
