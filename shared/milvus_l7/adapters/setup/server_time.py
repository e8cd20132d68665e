"""Times that the store sets itself.

A document to be written may hold `SERVER_TIME` in any map of it, but in no list. Firestore puts the time
there at which it took the write: in whole milliseconds, equal in all places, never after the commit time
(`google/firestore/v1/write.proto`, REQUEST_TIME).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final


class ServerTime:
    """The type of `SERVER_TIME`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "SERVER_TIME"


SERVER_TIME: Final = ServerTime()


def has_server_time(value: object) -> bool:
    """Return whether the marker stands in the value, or in a map within it."""
    if isinstance(value, dict):
        return any(map(has_server_time, value.values()))
    return value is SERVER_TIME


def with_server_time(document: Mapping[str, Any], moment: object) -> dict[str, Any]:
    """Return a copy of the document with `moment` wherever the marker stood."""
    return {key: _replaced(value, moment) for key, value in document.items()}


def _replaced(value: Any, moment: object) -> Any:
    if isinstance(value, Mapping):
        return with_server_time(value, moment)
    return moment if value is SERVER_TIME else value
