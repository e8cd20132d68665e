"""Publishing a wish for a setup, and following what becomes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rich.console import RenderableType

from cli import exit_codes
from cli.client.backend import ANSWER_TIMEOUT_S, Backend
from cli.errors import Complaint
from cli.exit_codes import ExitCode
from cli.views import terminal
from cli.views.live import Time, answer, follow
from cli.views.setup import setup_view
from shared.domain.setup import Setup, SetupId
from shared.domain.transitions import is_paused


@dataclass(frozen=True, slots=True)
class Publication:
    """A message that is out; the setup has taken it once it holds its id."""

    topic: str
    setup_id: SetupId
    message_id: str


def publish(backend: Backend, topic: str, setup_id: SetupId, body: Mapping[str, Any]) -> Publication:
    """Publish the body; raises `Complaint`."""
    return Publication(topic, setup_id, backend.publish(topic, body))


def tell_or_follow(backend: Backend, publication: Publication, *, watch: bool) -> Setup | None:
    """Follow the setup to its end if that is wanted, else say how to; the setup, if it was followed."""
    if watch:
        _await_registration(backend, publication)
        return watched(backend, publication.setup_id)
    terminal.say(terminal.out(), publication.setup_id, "bold")
    said = f"Published as message {publication.message_id}."
    terminal.say(terminal.err(), f"{said} Follow it: milvus-l7 status {publication.setup_id} --watch")
    return None


def code_of(backend: Backend, setup: Setup | None) -> ExitCode:
    """What a command exits with that published, and perhaps followed."""
    return exit_codes.of_setup(setup, backend.now()) if setup is not None else ExitCode.DONE


def watched(backend: Backend, setup_id: SetupId) -> Setup:
    """Follow the setup to its end."""
    console = terminal.out()

    def load() -> Setup | None:
        found = backend.setups.load(setup_id)
        return found.setup if found else None

    def show(setup: Setup, now: datetime) -> RenderableType:
        return setup_view(setup, now, bars=True)

    setup = follow(load, show, console, Time(backend.now, backend.sleep))
    if not console.is_terminal:
        console.print(setup_view(setup, backend.now()))
    if is_paused(setup):
        terminal.say(console, 'It is paused: nothing runs until a request without "paused" is published.')
    return setup


def _await_registration(backend: Backend, publication: Publication) -> None:
    """Return once the setup holds the message's id; until then it may still show an earlier run."""

    def is_registered() -> bool | None:
        found = backend.setups.load(publication.setup_id)
        return (found is not None and found.setup.request_id == publication.message_id) or None

    with terminal.waiting("Published; not registered yet…"):
        time = Time(backend.now, backend.sleep)
        if answer(is_registered, time, ANSWER_TIMEOUT_S) is None:
            raise Complaint(_unregistered(publication), code=ExitCode.NO_ANSWER)


def _unregistered(publication: Publication) -> str:
    return (
        f"Message {publication.message_id} was not registered within {ANSWER_TIMEOUT_S:.0f} s. "
        f"Either nobody listens to {publication.topic}, or it was refused (see l7-request-rejected), "
        f"or a later request has replaced it: milvus-l7 status {publication.setup_id}"
    )
