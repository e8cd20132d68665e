"""Show what a request would do, without doing it: `milvus-l7 plan`."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer

from milvus_l7.ports import PlanRecord
from milvus_l7_cli import options
from milvus_l7_cli.client import request_file, stored_request
from milvus_l7_cli.client.backend import ANSWER_TIMEOUT_S, Backend, connect, request_topic
from milvus_l7_cli.client.lookup import find
from milvus_l7_cli.client.poll import Time, answer
from milvus_l7_cli.client.request_file import CheckedRequest
from milvus_l7_cli.errors import CliError, wrong_input
from milvus_l7_cli.exit_codes import ExitCode
from milvus_l7_cli.options import Format
from milvus_l7_cli.views import terminal
from milvus_l7_cli.views.plan import fault_lines, has_changes, plan_lines


def plan(
    context: options.Context,
    setup: options.OptionalSetupName = None,
    file: options.OptionalRequestFile = None,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit with 5 if there are changes.")] = False,
    timeout: options.Timeout = ANSWER_TIMEOUT_S,
    output: options.Output = Format.TABLE,
    project: options.Project = None,
) -> None:
    """Show what a request in a file, or a setup's own request, would change. Writes nothing."""
    if (setup is None) == (file is None):
        raise wrong_input("Nothing to plan. Pass either a request with -f FILE, or a SETUP.")
    asked = request_file.read(file) if file is not None else None
    backend = connect(context, project)
    asked = asked or request_file.checked(stored_request.body(find(backend, setup or "")))
    record = _await_plan(backend, asked, timeout)
    made = json.loads(record.plan) if record.plan is not None else None
    if output is Format.JSON and record.plan is not None:
        sys.stdout.write(record.plan.rstrip("\n") + "\n")
    elif made is not None:
        _show(made)
    raise typer.Exit(_exit_code(record, made, exit_code))


def _await_plan(backend: Backend, asked: CheckedRequest, timeout_s: float) -> PlanRecord:
    """Request the plan and return it once it is made; raise `CliError` if it cannot be, or not in time."""
    setup_id = asked.spec.desired.setup_id
    message_id = backend.publish(request_topic(), asked.body | {"dry_run": True})
    plan_id = f"{setup_id}.plan.{message_id}"

    def made() -> PlanRecord | None:
        record = backend.plans.load(plan_id)
        return record if record and record.made_at else None

    with terminal.waiting("Running every stage as a dry run…"):
        record = answer(made, Time(backend.now, backend.sleep), timeout_s)
    if record is None:
        state = "is requested, but not made" if backend.plans.load(plan_id) else "is not requested yet"
        raise CliError(
            f"No plan within {timeout_s:.0f} s: plans/{plan_id} {state}. "
            "See the logs of accept_request and plan_setup, or pass a longer --timeout.",
            code=ExitCode.NO_ANSWER,
        )
    if record.plan is None and record.reason is not None:
        lines = fault_lines(record.reason, record.message)
        raise CliError(f"There is no plan for {setup_id}.", *lines, code=ExitCode.FAILED)
    return record


def _show(made: dict[str, Any]) -> None:
    console = terminal.out()
    for line in plan_lines(made):
        terminal.say(console, line)


def _exit_code(record: PlanRecord, made: dict[str, Any] | None, tells_changes: bool) -> ExitCode:
    if made is None or record.reason is not None or any(step["reason"] for step in made["steps"]):
        return ExitCode.FAILED
    return ExitCode.CHANGES if tells_changes and has_changes(made) else ExitCode.DONE
