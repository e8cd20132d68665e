"""Read a document into a request's structs, and name every field that breaks the structure.

`msgspec.convert` stops at the first error, so what it refuses is read again here, field by field. That
takes about a millisecond, of refused requests only.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar, get_args, get_origin

import msgspec
from msgspec.structs import FieldInfo

from milvus_l7.domain.request.rejection import SHOWN_VALUE, Problem

T = TypeVar("T", bound=msgspec.Struct)

# In place of what is missing or cannot be read. All fields that are required, and all items, are texts.
UNREADABLE = ""


@dataclass(frozen=True, slots=True)
class Reading(Generic[T]):
    """What could be read of a document, with defaults for the rest, and what is wrong with its structure."""

    request: T
    problems: tuple[Problem, ...] = ()
    unread: frozenset[str] = frozenset()  # paths of fields and items that are missing or of the wrong type


def read(document: dict[str, Any], schema: type[T]) -> Reading[T]:
    """Return the request, with every problem of its structure; values of unknown fields stay unseen."""
    try:
        return Reading(msgspec.convert(document, schema))
    except msgspec.ValidationError:
        reader = _Reader()
        request = reader.struct(document, schema, "")
        return Reading(request, tuple(reader.problems), frozenset(reader.unread))


def shown(value: object) -> str:
    """Return the value as JSON, cut to what a problem shows."""
    text = json.dumps(value, ensure_ascii=True)
    return text if len(text) <= SHOWN_VALUE else text[: SHOWN_VALUE - 3] + "..."


@dataclass(slots=True)
class _Reader:
    """Collects problems while it reads."""

    problems: list[Problem] = field(default_factory=list)
    unread: set[str] = field(default_factory=set)

    def struct(self, document: dict[str, Any], schema: type[T], prefix: str) -> T:
        fields = {each.encode_name: each for each in msgspec.structs.fields(schema)}
        for name in document:
            if name not in fields:
                self.problems.append(Problem(f"{prefix}{name}"[:SHOWN_VALUE], "", "is not a known field"))
        return schema(**dict(self._values(document, fields, prefix)))

    def _values(
        self, document: dict[str, Any], fields: dict[str, FieldInfo], prefix: str
    ) -> Iterator[tuple[str, Any]]:
        """Yield the fields that have a value; the others get their defaults."""
        for name, each in fields.items():
            path = f"{prefix}{name}"
            if name in document:
                value = self._value(document[name], each.type, path)
            elif each.required:
                value = self._refuse(path, "", "is required")
            else:
                continue
            if each.required or path not in self.unread:
                yield each.name, value

    def _value(self, value: Any, kind: Any, path: str) -> Any:
        nested = _struct_of(kind)
        if nested is not None and isinstance(value, dict):
            return self.struct(value, nested, f"{path}.")
        rule = _broken(value, kind)
        if rule is None:
            return msgspec.convert(value, kind)
        if isinstance(value, list) and _broken([], kind) is None:
            return tuple(self._item(item, kind, f"{path}[{index}]") for index, item in enumerate(value))
        return self._refuse(path, shown(value), rule)

    def _item(self, item: Any, kind: Any, path: str) -> Any:
        rule = _broken([item], kind)
        return item if rule is None else self._refuse(path, shown(item), rule)

    def _refuse(self, path: str, value: str, rule: str) -> str:
        self.problems.append(Problem(path, value, rule))
        self.unread.add(path)
        return UNREADABLE


def _struct_of(kind: Any) -> type[msgspec.Struct] | None:
    """Return the struct that a field holds, optional or not; None for any other field."""
    kinds = (kind, *get_args(kind))
    return next((each for each in kinds if isinstance(each, type) and issubclass(each, msgspec.Struct)), None)


def _broken(value: Any, kind: Any) -> str | None:
    """Return the rule of the type that the value breaks, in words; None if it breaks none."""
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        rule = str(error).partition(" - at `$")[0].replace("`", "")
        return f"must be one of: {', '.join(_choices(kind))}" if rule.startswith("Invalid enum") else rule
    return None


def _choices(kind: Any) -> tuple[str, ...]:
    """Return the values of the first `Literal` in a type."""
    if get_origin(kind) is Literal:
        return get_args(kind)
    return next((found for inner in get_args(kind) if (found := _choices(inner))), ())
