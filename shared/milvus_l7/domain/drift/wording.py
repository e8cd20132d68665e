"""Word findings for people: what was checked, what was expected of it, and what was found."""

from __future__ import annotations

from collections.abc import Sequence

from milvus_l7.domain.setup.drift_report import Finding
from milvus_l7.domain.text.excerpt import excerpt

NOT_SET = "not set"
LONGEST_VALUE = 300

# Of a history entry, which is read in a list.
MOST_SUMMARISED = 5
LONGEST_SUMMARISED_VALUE = 80


def described(finding: Finding, longest_value: int = LONGEST_VALUE) -> str:
    """Return one line, `TARGET FIELD: expected VALUE, found VALUE`, each part cut to `longest_value`."""
    expected, found = (excerpt(text, longest_value) or NOT_SET for text in (finding.expected, finding.found))
    return f"{excerpt(finding.key, longest_value)}: expected {expected}, found {found}"


def summary(findings: Sequence[Finding]) -> str:
    """Return the first findings in one line, and how many more there are; "" for none."""
    shown = [described(each, LONGEST_SUMMARISED_VALUE) for each in findings[:MOST_SUMMARISED]]
    more = len(findings) - len(shown)
    return "; ".join([*shown, f"and {more} more"] if more else shown)
