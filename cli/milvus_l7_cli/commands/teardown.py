"""Delete what a set-up created: `milvus-l7 teardown`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from milvus_l7.domain.setup.document import Setup, Status
from milvus_l7_cli import options
from milvus_l7_cli.client import stored_request
from milvus_l7_cli.client.backend import Backend, connect, teardown_topic
from milvus_l7_cli.client.lookup import find
from milvus_l7_cli.client.publication import publish
from milvus_l7_cli.errors import CliError, wrong_input
from milvus_l7_cli.exit_codes import ExitCode
from milvus_l7_cli.follow import exit_code, report_or_follow
from milvus_l7_cli.views import terminal
from milvus_l7_cli.views.losses import losses


def teardown(
    context: options.Context,
    setup: options.SetupName,
    restore_l4: Annotated[
        bool, typer.Option("--restore-l4", help="Also restore the release's Service type and plaintext.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    watch: options.Watch = False,
    project: options.Project = None,
) -> None:
    """Delete what milvus-l7 created for a release: load balancer, certificates, health check, annotations."""
    backend = connect(context, project)
    found = find(backend, setup)
    _confirm(found, restore_l4, yes)
    body = stored_request.tear_down_body(found, restore_l4=restore_l4)
    publication = publish(backend, teardown_topic(), found.setup_id, body)
    raise typer.Exit(_exit_code(backend, report_or_follow(backend, publication, watch=watch)))


def _exit_code(backend: Backend, setup: Setup | None) -> ExitCode:
    """Return success for a setup that is torn down, whatever had failed before."""
    is_gone = setup is not None and setup.status is Status.TORN_DOWN
    return ExitCode.DONE if is_gone else exit_code(backend, setup)


def _confirm(setup: Setup, restore_l4: bool, yes: bool) -> None:
    """Say what will be deleted and ask for confirmation; raise `CliError` without it."""
    console = terminal.err()
    terminal.say(console, f"This deletes from {setup.setup_id}:")
    for loss in losses(setup, restore_l4):
        terminal.say(console, f"  - {loss}")
    if yes:
        return
    if not sys.stdin.isatty():
        raise wrong_input("Nothing was done. Not a terminal; pass --yes to confirm.")
    if not typer.confirm("Continue?", err=True):
        raise CliError("Nothing was done.")
