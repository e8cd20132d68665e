"""Check for drift now: `milvus-l7 check`."""

from __future__ import annotations

from datetime import datetime

import typer

from cli import exit_codes, options
from cli.client.backend import ANSWER_TIMEOUT_S, Backend, check_topic, connect
from cli.client.lookup import find
from cli.client.poll import Time, answer
from cli.errors import CliError
from cli.exit_codes import ExitCode
from cli.views import terminal
from cli.views.drift import report_view
from milvus_l7.domain.setup.desired import SetupId
from milvus_l7.domain.setup.document import Setup, Status
from milvus_l7.domain.setup.drift_report import DriftReport
from milvus_l7.domain.setup.transitions import is_paused


def check(
    context: options.Context,
    setup: options.SetupName,
    timeout: options.Timeout = ANSWER_TIMEOUT_S,
    project: options.Project = None,
) -> None:
    """Check a verified setup for drift now, and show the findings."""
    backend = connect(context, project)
    found = find(backend, setup)
    _refuse_unless_checkable(found)
    backend.publish(check_topic(), {"setup_id": found.setup_id})
    before = found.drift.checked_at if found.drift else None
    checked = _await_report(backend, found.setup_id, before, timeout)
    report = _report(checked)
    console = terminal.out()
    console.print(report_view(report, backend.now()))
    if found.status is Status.VERIFIED and checked.status is not Status.VERIFIED:
        terminal.say(console, f"It is being repaired: milvus-l7 status {found.setup_id} --watch")
    raise typer.Exit(exit_codes.of_verdict(report.verdict))


def _refuse_unless_checkable(setup: Setup) -> None:
    if not setup.was_verified or setup.teardown is not None:
        raise CliError(
            f"{setup.setup_id} is {setup.status}, and only what was verified before is checked for drift. "
            f"See why: milvus-l7 explain {setup.setup_id}"
        )
    if is_paused(setup):
        raise CliError(
            f"{setup.setup_id} is paused, so it is not checked. "
            'Publish its request without "paused": milvus-l7 request -f FILE'
        )


def _await_report(backend: Backend, setup_id: SetupId, before: datetime | None, timeout_s: float) -> Setup:
    """Return the setup once it has a newer report than `before`, or is being torn down."""

    def checked() -> Setup | None:
        setup = find(backend, setup_id)
        return setup if _has_new_report(setup, before) else None

    with terminal.waiting("Running every stage as a dry run, and the verification checklist…"):
        setup = answer(checked, Time(backend.now, backend.sleep), timeout_s)
    if setup is None:
        raise CliError(
            f"No drift report within {timeout_s:.0f} s. It may still come: milvus-l7 explain {setup_id}",
            code=ExitCode.NO_ANSWER,
        )
    return setup


def _has_new_report(setup: Setup, before: datetime | None) -> bool:
    if setup.drift is None:
        return setup.teardown is not None
    return before is None or setup.drift.checked_at > before


def _report(setup: Setup) -> DriftReport:
    if setup.drift is None:
        raise CliError(
            f"{setup.setup_id} is torn down before it was checked: milvus-l7 status {setup.setup_id} --watch",
            code=ExitCode.UNFINISHED,
        )
    return setup.drift
