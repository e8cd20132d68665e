"""Order, size and place of Firestore values.

Order across types: https://firebase.google.com/docs/firestore/manage-data/data-types#value_type_ordering
Sizes: https://firebase.google.com/docs/firestore/storage-size
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from localcloud.firestore import names
from localcloud.firestore.messages import Document, Fields, NewDocument, Value
from localcloud.firestore.names import FieldPath
from localcloud.grpc_server import invalid, unimplemented

# https://firebase.google.com/docs/firestore/quotas: 1 MiB less 89 bytes; depth of maps and arrays.
MOST_VALUE_BYTES = 1_048_487
MOST_LEVELS = 20

# A tuple that sorts as Firestore sorts; its first element is the rank of the type.
Key = tuple[Any, ...]

NULL_KEY: Key = (0,)
NAN_KEY: Key = (2,)


def key(value: Value) -> Key:
    """Return the sort key of a value. Equal keys are equal values, so that 1 and 1.0 are."""
    kind = value.WhichOneof("value_type")
    if kind not in _KEYS:
        raise unimplemented(f"a value of type {kind}")
    return _KEYS[kind](getattr(value, kind))


def name_key(name: str) -> Key:
    """Return the sort key of a document's name, which is that of a reference to it."""
    return (7, tuple(segment.encode() for segment in name.split("/")))


def _number_key(number: float) -> Key:
    return NAN_KEY if math.isnan(number) else (3, number)


def _map_key(content: Any) -> Key:
    return (11, tuple(sorted((name.encode(), key(item)) for name, item in content.fields.items())))


_KEYS: dict[str, Callable[[Any], Key]] = {
    "null_value": lambda _: NULL_KEY,
    "boolean_value": lambda flag: (1, flag),
    "integer_value": _number_key,
    "double_value": _number_key,
    "timestamp_value": lambda moment: (4, moment.seconds, moment.nanos),
    "string_value": lambda text: (5, text.encode()),
    "bytes_value": lambda raw: (6, raw),
    "reference_value": name_key,
    "geo_point_value": lambda point: (8, point.latitude, point.longitude),
    "array_value": lambda array: (9, tuple(map(key, array.values))),
    "map_value": _map_key,
}


def is_number(value: Value) -> bool:
    """Return whether arithmetic transforms add to the value rather than replace it."""
    return value.WhichOneof("value_type") in ("integer_value", "double_value")


def document_bytes(document: Document) -> int:
    """Return what the 1 MiB limit of a document counts: its name, its fields, and 32 bytes."""
    return _name_bytes(document.name) + _fields_bytes(document.fields) + 32


def _name_bytes(name: str) -> int:
    return sum(len(segment.encode()) + 1 for segment in name.split("/")[5:]) + 16


def _fields_bytes(fields: Fields) -> int:
    return sum(len(name.encode()) + 1 + _value_bytes(value) for name, value in fields.items())


def _value_bytes(value: Value) -> int:
    kind = value.WhichOneof("value_type")
    return _SIZES[kind](getattr(value, kind)) if kind in _SIZES else 8


_SIZES: dict[str, Callable[[Any], int]] = {
    "null_value": lambda _: 1,
    "boolean_value": lambda _: 1,
    "string_value": lambda text: len(text.encode()) + 1,
    "bytes_value": len,
    "reference_value": _name_bytes,
    "geo_point_value": lambda _: 16,
    "array_value": lambda array: sum(map(_value_bytes, array.values)),
    "map_value": lambda content: _fields_bytes(content.fields),
}


def check_fields(fields: Fields, depth: int = 0) -> None:
    """Refuse what Firestore does not store (INVALID_ARGUMENT).

    An array directly in an array, maps and arrays in each other beyond `MOST_LEVELS`, texts and bytes beyond
    `MOST_VALUE_BYTES`, and reserved or empty names.
    """
    for name, value in fields.items():
        names.check_field(name)
        _check_value(value, depth, is_in_array=False)


def _check_value(value: Value, depth: int, *, is_in_array: bool) -> None:
    kind = value.WhichOneof("value_type")
    if kind in ("array_value", "map_value") and depth >= MOST_LEVELS:
        raise invalid(f"Property contains an entity nested more than {MOST_LEVELS} levels deep.")
    if kind == "array_value":
        if is_in_array:
            raise invalid("Cannot convert an array value in an array value.")
        for item in value.array_value.values:
            _check_value(item, depth + 1, is_in_array=True)
    elif kind == "map_value":
        check_fields(value.map_value.fields, depth + 1)
    elif kind in ("string_value", "bytes_value") and _content_bytes(value, kind) > MOST_VALUE_BYTES:
        raise invalid(f"The value of a property is longer than {MOST_VALUE_BYTES} bytes.")


def _content_bytes(value: Value, kind: str) -> int:
    return len(value.string_value.encode()) if kind == "string_value" else len(value.bytes_value)


def found_at(fields: Fields, path: FieldPath) -> Value | None:
    """Return the value at a field path, or `None` where there is none."""
    for segment in path[:-1]:
        if segment not in fields:
            return None
        fields = fields[segment].map_value.fields
    return fields.get(path[-1], None)


def put_at(fields: Fields, path: FieldPath, value: Value) -> None:
    """Set the value at a field path; what is in the way and is no map becomes one."""
    for segment in path[:-1]:
        fields[segment].map_value.SetInParent()
        fields = fields[segment].map_value.fields
    fields[path[-1]].CopyFrom(value)


def remove_at(fields: Fields, path: FieldPath) -> None:
    """Remove what is at a field path; nothing where there is nothing."""
    for segment in path[:-1]:
        if segment not in fields:
            return
        fields = fields[segment].map_value.fields
    if path[-1] in fields:
        del fields[path[-1]]


def projected(document: Document, paths: tuple[FieldPath, ...]) -> Document:
    """Return a copy of a document with the fields at `paths` only."""
    copy = NewDocument(name=document.name, create_time=document.create_time, update_time=document.update_time)
    for path in paths:
        value = found_at(document.fields, path)
        if value is not None:
            put_at(copy.fields, path, value)
    return copy
