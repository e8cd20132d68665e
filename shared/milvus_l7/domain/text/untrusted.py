"""Reading JSON whose shape nobody guarantees: what is missing or of another type reads as empty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def mapping(value: Any, *path: str) -> Mapping[str, Any]:
    """The object at a path below `value`, or {}."""
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def objects(value: Any) -> Sequence[Mapping[str, Any]]:
    """The objects in a list; () if it is none."""
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else ()


def integer(value: Any, default: int = 0) -> int:
    """The number, or the default."""
    return value if isinstance(value, int) and not isinstance(value, bool) else default


def text(value: Any) -> str:
    """The text, or ""."""
    return value if isinstance(value, str) else ""
