"""The arguments and options that several commands have."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from cli.client.lookup import completions

Context = typer.Context

SetupName = Annotated[
    str,
    typer.Argument(
        metavar="SETUP",
        show_default=False,
        autocompletion=completions,
        help="Id of the setup, or an unambiguous end of it: my-release, default.my-release.",
    ),
]
OptionalSetupName = Annotated[
    str | None,
    typer.Argument(
        metavar="[SETUP]",
        show_default=False,
        autocompletion=completions,
        help="Id of the setup, or an unambiguous end of it: my-release, default.my-release.",
    ),
]
Project = Annotated[
    str | None,
    typer.Option(
        "--project", envvar="GOOGLE_CLOUD_PROJECT", metavar="ID", help="Where milvus-l7 is deployed."
    ),
]
RequestFile = Annotated[
    str,
    typer.Option("--file", "-f", metavar="FILE", help="The request, JSON or YAML; - reads it from stdin."),
]
OptionalRequestFile = Annotated[
    str | None,
    typer.Option("--file", "-f", metavar="FILE", help="The request, JSON or YAML; - reads it from stdin."),
]
Watch = Annotated[bool, typer.Option("--watch", help="Follow the setup until it has ended.")]
Timeout = Annotated[
    float, typer.Option("--timeout", metavar="SECONDS", min=1, help="How long to wait for an answer.")
]


class Format(StrEnum):
    """How something is printed."""

    TABLE = "table"
    JSON = "json"


Output = Annotated[Format, typer.Option("--output", "-o", help="For people, or for programs.")]
