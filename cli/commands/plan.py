"""`milvus-l7 plan`: what a request would do, without doing it."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer

from cli import options
from cli.client import request_file, stored_request
from cli.client.backend import ANSWER_TIMEOUT_S, Backend, connect, request_topic
from cli.client.lookup import find
from cli.client.poll import Time, answer
from cli.client.request_file import Asked
from cli.errors import Complaint, wrong_input
from cli.exit_codes import ExitCode
from cli.options import Format
from cli.views import terminal
from cli.views.plan import fault_lines, has_changes, plan_lines
from shared.ports import PlanRecord


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
        raise wrong_input("Plan what? Give either a request with -f FILE, or a SETUP.")
    asked = request_file.read(file) if file is not None else None
    backend = connect(context, project)
    asked = asked or request_file.checked(stored_request.body(find(backend, setup or "")))
    record = _made(backend, asked, timeout)
    made = json.loads(record.plan) if record.plan is not None else None
    if output is Format.JSON and record.plan is not None:
        sys.stdout.write(record.plan.rstrip("\n") + "\n")
    elif made is not None:
        _show(made)
    raise typer.Exit(_code(record, made, exit_code))


def _made(backend: Backend, asked: Asked, timeout_s: float) -> PlanRecord:
    """Ask for the plan and wait for it; `Complaint` if there is none in time, or none at all."""
    setup_id = asked.wish.desired.setup_id
    message_id = backend.publish(request_topic(), asked.body | {"dry_run": True})
    plan_id = f"{setup_id}.plan.{message_id}"

    def made() -> PlanRecord | None:
        record = backend.plans.load(plan_id)
        return record if record and record.made_at else None

    with terminal.waiting("Every stage is being rehearsed…"):
        record = answer(made, Time(backend.now, backend.sleep), timeout_s)
    if record is None:
        seen = "is asked for, but not made" if backend.plans.load(plan_id) else "has not been asked for yet"
        raise Complaint(
            f"No plan within {timeout_s:.0f} s: plans/{plan_id} {seen}. "
            "Look at the logs of accept_request and plan_setup, or give --timeout.",
            code=ExitCode.NO_ANSWER,
        )
    if record.plan is None and record.reason is not None:
        lines = fault_lines(record.reason, record.message)
        raise Complaint(f"There is no plan for {setup_id}.", *lines, code=ExitCode.FAILED)
    return record


def _show(made: dict[str, Any]) -> None:
    console = terminal.out()
    for line in plan_lines(made):
        terminal.say(console, line)


def _code(record: PlanRecord, made: dict[str, Any] | None, wants_changes_told: bool) -> ExitCode:
    if made is None or record.reason is not None or any(step["reason"] for step in made["steps"]):
        return ExitCode.FAILED
    return ExitCode.CHANGES if wants_changes_told and has_changes(made) else ExitCode.DONE
