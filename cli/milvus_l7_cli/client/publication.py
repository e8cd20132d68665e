"""Publish a message about a setup, and wait until the setup has taken it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from milvus_l7.domain.setup.desired import SetupId
from milvus_l7.domain.setup.document import Setup
from milvus_l7_cli.client.backend import ANSWER_TIMEOUT_S, Backend
from milvus_l7_cli.client.poll import Time, answer
from milvus_l7_cli.errors import CliError
from milvus_l7_cli.exit_codes import ExitCode


@dataclass(frozen=True, slots=True)
class Publication:
    """A published message; the setup has taken it once it holds its id."""

    topic: str
    setup_id: SetupId
    message_id: str


def publish(backend: Backend, topic: str, setup_id: SetupId, body: Mapping[str, Any]) -> Publication:
    """Publish the body on the topic. Raises `CliError`."""
    return Publication(topic, setup_id, backend.publish(topic, body))


def await_registration(backend: Backend, publication: Publication) -> Setup:
    """Return the setup once it holds the message's id; until then it may still show an earlier run.

    Raises `CliError` if it does not within `ANSWER_TIMEOUT_S`.
    """

    def registered() -> Setup | None:
        found = backend.setups.load(publication.setup_id)
        if found is None or found.setup.order.message_id != publication.message_id:
            return None
        return found.setup

    setup = answer(registered, Time(backend.now, backend.sleep), ANSWER_TIMEOUT_S)
    if setup is None:
        raise CliError(_unregistered(publication), code=ExitCode.NO_ANSWER)
    return setup


def _unregistered(publication: Publication) -> str:
    return (
        f"Message {publication.message_id} was not registered within {ANSWER_TIMEOUT_S:.0f} s. "
        f"Either nothing is subscribed to {publication.topic}, or it was refused (see l7-request-rejected), "
        f"or a later request has replaced it: milvus-l7 status {publication.setup_id}"
    )
