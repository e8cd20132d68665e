"""Request a set-up: `milvus-l7 request`."""

from __future__ import annotations

import typer

from milvus_l7_cli import options
from milvus_l7_cli.client import request_file
from milvus_l7_cli.client.backend import connect, request_topic
from milvus_l7_cli.client.publication import publish
from milvus_l7_cli.errors import wrong_input
from milvus_l7_cli.follow import exit_code, report_or_follow


def request(
    context: options.Context,
    file: options.RequestFile,
    watch: options.Watch = False,
    project: options.Project = None,
) -> None:
    """Publish a request: put a Milvus release behind a load balancer, or change its settings."""
    asked = request_file.read(file)
    if asked.spec.is_dry_run:
        raise wrong_input('"dry_run" makes a plan; use: milvus-l7 plan -f FILE')
    backend = connect(context, project)
    publication = publish(backend, request_topic(), asked.spec.desired.setup_id, asked.body)
    raise typer.Exit(exit_code(backend, report_or_follow(backend, publication, watch=watch)))
