"""`milvus-l7 teardown`: take the Layer-7 load balancer away again."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from cli import options
from cli.client import stored_request
from cli.client.backend import Backend, connect, teardown_topic
from cli.client.lookup import find
from cli.client.publication import publish
from cli.errors import Complaint, wrong_input
from cli.exit_codes import ExitCode
from cli.follow import code_of, tell_or_follow
from cli.views import terminal
from cli.views.losses import losses
from shared.domain.setup import Setup, Status


def teardown(
    context: options.Context,
    setup: options.SetupName,
    restore_l4: Annotated[
        bool, typer.Option("--restore-l4", help="Also give the release its Service type and plaintext back.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    watch: options.Watch = False,
    project: options.Project = None,
) -> None:
    """Take away what milvus-l7 made for a release: load balancer, certificates, health check, annotations."""
    backend = connect(context, project)
    found = find(backend, setup)
    _agree(found, restore_l4, yes)
    body = stored_request.tear_down_body(found, restore_l4=restore_l4)
    publication = publish(backend, teardown_topic(), found.setup_id, body)
    raise typer.Exit(_code(backend, tell_or_follow(backend, publication, watch=watch)))


def _code(backend: Backend, setup: Setup | None) -> ExitCode:
    """Taken away is what was asked for, whatever had failed before."""
    is_gone = setup is not None and setup.status is Status.TORN_DOWN
    return ExitCode.DONE if is_gone else code_of(backend, setup)


def _agree(setup: Setup, restore_l4: bool, yes: bool) -> None:
    """Say what will be lost, and ask; `Complaint` if nobody agrees."""
    console = terminal.err()
    terminal.say(console, f"From {setup.setup_id} will be taken away:")
    for loss in losses(setup, restore_l4):
        terminal.say(console, f"  - {loss}")
    if yes:
        return
    if not sys.stdin.isatty():
        raise wrong_input("Nothing was done. Nobody can be asked here: give --yes if that is meant.")
    if not typer.confirm("Go on?", err=True):
        raise Complaint("Nothing was done.")
