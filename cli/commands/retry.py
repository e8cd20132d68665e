"""`milvus-l7 retry`: run a chain again that waits, failed or has ended."""

from __future__ import annotations

import typer

from cli import options
from cli.client import stored_request
from cli.client.backend import connect, request_topic
from cli.client.lookup import find
from cli.client.publication import publish
from cli.errors import Complaint
from cli.follow import code_of, tell_or_follow
from shared.domain.setup import Setup, Status
from shared.domain.transitions import is_paused


def retry(
    context: options.Context,
    setup: options.SetupName,
    watch: options.Watch = False,
    project: options.Project = None,
) -> None:
    """Publish the setup's own request again: everything is looked at now. Leaves a running chain alone."""
    backend = connect(context, project)
    found = find(backend, setup)
    _refuse_if_senseless(found)
    publication = publish(backend, request_topic(), found.setup_id, stored_request.body(found))
    raise typer.Exit(code_of(backend, tell_or_follow(backend, publication, watch=watch)))


def _refuse_if_senseless(setup: Setup) -> None:
    if is_paused(setup):
        raise Complaint(
            f"{setup.setup_id} is paused, so nothing would run. "
            'Publish its request without "paused": milvus-l7 request -f FILE'
        )
    if setup.teardown is not None and not _is_given_up(setup):
        restore = " --restore-l4" if setup.teardown.restore_l4 else ""
        raise Complaint(
            f"{setup.setup_id} is to be taken away, not to be set up. "
            f"To repeat that: milvus-l7 teardown {setup.setup_id}{restore}. "
            "To set it up again: milvus-l7 request -f FILE"
        )


def _is_given_up(setup: Setup) -> bool:
    """Whether the release was restored because its set-up had failed: that is what a retry is for."""
    return (
        setup.status is Status.TORN_DOWN and setup.teardown is not None and setup.teardown.cause is not None
    )
