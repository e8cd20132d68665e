"""Show the state of all setups, or of one: `milvus-l7 status`."""

from __future__ import annotations

from typing import Annotated, NoReturn

import typer
from rich.console import Group
from rich.live import Live
from rich.text import Text

from milvus_l7.domain.setup.document import Setup, Status
from milvus_l7_cli import exit_codes, options
from milvus_l7_cli.client.backend import Backend, connect
from milvus_l7_cli.client.lookup import all_setups, find
from milvus_l7_cli.client.selection import Selection
from milvus_l7_cli.errors import wrong_input
from milvus_l7_cli.exit_codes import ExitCode
from milvus_l7_cli.follow import follow_to_end
from milvus_l7_cli.options import Format
from milvus_l7_cli.views import terminal
from milvus_l7_cli.views.live import has_ended
from milvus_l7_cli.views.setup import setup_view
from milvus_l7_cli.views.setups import nothing_to_show, setups_table, totals

INTERVAL_S = 2.0


def status(
    context: options.Context,
    setup: options.OptionalSetupName = None,
    statuses: Annotated[
        list[Status] | None,
        typer.Option("--status", help="Only setups with this status; may be repeated.", show_default=False),
    ] = None,
    drifted: Annotated[bool, typer.Option("--drifted", help="Only setups that have drifted.")] = False,
    namespace: Annotated[
        str | None, typer.Option("--namespace", "-n", metavar="NAME", help="Only setups in this namespace.")
    ] = None,
    watch: options.Watch = False,
    output: options.Output = Format.TABLE,
    project: options.Project = None,
) -> None:
    """Show all setups, or one with stages, checklist and drift. The exit code of one is its state."""
    selection = Selection(tuple(statuses or ()), drifted, namespace)
    if setup is not None and not selection.is_empty:
        raise wrong_input("--status, --drifted and --namespace choose among all setups; leave out SETUP.")
    backend = connect(context, project)
    if setup is None:
        _all(backend, selection, watch, output)
    raise typer.Exit(_one(backend, find(backend, setup), watch, output))


def _all(backend: Backend, selection: Selection, watch: bool, output: Format) -> NoReturn:
    """Show the selected setups, and exit with 0 whatever their state."""
    if watch and (output is Format.JSON or not terminal.out().is_terminal):
        raise wrong_input("--watch without a SETUP needs a terminal; leave it out, or name a setup.")
    if output is Format.JSON:
        chosen = filter(selection.includes, all_setups(backend))
        terminal.write_json([_document(setup) for setup in chosen])
    elif watch:
        _redraw(backend, selection)
    else:
        _table(backend, selection)
    raise typer.Exit(ExitCode.DONE)


def _table(backend: Backend, selection: Selection) -> None:
    setups = list(all_setups(backend))
    chosen = list(filter(selection.includes, setups))
    if not chosen:
        terminal.say(terminal.err(), nothing_to_show(len(setups), backend.project))
        return
    console = terminal.out()
    console.print(setups_table(chosen, backend.now()))
    terminal.say(console, f"\n{totals(chosen, len(setups))}", "bold")


def _redraw(backend: Backend, selection: Selection) -> None:
    """Redraw the table until Ctrl-C."""
    with Live(Text(""), console=terminal.out(), auto_refresh=False) as live:
        while True:
            setups = list(all_setups(backend))
            chosen = list(filter(selection.includes, setups))
            count = Text(f"\n{totals(chosen, len(setups))}", "bold")
            live.update(Group(setups_table(chosen, backend.now()), count), refresh=True)
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
    from milvus_l7.adapters.setup.documents import to_document

    return to_document(setup)
