"""Reading JSON whose shape nobody guarantees: what is missing or of another type reads as empty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def mapping(value: Any, *path: str) -> Mapping[str, Any]:
    """Return the object at a path below `value`, or {}."""
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def objects(value: Any) -> Sequence[Mapping[str, Any]]:
    """Return the objects in a list, other items left out; () if it is no list."""
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else ()


def integer(value: Any, default: int = 0) -> int:
    """Return the integer, or the default for anything else; a boolean is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) else default


def text(value: Any) -> str:
    """Return the text, or "" for anything else."""
    return value if isinstance(value, str) else ""
