"""`milvus-l7 teardown`: take the Layer-7 load balancer away again."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Annotated

import typer

from cli import options
from cli.client import stored_request
from cli.client.backend import Backend, connect, teardown_topic
from cli.client.lookup import find
from cli.errors import Complaint, wrong_input
from cli.exit_codes import ExitCode
from cli.follow import code_of, publish, tell_or_follow
from cli.views import terminal
from shared.domain.checklist import excerpt
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
    for loss in _losses(setup, restore_l4):
        terminal.say(console, f"  - {loss}")
    if yes:
        return
    if not sys.stdin.isatty():
        raise wrong_input("Nothing was done. Nobody can be asked here: give --yes if that is meant.")
    if not typer.confirm("Go on?", err=True):
        raise Complaint("Nothing was done.")


def _losses(setup: Setup, restore_l4: bool) -> Iterator[str]:
    domain, address = excerpt(setup.desired.domain), setup.facts.address
    at = f" at {excerpt(address)}" if address else ""
    yield f"the Ingress and its load balancer: https://{domain}{at} answers no more, the address is given up"
    if setup.desired.dns_zone:
        yield f"the DNS records that milvus-l7 made in {excerpt(setup.desired.dns_zone)}"
    if setup.desired.is_google_managed:
        yield "the ManagedCertificate"
    elif setup.desired.certificate.secret is None:
        yield "the certificate that milvus-l7 issued, with its key: clients that pin it will need another"
    yield "the BackendConfig and the Service's annotations, as far as they are milvus-l7's"
    if restore_l4:
        yield "TLS: Milvus restarts into plaintext, with its earlier Service type; TLS clients are cut off"
    else:
        yield "nothing of the release: Milvus goes on with TLS and service type ClusterIP (see --restore-l4)"
