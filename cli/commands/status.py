"""Show the state of all setups, or of one: `milvus-l7 status`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

import typer
from rich.live import Live
from rich.text import Text

from cli import exit_codes, options
from cli.client.backend import Backend, connect
from cli.client.lookup import all_setups, find
from cli.errors import wrong_input
from cli.exit_codes import ExitCode
from cli.follow import follow_to_end
from cli.options import Format
from cli.views import terminal
from cli.views.live import has_ended
from cli.views.setup import setup_view
from cli.views.setups import setups_table
from shared.domain.setup import Setup

INTERVAL_S = 2.0


def status(
    context: options.Context,
    setup: options.OptionalSetupName = None,
    watch: options.Watch = False,
    output: options.Output = Format.TABLE,
    project: options.Project = None,
) -> None:
    """Show all setups, or one with stages, checklist and drift. The exit code of one is its state."""
    backend = connect(context, project)
    if setup is None:
        _all(backend, watch, output)
    raise typer.Exit(_one(backend, find(backend, setup), watch, output))


def _all(backend: Backend, watch: bool, output: Format) -> NoReturn:
    """Show all setups, and exit with 0 whatever their state."""
    console = terminal.out()
    if watch and (output is Format.JSON or not console.is_terminal):
        raise wrong_input("--watch without a SETUP needs a terminal; leave it out, or name a setup.")
    if output is Format.JSON:
        terminal.write_json([_document(setup) for setup in all_setups(backend)])
    elif watch:
        _redraw(backend)
    else:
        _table(backend, list(all_setups(backend)))
    raise typer.Exit(ExitCode.DONE)


def _table(backend: Backend, setups: Sequence[Setup]) -> None:
    if not setups:
        terminal.say(terminal.err(), f"There are no setups in project {backend.project}.")
        return
    terminal.out().print(setups_table(setups, backend.now()))


def _redraw(backend: Backend) -> None:
    """Redraw the table until Ctrl-C."""
    with Live(Text(""), console=terminal.out(), auto_refresh=False) as live:
        while True:
            live.update(setups_table(all_setups(backend), backend.now()), refresh=True)
            backend.sleep(INTERVAL_S)


def _one(backend: Backend, setup: Setup, watch: bool, output: Format) -> ExitCode:
    if output is Format.JSON:
        setup = _ended(backend, setup) if watch else setup
        terminal.write_json(_document(setup))
    elif watch:
        setup = follow_to_end(backend, setup.setup_id)
    else:
        console = terminal.out()
        console.print(setup_view(setup, backend.now(), bars=console.is_terminal))
    return exit_codes.of_setup(setup, backend.now())


def _ended(backend: Backend, setup: Setup) -> Setup:
    """Return the setup once its run has ended; show nothing until then."""
    while not has_ended(setup):
        backend.sleep(INTERVAL_S)
        setup = find(backend, setup.setup_id)
    return setup


def _document(setup: Setup) -> dict[str, object]:
    """Return the setup as it is stored."""
    from shared.adapters.documents import to_document

    return to_document(setup)
