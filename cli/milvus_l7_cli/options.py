"""Define the arguments and options that several commands have."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from milvus_l7_cli.client.lookup import completions

Context = typer.Context

_SETUP = typer.Argument(
    metavar="SETUP",
    show_default=False,
    autocompletion=completions,
    help="Id of the setup, or its last parts where they are unambiguous: my-release, default.my-release.",
)
_FILE = typer.Option("--file", "-f", metavar="FILE", help="The request, JSON or YAML; - reads it from stdin.")

SetupName = Annotated[str, _SETUP]
OptionalSetupName = Annotated[str | None, _SETUP]
Project = Annotated[
    str | None,
    typer.Option(
        "--project", envvar="GOOGLE_CLOUD_PROJECT", metavar="ID", help="Where milvus-l7 is deployed."
    ),
]
RequestFile = Annotated[str, _FILE]
OptionalRequestFile = Annotated[str | None, _FILE]
Watch = Annotated[bool, typer.Option("--watch", help="Follow the setup until its run has ended.")]
Timeout = Annotated[
    float, typer.Option("--timeout", metavar="SECONDS", min=1, help="How long to wait for an answer.")
]


class Format(StrEnum):
    """Format of the output."""

    TABLE = "table"
    JSON = "json"


Output = Annotated[Format, typer.Option("--output", "-o", help="A table for people, JSON for programs.")]
