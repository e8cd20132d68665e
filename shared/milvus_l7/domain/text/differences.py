"""Walk two JSON values side by side, down to where they differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

Step = str | int  # a key, or a place in a list
Path = tuple[Step, ...]
Difference = tuple[Path, Any, Any]  # where, before and after
Part = tuple[Step, Any, Any]  # the same, one step down
Parts = Callable[[Any, Any], Iterable[Part] | None]


def differences(before: Any, after: Any, parts: Parts, path: Path = ()) -> Iterator[Difference]:
    """Yield every place where the values differ, in the order of `parts`; None: not set.

    `parts` returns what is to be compared inside two values, or None for two that are compared as a whole.
    """
    inside = parts(before, after)
    if inside is not None:
        for step, old, new in inside:
            yield from differences(old, new, parts, (*path, step))
    elif before != after:
        yield path, before, after


def by_key(before: Mapping[Any, Any], after: Mapping[Any, Any]) -> Iterator[Part]:
    """Yield both values of every key, sorted by key; None for a value that is not there."""
    for key in sorted({*before, *after}, key=str):
        yield str(key), before.get(key), after.get(key)
