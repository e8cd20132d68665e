"""Report what was published, or follow the setup until its run has ended."""

from __future__ import annotations

from datetime import datetime

from rich.console import RenderableType

from milvus_l7.domain.setup.desired import SetupId
from milvus_l7.domain.setup.document import Setup
from milvus_l7.domain.setup.schedule import is_paused
from milvus_l7_cli import exit_codes, freshness
from milvus_l7_cli.client.backend import Backend
from milvus_l7_cli.client.poll import Time
from milvus_l7_cli.client.publication import Publication, await_registration
from milvus_l7_cli.client.recheck import Recheck
from milvus_l7_cli.exit_codes import ExitCode
from milvus_l7_cli.views import terminal
from milvus_l7_cli.views.live import Followed, follow, has_ended
from milvus_l7_cli.views.setup import setup_view

SUPERVISION_ONLY = (
    "The request changes only how the setup is supervised: waiting for the next drift check, "
    "and for the repair that it may start."
)


def report_or_follow(backend: Backend, publication: Publication, *, watch: bool) -> Setup | None:
    """Follow the setup to the end of its run and return it; without `watch`, print how to follow it."""
    if watch:
        with terminal.waiting("Published; not registered yet…"):
            setup = await_registration(backend, publication)
        if freshness.awaits_check(setup):
            terminal.say(terminal.err(), SUPERVISION_ONLY)
        return _follow_request(backend, publication)
    terminal.say(terminal.out(), publication.setup_id, "bold")
    published = f"Published as message {publication.message_id}."
    terminal.say(terminal.err(), f"{published} Follow it: milvus-l7 status {publication.setup_id} --watch")
    return None


def exit_code(backend: Backend, setup: Setup | None) -> ExitCode:
    """Return the exit code of a command that published, and followed the setup if there is one.

    A request that is refused has failed, whatever the setup that goes on without it does.
    """
    if setup is None:
        return ExitCode.DONE
    return ExitCode.FAILED if setup.refusal is not None else exit_codes.of_setup(setup, backend.now())


def _follow_request(backend: Backend, publication: Publication) -> Setup:
    """Follow the setup until the run of the request has ended, or its plan has refused it."""
    recheck = Recheck(backend)

    def load() -> Setup | None:
        found = backend.setups.load(publication.setup_id)
        if found is not None:
            recheck.request(found.setup)
        return found.setup if found else None

    return _shown_to_end(backend, Followed(load, _drawn, _is_answered))


def _is_answered(setup: Setup) -> bool:
    return setup.refusal is not None or has_ended(setup)


def follow_to_end(backend: Backend, setup_id: SetupId) -> Setup:
    """Show the setup until its run has ended, and return it."""

    def load() -> Setup | None:
        found = backend.setups.load(setup_id)
        return found.setup if found else None

    return _shown_to_end(backend, Followed(load, _drawn))


def _drawn(setup: Setup, now: datetime) -> RenderableType:
    return setup_view(setup, now, bars=True)


def _shown_to_end(backend: Backend, followed: Followed) -> Setup:
    console = terminal.out()
    setup = follow(followed, console, Time(backend.now, backend.sleep))
    if not console.is_terminal:
        console.print(setup_view(setup, backend.now()))
    if is_paused(setup):
        terminal.say(console, 'It is paused: nothing runs until a request without "paused" is published.')
    return setup
