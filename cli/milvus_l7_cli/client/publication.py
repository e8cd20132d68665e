"""Publish a message about a setup, and wait until the setup has taken it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.setup.desired import SetupId
from milvus_l7.domain.setup.document import OrderMark, Setup
from milvus_l7_cli.client.backend import ANSWER_TIMEOUT_S, Backend
from milvus_l7_cli.client.poll import Time, answer
from milvus_l7_cli.errors import CliError
from milvus_l7_cli.exit_codes import ExitCode
from milvus_l7_cli.views.durations import clock


@dataclass(frozen=True, slots=True)
class Publication:
    """A published message; the setup has taken it once it holds its id."""

    topic: str
    setup_id: SetupId
    message_id: str
    published_at: datetime  # by our clock; Pub/Sub's own time of it is not later


def publish(backend: Backend, topic: str, setup_id: SetupId, body: Mapping[str, Any]) -> Publication:
    """Publish the body on the topic. Raises `CliError`."""
    message_id = backend.publish(topic, body)
    return Publication(topic, setup_id, message_id, backend.now())


def await_registration(backend: Backend, publication: Publication) -> Setup:
    """Return the setup once it holds the message's id; until then it may still show an earlier run.

    Raises `CliError` if a later request takes its place, or it does not within `ANSWER_TIMEOUT_S`.
    """
    seen: list[OrderMark] = []

    def registered() -> Setup | None:
        found = backend.setups.load(publication.setup_id)
        if found is None:
            return None
        seen.append(found.setup.order)
        if seen[-1].message_id == publication.message_id:
            return found.setup
        if seen[-1] != seen[0] and seen[-1].published_at > publication.published_at:
            raise CliError(_superseded(publication, found.setup))
        return None

    setup = answer(registered, Time(backend.now, backend.sleep), ANSWER_TIMEOUT_S)
    if setup is None:
        raise CliError(_unregistered(publication), code=ExitCode.NO_ANSWER)
    return setup


def _superseded(publication: Publication, setup: Setup) -> str:
    later = f"{setup.order.message_id}, published at {clock(setup.order.published_at)}"
    return (
        f"{Reason.SUPERSEDED}: a later request than message {publication.message_id} is accepted already "
        f"({later}). {Reason.SUPERSEDED.remedy} Follow it: milvus-l7 status {publication.setup_id} --watch"
    )


def _unregistered(publication: Publication) -> str:
    return (
        f"Message {publication.message_id} was not registered within {ANSWER_TIMEOUT_S:.0f} s. "
        f"Either nothing is subscribed to {publication.topic}, or it was refused (see l7-request-rejected), "
        f"or a later request has replaced it: milvus-l7 status {publication.setup_id}"
    )
