"""Excerpts of untrusted text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milvus_l7.domain.text.excerpt import excerpt


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a b", "a b"), (" a\n\x00 b ", "a b"), ("a" * 11, "a" * 9 + "…"), (" " * 1000 + "a", "…"), (5, "5")],
)
def test_text_becomes_one_short_line(text: object, shown: str) -> None:
    assert excerpt(text, 10) == shown


@given(st.text(max_size=300), st.integers(1, 20))
def test_any_text_becomes_a_printable_line_within_the_limit(text: str, limit: int) -> None:
    assert len(excerpt(text, limit)) <= limit
    assert excerpt(text, limit).isprintable()
