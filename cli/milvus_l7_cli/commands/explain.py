"""Explain a setup in words: `milvus-l7 explain`."""

from __future__ import annotations

import typer

from milvus_l7_cli import exit_codes, options
from milvus_l7_cli.client.backend import connect
from milvus_l7_cli.client.lookup import find
from milvus_l7_cli.views import terminal
from milvus_l7_cli.views.explanation import explanation


def explain(context: options.Context, setup: options.SetupName, project: options.Project = None) -> None:
    """Explain what a setup does or waits for, since when, why, and what to do."""
    backend = connect(context, project)
    found, now = find(backend, setup), backend.now()
    first, *further = explanation(found, now)
    console = terminal.out()
    terminal.say(console, first, "bold")
    for paragraph in further:
        terminal.say(console, paragraph)
    raise typer.Exit(exit_codes.of_setup(found, now))
