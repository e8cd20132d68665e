"""How one changed field is shown."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milvus_l7_cli.views import value_diff

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


def shown(before: Any, after: Any) -> list[str]:
    return [f"{line.sign} {line.text}" for line in value_diff.lines(before, after)]


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        ("LoadBalancer", "ClusterIP", ['- "LoadBalancer"', '+ "ClusterIP"']),
        (None, 1, ["+ 1"]),
        ({"a": [1]}, None, ['- {"a": [1]}']),
        ("1", 1, ['- "1"', "+ 1"]),
        ("a\nb\n", "a\nc\n", ["  a", "- b", "+ c", "  "]),
        (None, "a\nb", ["+ a", "+ b"]),
    ],
)
def test_values_are_json_and_texts_are_lines(before: Any, after: Any, lines: list[str]) -> None:
    assert shown(before, after) == lines


def test_long_texts_are_shown_from_where_they_differ() -> None:
    before, after = shown("x" * 500 + "old", "x" * 500 + "new")
    assert before == "- …" + "x" * value_diff.LEAD + 'old"'
    assert after == "+ …" + "x" * value_diff.LEAD + 'new"'


def test_long_objects_are_compared_line_by_line() -> None:
    before = {f"key{n}": n for n in range(100)}
    lines = shown(before, before | {"key50": "other"})
    assert [line for line in lines if line[0] in "+-"] == ['-   "key50": 50,', '+   "key50": "other",']


def test_many_lines_are_cut_and_it_is_said_how_many() -> None:
    lines = shown(None, "\n".join(map(str, range(100))))
    assert len(lines) == value_diff.MOST_LINES + 1
    assert "40 more lines" in lines[-1]


@given(VALUES, VALUES)
def test_no_value_reaches_the_terminal_as_a_command(before: Any, after: Any) -> None:
    assert all(line.text.isprintable() for line in value_diff.lines(before, after))
