"""Run a chain again that waits, failed or has ended: `milvus-l7 retry`."""

from __future__ import annotations

import typer

from milvus_l7.domain.setup.document import Setup
from milvus_l7.domain.setup.schedule import is_paused
from milvus_l7_cli import options
from milvus_l7_cli.client import stored_request
from milvus_l7_cli.client.backend import connect, request_topic
from milvus_l7_cli.client.lookup import find
from milvus_l7_cli.client.publication import publish
from milvus_l7_cli.errors import CliError, paused
from milvus_l7_cli.exit_codes import was_restored
from milvus_l7_cli.follow import exit_code, report_or_follow


def retry(
    context: options.Context,
    setup: options.SetupName,
    watch: options.Watch = False,
    project: options.Project = None,
) -> None:
    """Publish the setup's own request again: runs what has ended, and wakes what waits."""
    backend = connect(context, project)
    found = find(backend, setup)
    _refuse_unless_retryable(found)
    publication = publish(backend, request_topic(), found.setup_id, stored_request.body(found))
    raise typer.Exit(exit_code(backend, report_or_follow(backend, publication, watch=watch)))


def _refuse_unless_retryable(setup: Setup) -> None:
    if is_paused(setup):
        raise paused(setup.setup_id, "nothing would run")
    if setup.teardown is not None and setup.requested is None and not was_restored(setup):
        restore = " --restore-l4" if setup.teardown.restore_l4 else ""
        raise CliError(
            f"{setup.setup_id} is being torn down, or was. "
            f"To repeat that: milvus-l7 teardown {setup.setup_id}{restore}. "
            "To set it up again: milvus-l7 request -f FILE"
        )
