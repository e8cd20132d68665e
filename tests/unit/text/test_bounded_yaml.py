"""YAML is measured before it is loaded, with its aliases expanded."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from milvus_l7.domain.text.bounded_yaml import Limits, OutOfBounds, check

LIMITS = Limits(characters=300_000, depth=16, nodes=10_000)
SCALARS = st.none() | st.booleans() | st.integers() | st.text("ab :#-&*\n\"'", max_size=6)


@st.composite
def values(draw: st.DrawFn) -> Any:
    """A value in which the same list or mapping may occur often, as aliases make it."""
    parts: list[Any] = [draw(SCALARS)]
    for _ in range(draw(st.integers(0, 6))):
        inside = draw(st.lists(st.sampled_from(parts), max_size=4))
        parts.append(inside if draw(st.booleans()) else {f"k{n}": each for n, each in enumerate(inside)})
    return parts[-1]


def size(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + sum(1 + size(inside) for inside in value.values())
    return 1 + sum(map(size, value)) if isinstance(value, list) else 1


def depth(value: Any) -> int:
    if not isinstance(value, list | dict):
        return 0
    return 1 + max(map(depth, value.values() if isinstance(value, dict) else value), default=0)


@given(values())
def test_nodes_and_depth_are_counted_exactly_with_aliases_expanded(value: Any) -> None:
    text, nodes, levels = yaml.safe_dump(value), size(value), depth(value)
    check(text, Limits(10_000, levels, nodes))
    with pytest.raises(OutOfBounds, match=f"more than {nodes - 1} values"):
        check(text, Limits(10_000, levels, nodes - 1))
    if levels:
        with pytest.raises(OutOfBounds, match=f"more than {levels - 1} levels"):
            check(text, Limits(10_000, levels - 1, nodes))


def bomb(levels: int, style: str) -> str:
    """Each level is twice the one before: 457 bytes stand for millions of nodes."""
    lines = {
        "lists": "l{n}: &l{n} [*l{m}, *l{m}]",
        "mappings": "l{n}: &l{n} {{a: *l{m}, b: *l{m}}}",
        "merges": "l{n}: &l{n} {{a: 1, <<: [*l{m}, *l{m}]}}",
        "keys": "l{n}: &l{n} [{{? *l{m} : *l{m}}}]",
    }
    return "\n".join(["l0: &l0 {k: v}", *(lines[style].format(n=n, m=n - 1) for n in range(1, levels))])


@pytest.mark.parametrize("style", ["lists", "mappings", "merges", "keys"])
@pytest.mark.parametrize("levels", [15, 100, 3000])
def test_nested_aliases_are_refused_however_many_levels(style: str, levels: int) -> None:
    with pytest.raises(OutOfBounds, match=r"more than 10000 values|more than 16 levels"):
        check(bomb(levels, style), LIMITS)


def test_a_long_text_that_aliases_repeat_is_refused() -> None:
    text = "- &a " + "x" * 100_000 + "\n- [" + "*a," * 100 + "]"
    with pytest.raises(OutOfBounds, match="more than 10000 values"):
        check(text, LIMITS)


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("a" * 300_001, "300000 characters"),
        ("[" * 100_000, "16 levels"),
        ("- " * 100_000, "16 levels"),
        ("? " * 20_000, "16 levels"),
        ("{a: " * 10_000, "16 levels"),
        ("- a\n" * 10_001, "10000 values"),
        ("--- a\n" * 10_001, "10000 values"),
        ("a: &a [*a]", "alias inside"),
        ("a: &a\n  b: {c: *a}", "alias inside"),
        ("a: " + "1:" * 100_000 + "1", "more than 400 digits"),
        ("a: " + "9" * 5000, "more than 400 digits"),
        ("a: !!int '" + "1:" * 10_000 + "1'", "more than 400 digits"),
        ("a: !!float " + "1:" * 10_000 + "1.5", "more than 400 digits"),
    ],
)
def test_what_is_beyond_a_limit_is_refused_with_the_limit(text: str, limit: str) -> None:
    with pytest.raises(OutOfBounds, match=limit):
        check(text, LIMITS)


@pytest.mark.parametrize("text", ["a: {", "\tb", "%%", "a: *none", "\x00"])
def test_what_is_no_yaml_is_told_as_such(text: str) -> None:
    if text != "a: *none":
        with pytest.raises(yaml.YAMLError):
            check(text, LIMITS)
    else:
        check(text, LIMITS)  # the loader knows better


@given(st.text("[]{}&*ab:-?#\"' \n!|>%", max_size=80))
def test_any_text_is_measured_or_refused(text: str) -> None:
    try:
        check(text, LIMITS)
    except (OutOfBounds, yaml.YAMLError):
        return


def test_an_anchor_that_is_set_again_stands_for_the_newer_value() -> None:
    check("[&a [1], *a, &a 2, *a]", Limits(100, 2, 7))
    with pytest.raises(OutOfBounds):
        check("[&a 1, &a [1, 2], *a]", Limits(100, 2, 7))
