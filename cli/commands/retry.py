"""Run a chain again that waits, failed or has ended: `milvus-l7 retry`."""

from __future__ import annotations

import typer

from cli import options
from cli.client import stored_request
from cli.client.backend import connect, request_topic
from cli.client.lookup import find
from cli.client.publication import publish
from cli.errors import CliError
from cli.exit_codes import was_restored
from cli.follow import exit_code, report_or_follow
from milvus_l7.domain.setup.document import Setup
from milvus_l7.domain.setup.transitions import is_paused


def retry(
    context: options.Context,
    setup: options.SetupName,
    watch: options.Watch = False,
    project: options.Project = None,
) -> None:
    """Publish the setup's own request again: every stage is checked now. Leaves a running chain alone."""
    backend = connect(context, project)
    found = find(backend, setup)
    _refuse_unless_retryable(found)
    publication = publish(backend, request_topic(), found.setup_id, stored_request.body(found))
    raise typer.Exit(exit_code(backend, report_or_follow(backend, publication, watch=watch)))


def _refuse_unless_retryable(setup: Setup) -> None:
    if is_paused(setup):
        raise CliError(
            f"{setup.setup_id} is paused, so nothing would run. "
            'Publish its request without "paused": milvus-l7 request -f FILE'
        )
    if setup.teardown is not None and setup.requested is None and not was_restored(setup):
        restore = " --restore-l4" if setup.teardown.restore_l4 else ""
        raise CliError(
            f"{setup.setup_id} is being torn down, or was. "
            f"To repeat that: milvus-l7 teardown {setup.setup_id}{restore}. "
            "To set it up again: milvus-l7 request -f FILE"
        )
