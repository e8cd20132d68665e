"""Draw all setups, one row each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

from rich.table import Table
from rich.text import Text

from milvus_l7.domain.setup.document import Setup, Status
from milvus_l7.domain.text.excerpt import excerpt
from milvus_l7_cli.client.selection import is_drifted
from milvus_l7_cli.views import drift
from milvus_l7_cli.views.setup import next_check, status_words

COLUMNS = ("setup", "status", "stage", "reason", "next check", "drift", "domain", "address")


def setups_table(setups: Iterable[Setup], now: datetime) -> Table:
    """Draw the table of `milvus-l7 status`."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in COLUMNS:
        table.add_column(column, overflow="fold")
    for setup in setups:
        table.add_row(*_row(setup, now))
    return table


def totals(setups: Sequence[Setup], of: int) -> str:
    """Return how many setups there are by status, and how many have drifted; `of` counts the others too."""
    counts = Counter(setup.status for setup in setups)
    by_status = ", ".join(f"{counts[status]:,} {status}" for status in Status if counts[status])
    shown = f"{len(setups):,} of {of:,}" if len(setups) != of else f"{of:,}"
    drifted = sum(map(is_drifted, setups))
    said = f"{shown} setup{'' if of == 1 else 's'}"
    return f"{said}{f': {by_status}' if by_status else ''}{f'; {drifted:,} drifted' if drifted else ''}."


def nothing_to_show(of: int, project: str) -> str:
    """Return why there is no table: `of` setups are there and none is wanted, or there are none."""
    if not of:
        return f"There are no setups in project {project}."
    return f"None of {of:,} setup{'' if of == 1 else 's'} in project {project} matches."


def _row(setup: Setup, now: datetime) -> list[Text]:
    stage = setup.current
    record = setup.record(stage) if stage else None
    return [
        Text(excerpt(setup.setup_id)),
        status_words(setup),
        Text(stage or ""),
        Text(record.reason or "" if record else ""),
        Text(next_check(setup, now)),
        drift.summary(setup, now),
        Text(excerpt(setup.desired.domain)),
        Text(excerpt(setup.facts.address or "")),
    ]
