"""What Helm stores of a release, as it stands in a request: read from protobuf or JSON.

Helm's typed client writes Secrets in protobuf (k8s.io/apimachinery `runtime.Unknown` around k8s.io/api
`core/v1` Secret); the field numbers are those of their `generated.proto`.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping
from typing import Any

PREFIX = "sh.helm.release.v1."  # of the names of Helm's Secrets
_MAGIC = b"k8s\x00"
_FIXED_BYTES = {1: 8, 5: 4}


def secret(body: bytes) -> Mapping[str, Any]:
    """Return the Secret in a request's body; raises `ValueError` if it is none that can be read."""
    if body.startswith(_MAGIC):
        return _secret(next(value for number, value in _fields(body[len(_MAGIC) :]) if number == 2))
    found = json.loads(body)
    if not isinstance(found, dict):
        raise ValueError("it is no object")  # noqa: TRY004 (one error for what cannot be read)
    return found


def _secret(message: bytes) -> Mapping[str, Any]:
    data, name = {}, ""
    for number, value in _fields(message):
        if number == 1:
            name = next((inner.decode() for key, inner in _fields(value) if key == 1), "")
        if number == 2:
            entry = dict(_fields(value))
            data[entry[1].decode()] = b64encode(entry.get(2, b"")).decode()
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": data}


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the numbers and the contents of a message's fields; numbers as fields are passed over."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        wire = key & 7
        if wire == 2:
            size, at = _varint(message, at)
            yield key >> 3, message[at : at + size]
            at += size
        elif wire == 0:
            _, at = _varint(message, at)
        else:
            at += _FIXED_BYTES[wire]


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(message) or shift > 63:
            raise ValueError("it is cut off")
        byte = message[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
