"""Assemble the commands into `milvus-l7`."""

from __future__ import annotations

import os
import sys
import warnings
from typing import Annotated

import typer

from milvus_l7_cli.commands import local
from milvus_l7_cli.commands.certificate import certificate
from milvus_l7_cli.commands.check import check
from milvus_l7_cli.commands.explain import explain
from milvus_l7_cli.commands.plan import plan
from milvus_l7_cli.commands.request import request
from milvus_l7_cli.commands.retry import retry
from milvus_l7_cli.commands.status import status
from milvus_l7_cli.commands.teardown import teardown
from milvus_l7_cli.exit_codes import ExitCode
from milvus_l7_cli.program import Program
from milvus_l7_cli.version import print_version

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
