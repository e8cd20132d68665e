"""JSON from outside: what is within the limits reads as with Python's own parser; nothing else is parsed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milvus_l7.domain.text.bounded_json import Limits, NotUnicode, OutOfBounds, loads

LIMITS = Limits(size_bytes=10_000, depth=8, items=500)

texts = st.text(st.characters(codec="utf-8") | st.sampled_from('"\\[]{},:'), max_size=12)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


def depth(value: Any) -> int:
    if not isinstance(value, list | dict):
        return 0
    inside = value.values() if isinstance(value, dict) else value
    return 1 + max(map(depth, inside), default=0)


@given(values, st.booleans())
def test_json_within_the_limits_reads_as_it_was_written(value: Any, is_ascii: bool) -> None:
    written = json.dumps(value, ensure_ascii=is_ascii)
    if depth(value) <= LIMITS.depth:
        assert loads(written.encode(), LIMITS) == value == loads(written, LIMITS)


@given(values)
def test_depth_is_counted_exactly_whatever_strings_hold(value: Any) -> None:
    written, levels = json.dumps(value), depth(value)
    assert loads(written, Limits(10_000, levels, 500)) == value
    if levels:
        with pytest.raises(OutOfBounds, match=f"more than {levels - 1} levels"):
            loads(written, Limits(10_000, levels - 1, 500))


@given(st.binary(max_size=200) | st.text('[]{}",:\\ u01ed', max_size=60).map(str.encode))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    try:
        assert depth(loads(content, LIMITS)) <= LIMITS.depth
    except ValueError:
        return


@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"a":', "[[", '["\\"",['])
@pytest.mark.parametrize("levels", [9, 200, 974, 2400])
def test_nesting_beyond_the_limit_is_never_parsed(opening: str, levels: int) -> None:
    with pytest.raises(OutOfBounds, match=r"more than 8 levels|more than \d+ values"):
        loads(opening * levels, Limits(100_000, 8, 10_000))


@pytest.mark.parametrize(
    ("content", "limit"),
    [
        (b" " * 10_001, "10001 bytes; at most 10000"),
        (b"[" + b"0," * 600 + b"0]", "more than 500 values"),
        (b"[" + b'""' * 2000 + b"]", "more than 500 values"),
        (b"[" + b"9" * 401 + b"]", "number of more than 400 digits"),
        (b"9" * 5000, "number of more than 400 digits"),
        (b"0." + b"9" * 400, "number of more than 400 digits"),
        (b"-1e999", "beyond 1.8e308"),
    ],
)
def test_what_is_beyond_a_limit_is_refused_with_the_limit(content: bytes, limit: str) -> None:
    with pytest.raises(OutOfBounds, match=limit):
        loads(content, LIMITS)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"NaN", b"[Infinity]", b"\xff", b'"\xc3\x28"', '"a"'.encode("utf-16"), b"\xef\xbb\xbf{}"],
)
def test_what_is_no_json_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        loads(content, LIMITS)
    assert not isinstance(refused.value, OutOfBounds)


@pytest.mark.parametrize(
    ("content", "path"),
    [
        (r'"\ud800"', ""),
        (r'{"a": {"b": [1, "\uDFFFx"]}}', "a.b[1]"),
        (r'{"a": {"\udc00": 1}}', "a.\udc00"),
        ('"\ud800"', ""),
    ],
)
def test_half_a_character_is_refused_by_its_path(content: str, path: str) -> None:
    with pytest.raises(NotUnicode) as refused:
        loads(content, LIMITS)
    assert refused.value.path == path


def test_a_whole_pair_of_surrogates_is_a_character() -> None:
    assert loads(rb'"\ud83d\ude00"', LIMITS) == "\N{GRINNING FACE}"


def test_the_last_of_equal_keys_counts_unless_they_must_be_unique() -> None:
    assert loads('{"a": 1, "a": 2}', LIMITS) == {"a": 2}
    with pytest.raises(ValueError, match="key twice"):
        loads('{"a": 1, "a": 2}', LIMITS, has_unique_keys=True)
