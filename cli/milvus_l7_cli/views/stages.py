"""Draw each stage of a setup: its state, progress, time taken, and what it waits for or tells."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from rich.console import Console, Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.document import Setup, StageRecord, StageState
from milvus_l7.domain.text.excerpt import excerpt
from milvus_l7_cli.views.durations import duration

BAR_WIDTH = 12
LONGEST_MESSAGE = 600
LAST_COLUMN = "what it says"

MARKS = {
    StageState.PENDING: ("·", "dim"),
    StageState.RUNNING: ("▶", "cyan"),
    StageState.WAITING: ("…", "yellow"),
    StageState.DONE: ("✓", "green"),
    StageState.FAILED: ("✗", "red"),
}


def stage_table(setup: Setup, now: datetime, *, bars: bool = False) -> RenderableType:
    """Draw the stages of the setup's chain, one row each; with `bars`, their progress."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("", "stage", "state", *([""] if bars else []), "time", LAST_COLUMN):
        table.add_column(column, no_wrap=column != LAST_COLUMN)
    for stage, record in standing(setup):
        mark, style = MARKS[record.state]
        table.add_row(
            Text(mark, style),
            Text(stage),
            Text(record.state, style),
            *([_bar(record, style, now)] if bars else []),
            elapsed(record, now),
            _why(setup, record, now),
        )
    return Group(Text(f"{excerpt(setup.setup_id)}  generation {setup.generation}", "bold"), table)


def standing(setup: Setup) -> list[tuple[Stage, StageRecord]]:
    """Return the stages that lead to what was requested last, with how each stands.

    While a request is to be planned, the others have not begun for it. A stage of what was requested before
    whose change is to be taken back comes first.
    """
    current = setup.current
    stages = setup.chain if current in (None, *setup.chain) else (current, *setup.chain)
    is_begun = (Stage.PLAN_SETUP, current) if setup.requested is not None else stages
    return [(stage, setup.record(stage) if stage in is_begun else StageRecord()) for stage in stages if stage]


def _bar(record: StageRecord, style: str, now: datetime) -> ProgressBar:
    return ProgressBar(
        completed=100 * progress(record, now),
        width=BAR_WIDTH,
        pulse=record.state is StageState.RUNNING,
        complete_style=style,
        finished_style=style,
        pulse_style=style,
    )


def progress(record: StageRecord, now: datetime) -> float:
    """Return 1 for a stage that has ended; for one that waits, the part of its deadline that has passed."""
    if record.state in (StageState.DONE, StageState.FAILED):
        return 1.0
    if record.state is not StageState.WAITING or record.waiting_since is None or record.reason is None:
        return 0.0
    return min(max((now - record.waiting_since) / record.reason.pace.deadline, 0.0), 1.0)


def elapsed(record: StageRecord, now: datetime) -> str:
    """Return how long the stage has taken so far."""
    if record.started_at is None:
        return ""
    return duration((record.finished_at or now) - record.started_at, digits=1)


def next_check(setup: Setup, record: StageRecord, now: datetime) -> str:
    """Return when a waiting stage is checked next; "" for one that does not wait.

    A wait ends at a tick of the scheduler, up to a minute after the countdown.
    """
    if record.state is not StageState.WAITING or setup.wake_at is None:
        return ""
    if setup.wake_at <= now:
        return "  (next check at the scheduler's next tick)"
    return f"  (next check in {duration(setup.wake_at - now)})"


def _said(record: StageRecord) -> str:
    said = excerpt(record.message, LONGEST_MESSAGE)
    return f"{record.reason}: {said}" if record.reason else said


def _why(setup: Setup, record: StageRecord, now: datetime) -> Text:
    return Text(_said(record)).append(next_check(setup, record, now), "dim")


class Lines:
    """Prints the stages to a log file: one line for each change."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._seen: dict[tuple[int, int, Stage], tuple[object, ...]] = {}

    def show(self, setup: Setup) -> None:
        """Print what has changed since the last call."""
        for line in self._news(setup):
            self._console.print(Text(line), soft_wrap=True)

    def _news(self, setup: Setup) -> Iterator[str]:
        for stage, record in standing(setup):
            key = (setup.generation, setup.run, stage)
            state = (record.state, record.reason, record.message)
            if record.state is StageState.PENDING or self._seen.get(key) == state:
                continue
            self._seen[key] = state
            said = f"  {_said(record)}".rstrip()
            when = next_check(setup, record, setup.updated_at)
            took = elapsed(record, setup.updated_at)
            yield f"  {MARKS[record.state][0]} {stage} {record.state} {took}{said}{when}"
