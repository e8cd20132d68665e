"""Assemble the commands into `milvus-l7`."""

from __future__ import annotations

import os
import sys
import warnings
from typing import Annotated

import typer

from cli.commands import local
from cli.commands.certificate import certificate
from cli.commands.check import check
from cli.commands.explain import explain
from cli.commands.plan import plan
from cli.commands.request import request
from cli.commands.retry import retry
from cli.commands.status import status
from cli.commands.teardown import teardown
from cli.exit_codes import ExitCode
from cli.program import Program
from cli.version import print_version

EPILOG = "Exit codes: " + "; ".join(f"{code.value} {code.meaning}" for code in ExitCode) + "."

app = typer.Typer(
    name="milvus-l7",
    cls=Program,
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # they would show local variables
    epilog=EPILOG,
    help="Put Milvus on GKE behind a Layer-7 load balancer, and keep it there.",
)


@app.callback()
def program(
    version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=print_version, help="Print the version and exit."),
    ] = False,
) -> None:
    """Declare the options before the command; each acts by its own callback."""


for command in (request, plan, status, explain, check, retry, teardown, certificate):
    app.command()(command)
app.add_typer(local.app, name="local")


def main() -> None:
    """Run the program; its exit status is one of `ExitCode`."""
    # gRPC and google-auth would write about their own affairs between our lines.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    warnings.simplefilter("ignore")
    try:
        app(prog_name="milvus-l7")
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)
