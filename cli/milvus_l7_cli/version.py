"""Tell the version of the command line."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

import typer

DISTRIBUTION = "milvus-l7"


def version_line(distribution: str = DISTRIBUTION) -> str:
    """Return name and version, as `--version` prints them."""
    try:
        return f"{DISTRIBUTION} {version(distribution)}"
    except PackageNotFoundError:
        return f"{DISTRIBUTION} (version unknown: not installed)"


def print_version(is_wanted: bool) -> None:
    """Print the version and exit, if that is wanted."""
    if is_wanted:
        typer.echo(version_line())
        raise typer.Exit
