"""Draw all setups, one row each."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from rich.table import Table
from rich.text import Text

from cli.views import drift
from cli.views.setup import next_check, status_words
from shared.domain.checklist import excerpt
from shared.domain.setup import Setup

COLUMNS = ("setup", "status", "stage", "reason", "next check", "drift", "domain", "address")


def setups_table(setups: Iterable[Setup], now: datetime) -> Table:
    """Draw the table of `milvus-l7 status`."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in COLUMNS:
        table.add_column(column, overflow="fold")
    for setup in setups:
        table.add_row(*_row(setup, now))
    return table


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
