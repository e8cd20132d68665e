"""Check for drift now: `milvus-l7 check`."""

from __future__ import annotations

from datetime import datetime

import typer

from milvus_l7.domain.setup.desired import SetupId
from milvus_l7.domain.setup.document import Setup, Status
from milvus_l7.domain.setup.drift_report import DriftReport
from milvus_l7.domain.setup.schedule import is_paused
from milvus_l7_cli import exit_codes, options
from milvus_l7_cli.client.backend import ANSWER_TIMEOUT_S, Backend, check_topic, connect
from milvus_l7_cli.client.lookup import find
from milvus_l7_cli.client.poll import Time, answer
from milvus_l7_cli.errors import CliError, paused
from milvus_l7_cli.exit_codes import ExitCode
from milvus_l7_cli.views import terminal
from milvus_l7_cli.views.drift import report_view


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
        raise paused(setup.setup_id, "it is not checked")


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
