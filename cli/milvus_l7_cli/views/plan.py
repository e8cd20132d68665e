"""Word a plan (`domain.planning.chain_plan`): impacts and notes, then its changes by object. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import groupby
from typing import Any

from rich.text import Text

from milvus_l7.domain.planning.chain_plan import AT_ONCE
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.text.excerpt import excerpt
from milvus_l7_cli.views import value_diff
from milvus_l7_cli.views.durations import clock

SIGNS = {"-": "red", "+": "green", "@": "dim", " ": "dim"}


def plan_lines(plan: Mapping[str, Any]) -> Iterator[Text]:
    """Yield the plan line by line."""
    for impact in plan["impacts"]:
        yield Text(f"! {impact['kind']}: {excerpt(impact['message'], 400)}", "yellow")
    for note in plan.get("notes", ()):
        yield Text(f"* {excerpt(note, 600)}", "cyan")
    if plan["impacts"] or plan.get("notes"):
        yield Text("")
    for step in plan["steps"]:
        yield from _step(step)
    yield Text(_total(plan), "bold")


def has_changes(plan: Mapping[str, Any]) -> bool:
    """Return whether the set-up would write anything."""
    return any(step["changes"] for step in plan["steps"])


def fault_lines(reason: Reason, message: str) -> Iterator[str]:
    """Yield why a set-up would fail: what was found, what it means, what to do."""
    yield f"{reason}: {excerpt(message, 600)}" if message else str(reason)
    yield f"  {reason.meaning}"
    yield f"  {reason.remedy}"


def _step(step: Mapping[str, Any]) -> Iterator[Text]:
    changes, reason = step["changes"], step["reason"]
    when = f", {_when(step)}" if _when(step) != AT_ONCE and changes else ""
    nothing = "" if changes or reason else ": nothing to do"
    is_shown = bool(changes or reason or step["message"])
    yield Text(f"{step['stage']}{when}{nothing}", "bold" if is_shown else "dim")
    for target, fields in groupby(changes, key=lambda change: change["target"]):
        yield Text(f"  {excerpt(target)}", "cyan")
        for change in fields:
            yield from _field(change)
    if reason:
        for line in _fault(reason, step["message"]):
            yield Text(f"  ✗ {line}" if not line.startswith(" ") else f"  {line}", "red")
    elif step["message"]:
        yield Text(f"  ! {excerpt(step['message'], 600)}", "yellow")
    if is_shown:
        yield Text("")


def _when(step: Mapping[str, Any]) -> str:
    """Return when a step's changes are made. Plans of earlier releases know of no maintenance window."""
    begins_at = step.get("begins_at")
    if begins_at is None:
        return str(step["when"])
    return f"waits for the maintenance window, from {clock(datetime.fromisoformat(begins_at))} on"


def _fault(reason: str, message: str) -> Iterator[str]:
    """Return the lines of a reason; one that only a newer release knows is shown by its name."""
    known = next((each for each in Reason if each == reason), None)
    if known is None:
        return iter([f"{excerpt(reason)}: {excerpt(message, 600)}"])
    return fault_lines(known, message)


def _field(change: Mapping[str, Any]) -> Iterator[Text]:
    """Yield the change on one line a value, or the field's name with a diff by line below it."""
    field = excerpt(change["field"] or "(whole)")
    if change["before"] == change["after"]:
        yield Text(f"    ~ {field}: changes; its values are not shown", "yellow")
        return
    lines = value_diff.lines(change["before"], change["after"])
    if all(line.sign in "+-" for line in lines) and len(lines) <= 2:
        for line in lines:
            yield Text(f"    {line.sign} {field}: {line.text}", SIGNS[line.sign])
        return
    yield Text(f"    {field}:")
    for line in lines:
        yield Text(f"      {line.sign if line.sign != '@' else ' '} {line.text}", SIGNS[line.sign])


def _total(plan: Mapping[str, Any]) -> str:
    if plan["is_empty"]:
        return "Nothing to do: everything is as requested."
    fails = any(step["reason"] for step in plan["steps"])
    changes = [change for step in plan["steps"] for change in step["changes"]]
    if not changes:
        return "It would fail before it changes anything."
    objects = _many(len({change["target"] for change in changes}), "object")
    stages = _many(sum(1 for step in plan["steps"] if step["changes"]), "stage")
    end = "; it would then fail" if fails else ""
    return f"{_many(len(changes), 'change')} to {objects} in {stages}{end}."


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
