"""Draw the verification checklist."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from milvus_l7.domain.setup.facts import Check, CheckState
from milvus_l7.domain.text.excerpt import excerpt

LONGEST_MESSAGE = 600
CHECK_MARKS = {
    CheckState.PENDING: ("·", "dim"),
    CheckState.PASSED: ("✓", "green"),
    CheckState.FAILED: ("✗", "red"),
}


def checklist_table(checklist: tuple[Check, ...]) -> Table:
    """Draw the checklist, one row for each item."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for check in checklist:
        mark, style = CHECK_MARKS[check.state]
        if check.state is CheckState.FAILED and not check.required:
            mark, style = "!", "yellow"
        said = Text(excerpt(check.message, LONGEST_MESSAGE))
        if not check.required:
            said.append("  (optional)", "dim")
        if check.reason is not None:
            said.append(f"\n{check.reason.remedy}", "dim")
        table.add_row(Text(mark, style), Text(excerpt(check.name)), said)
    return table
