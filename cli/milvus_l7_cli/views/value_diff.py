"""Word one changed field as lines that begin with `-` or `+`. Pure."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from milvus_l7_cli.views.terminal import printable

LONGEST_VALUE = 160  # characters of a value that is shown on one line
MOST_LINES = 60  # of one field
CONTEXT = 2  # unchanged lines around changed ones
LEAD = 20  # characters before the first difference


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a diff."""

    sign: str  # "-" | "+" | " " for one that stays | "@" for a gap
    text: str


def lines(before: Any, after: Any) -> list[Line]:
    """Return the changed lines; None is an unset field. Long and multi-line values are compared by line."""
    if _is_long(before) or _is_long(after):
        return _cut(list(_by_line(_paragraph(before), _paragraph(after))))
    old, new = _compact(before), _compact(after)
    start = max(_common_prefix_length(old, new) - LEAD, 0) if before is not None and after is not None else 0
    found = [Line("-", _excerpt(old, start))] if before is not None else []
    return found + ([Line("+", _excerpt(new, start))] if after is not None else [])


def _common_prefix_length(one: str, other: str) -> int:
    """Return how many characters both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


def _is_long(value: Any) -> bool:
    """Return whether a value is shown in lines: a text that has some, or JSON that does not fit on one."""
    if isinstance(value, str):
        return "\n" in value.rstrip("\n")
    return isinstance(value, dict | list) and len(_compact(value)) > LONGEST_VALUE


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(", ", ": "))


def _paragraph(value: Any) -> list[str]:
    if value is None:
        return []
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
    return text.split("\n")


def _by_line(before: list[str], after: list[str]) -> Iterator[Line]:
    """Yield a unified diff without its header; gaps are marked."""
    header = 2
    for number, line in enumerate(difflib.unified_diff(before, after, n=CONTEXT, lineterm="")):
        if number < header:
            continue
        if line.startswith("@@"):
            if number > header:
                yield Line("@", "...")
        else:
            yield Line(line[0], _excerpt(line[1:], 0))


def _cut(found: list[Line]) -> list[Line]:
    if len(found) <= MOST_LINES:
        return found
    return [*found[:MOST_LINES], Line("@", f"... {len(found) - MOST_LINES} more lines (-o json has all)")]


def _excerpt(text: str, start: int) -> str:
    """Return printable text from around the first difference on."""
    if len(text) <= LONGEST_VALUE:
        return printable(text)
    cut = text[start : start + LONGEST_VALUE]
    return f"{'…' if start else ''}{printable(cut)}{'…' if start + LONGEST_VALUE < len(text) else ''}"
