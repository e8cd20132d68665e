"""A setup on the terminal: each stage's state, how long it took, and why it waits."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from shared.domain.chain import Stage
from shared.domain.setup import Check, CheckState, Setup, StageRecord, StageState, Status

LONG_S = 120

MARKS = {
    StageState.PENDING: ("·", "dim"),
    StageState.RUNNING: ("▶", "cyan"),
    StageState.WAITING: ("…", "yellow"),
    StageState.DONE: ("✓", "green"),
    StageState.FAILED: ("✗", "red"),
}
CHECK_MARKS = {
    CheckState.PENDING: ("·", "dim"),
    CheckState.PASSED: ("✓", "green"),
    CheckState.FAILED: ("✗", "red"),
}


def follow(load: Callable[[], Setup | None], console: Console, timeout_s: float) -> Setup:
    """Show the setup until it is verified or failed, and return it; `TimeoutError` after `timeout_s` seconds.

    On a terminal the view is redrawn; elsewhere each change of a stage is one line.
    """
    deadline = time.monotonic() + timeout_s
    lines = _Lines(console)
    with Live(console=console, auto_refresh=False, transient=False) as live:
        while time.monotonic() < deadline:
            setup = load()
            if setup is not None:
                if console.is_terminal:
                    live.update(stage_table(setup, datetime.now(UTC)), refresh=True)
                else:
                    lines.show(setup)
                if setup.status in (Status.VERIFIED, Status.FAILED):
                    return setup
            time.sleep(0.2)
    raise TimeoutError(f"the setup was neither verified nor failed within {timeout_s:.0f} s")


def stage_table(setup: Setup, now: datetime) -> RenderableType:
    """The setup's stages, one row each."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("", "stage", "state", "time", "why it waits"):
        table.add_column(column, no_wrap=column != "why it waits")
    for stage in Stage:
        record = setup.record(stage)
        mark, style = MARKS[record.state]
        table.add_row(
            Text(mark, style),
            stage,
            Text(record.state, style),
            elapsed(record, now),
            _why(setup, record, now),
        )
    return Group(Text(f"{setup.setup_id}  generation {setup.generation}", "bold"), table)


def elapsed(record: StageRecord, now: datetime) -> str:
    """How long the stage has taken so far."""
    if record.started_at is None:
        return ""
    return duration((record.finished_at or now) - record.started_at, digits=1)


def duration(time_span: timedelta, digits: int = 0) -> str:
    """`12 s`, with so many decimal places, or `3 min 20 s` from two minutes on."""
    seconds = time_span.total_seconds()
    if seconds < LONG_S:
        return f"{seconds:.{digits}f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60:02d} s"


def next_look(setup: Setup, record: StageRecord, now: datetime) -> str:
    """When somebody looks again at a stage that waits; "" for one that does not.

    A wait ends at a tick of the scheduler, so after the countdown there may be up to a minute more.
    """
    if record.state is not StageState.WAITING or setup.wake_at is None:
        return ""
    if setup.wake_at <= now:
        return "  (next look at the scheduler's next tick)"
    return f"  (next look in {duration(setup.wake_at - now)})"


def _why(setup: Setup, record: StageRecord, now: datetime) -> Text:
    if record.reason is None:
        return Text("")
    return Text(f"{record.reason}: {record.message}").append(next_look(setup, record, now), "dim")


class _Lines:
    """The same for a log file: one line for each change."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._seen: dict[Stage, tuple[object, ...]] = {}

    def show(self, setup: Setup) -> None:
        for stage in Stage:
            record = setup.record(stage)
            state = (record.state, record.reason, record.message)
            if record.state is StageState.PENDING or self._seen.get(stage) == state:
                continue
            self._seen[stage] = state
            reason = f"  {record.reason}: {record.message}" if record.reason else ""
            reason += next_look(setup, record, setup.updated_at)
            took = elapsed(record, setup.updated_at)
            self._console.print(
                f"  {MARKS[record.state][0]} {stage} {record.state} {took}{reason}",
                highlight=False,
                soft_wrap=True,
            )


def checklist_table(checklist: tuple[Check, ...]) -> Table:
    """The verification checklist, one row for each item."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for check in checklist:
        mark, style = CHECK_MARKS[check.state]
        if check.state is CheckState.FAILED and not check.required:
            mark, style = "!", "yellow"
        said = Text(check.message)
        if not check.required:
            said.append("  (optional)", "dim")
        if check.reason is not None:
            said.append(f"\n{check.reason.remedy}", "dim")
        table.add_row(Text(mark, style), check.name, said)
    return table
