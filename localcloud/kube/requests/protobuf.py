"""Reads the protobuf bodies that client-go sends for a few built-in kinds, as JSON objects.

A body is the four bytes `k8s\\x00` and a `runtime.Unknown` that holds the kind and the object's own message.
Field numbers: the `generated.proto` files of k8s.io/api and k8s.io/apimachinery. Kinds that are not here are
refused (415).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]

MAGIC = b"k8s\x00"


class ProtobufError(ValueError):
    """The body is no protobuf that this module reads."""


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    kind: str  # string | bytes | int | bool | time | fields | message name
    is_list: bool = False
    is_map: bool = False


def _strings(**numbers: int) -> dict[int, _Field]:
    return {number: _Field(name, "string") for name, number in numbers.items()}


_MESSAGES: dict[str, dict[int, _Field]] = {
    "ObjectMeta": _strings(name=1, generateName=2, namespace=3, selfLink=4, uid=5, resourceVersion=6)
    | {
        7: _Field("generation", "int"),
        8: _Field("creationTimestamp", "time"),
        9: _Field("deletionTimestamp", "time"),
        10: _Field("deletionGracePeriodSeconds", "int"),
        11: _Field("labels", "string", is_map=True),
        12: _Field("annotations", "string", is_map=True),
        13: _Field("ownerReferences", "OwnerReference", is_list=True),
        14: _Field("finalizers", "string", is_list=True),
        17: _Field("managedFields", "ManagedFieldsEntry", is_list=True),
    },
    "OwnerReference": _strings(kind=1, name=3, uid=4, apiVersion=5)
    | {6: _Field("controller", "bool"), 7: _Field("blockOwnerDeletion", "bool")},
    "ManagedFieldsEntry": _strings(manager=1, operation=2, apiVersion=3, fieldsType=6, subresource=8)
    | {4: _Field("time", "time"), 7: _Field("fieldsV1", "fields")},
    "Secret": {
        1: _Field("metadata", "ObjectMeta"),
        2: _Field("data", "bytes", is_map=True),
        3: _Field("type", "string"),
        4: _Field("stringData", "string", is_map=True),
        5: _Field("immutable", "bool"),
    },
    "ConfigMap": {
        1: _Field("metadata", "ObjectMeta"),
        2: _Field("data", "string", is_map=True),
        3: _Field("binaryData", "bytes", is_map=True),
        4: _Field("immutable", "bool"),
    },
    "Namespace": {1: _Field("metadata", "ObjectMeta")},
    "DeleteOptions": {
        1: _Field("gracePeriodSeconds", "int"),
        2: _Field("preconditions", "Preconditions"),
        3: _Field("orphanDependents", "bool"),
        4: _Field("propagationPolicy", "string"),
        5: _Field("dryRun", "string", is_list=True),
    },
    "Preconditions": _strings(uid=1, resourceVersion=2),
    "Timestamp": {1: _Field("seconds", "int"), 2: _Field("nanos", "int")},
    "TypeMeta": _strings(apiVersion=1, kind=2),
    "Unknown": {1: _Field("typeMeta", "TypeMeta"), 2: _Field("raw", "raw")},
    "FieldsV1": {1: _Field("raw", "raw")},
}


def decode(body: bytes) -> Json:
    """Return the JSON object of an enveloped body; `ProtobufError` for other kinds and for broken bytes."""
    if not body.startswith(MAGIC):
        raise ProtobufError("the body does not start with the Kubernetes protobuf prefix")
    try:
        return _decoded(body)
    except (AttributeError, TypeError, UnicodeDecodeError, OverflowError, OSError) as error:
        raise ProtobufError("a field has another type than its message says") from error


def _decoded(body: bytes) -> Json:
    unknown = _message(body[len(MAGIC) :], "Unknown")
    type_meta = unknown.get("typeMeta", {})
    kind = type_meta.get("kind", "")
    if kind not in {"Secret", "ConfigMap", "Namespace", "DeleteOptions"}:
        raise ProtobufError(f"no protobuf decoder for kind {kind!r}")
    decoded: Json = {"apiVersion": type_meta.get("apiVersion", ""), "kind": kind}
    return decoded | _message(unknown.get("raw", b""), kind)


def _message(raw: bytes, name: str) -> Json:
    table = _MESSAGES[name]
    result: Json = {}
    for number, value in _wire(raw):
        field = table.get(number)
        if field is None:
            continue
        if field.is_map:
            key, inner = _map_entry(value, field.kind)
            result.setdefault(field.name, {})[key] = inner
        elif field.is_list:
            result.setdefault(field.name, []).append(_convert(value, field.kind))
        else:
            result[field.name] = _convert(value, field.kind)
    return {key: value for key, value in result.items() if value not in ("", None)}


def _map_entry(raw: Any, kind: str) -> tuple[str, Any]:
    entry = dict(_wire(raw))
    return entry.get(1, b"").decode(), _convert(entry.get(2, b""), kind)


def _convert(value: Any, kind: str) -> Any:
    scalar = _SCALARS.get(kind)
    return scalar(value) if scalar else _message(value, kind)


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


def _fields(value: bytes) -> Json:
    decoded: Json = json.loads(_message(value, "FieldsV1").get("raw", b"{}"))
    return decoded


def _time(timestamp: Json) -> str | None:
    seconds = timestamp.get("seconds")
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


_SCALARS: dict[str, Callable[[Any], Any]] = {
    "raw": bytes,
    "string": lambda value: value.decode(),
    "bytes": lambda value: base64.b64encode(value).decode(),
    "int": _signed,
    "bool": bool,
    "time": lambda value: _time(_message(value, "Timestamp")),
    "fields": _fields,
}


def _wire(raw: bytes) -> Iterator[tuple[int, Any]]:
    at = 0
    try:
        while at < len(raw):
            tag, at = _varint(raw, at)
            number, wire_type = tag >> 3, tag & 7
            if wire_type == 0:
                value, at = _varint(raw, at)
                yield number, value
            elif wire_type == 2:
                size, at = _varint(raw, at)
                if at + size > len(raw):
                    raise ProtobufError("a field is longer than the message")
                yield number, raw[at : at + size]
                at += size
            elif wire_type in (1, 5):
                at += 8 if wire_type == 1 else 4
            else:
                raise ProtobufError(f"wire type {wire_type} is not used by Kubernetes")
    except IndexError as error:
        raise ProtobufError("the message ends in the middle of a field") from error


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = raw[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
