"""Publishing a wish for a setup, and following what becomes of it."""

from __future__ import annotations

from datetime import datetime

from rich.console import RenderableType

from cli import exit_codes
from cli.client.backend import Backend
from cli.client.poll import Time
from cli.client.publication import Publication, await_registration
from cli.exit_codes import ExitCode
from cli.views import terminal
from cli.views.live import follow
from cli.views.setup import setup_view
from shared.domain.setup import Setup, SetupId
from shared.domain.transitions import is_paused


def tell_or_follow(backend: Backend, publication: Publication, *, watch: bool) -> Setup | None:
    """Follow the setup to its end if that is wanted, else say how to; the setup, if it was followed."""
    if watch:
        with terminal.waiting("Published; not registered yet…"):
            await_registration(backend, publication)
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
