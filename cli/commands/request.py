"""`milvus-l7 request`: ask for a set-up."""

from __future__ import annotations

import typer

from cli import options
from cli.client import request_file
from cli.client.backend import connect, request_topic
from cli.client.publication import publish
from cli.errors import wrong_input
from cli.follow import code_of, tell_or_follow


def request(
    context: options.Context,
    file: options.RequestFile,
    watch: options.Watch = False,
    project: options.Project = None,
) -> None:
    """Publish a request: put a Milvus release behind its load balancer, or change how it is."""
    asked = request_file.read(file)
    if asked.wish.is_dry_run:
        raise wrong_input('"dry_run" is for a plan: milvus-l7 plan -f FILE')
    backend = connect(context, project)
    publication = publish(backend, request_topic(), asked.wish.desired.setup_id, asked.body)
    raise typer.Exit(code_of(backend, tell_or_follow(backend, publication, watch=watch)))
