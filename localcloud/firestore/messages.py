"""The protobuf messages of `google.firestore.v1` that the emulator stores and compares.

The raw classes, not their proto-plus wrappers, which cost ten times as much per field. They are made at run
time, so they have no static types: the aliases say which message an `Any` is.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from google.cloud.firestore_v1 import types
from google.protobuf.timestamp_pb2 import Timestamp

Document: TypeAlias = Any
Value: TypeAlias = Any
Write: TypeAlias = Any
FieldTransform: TypeAlias = Any
# A protobuf `map<string, Value>`: assignment is `fields[name].CopyFrom(value)`.
Fields: TypeAlias = Any

NewDocument = types.Document.pb()
NewValue = types.Value.pb()


def timestamp(micros: int) -> Timestamp:
    """Return the protobuf form of a time in microseconds since the epoch."""
    return Timestamp(seconds=micros // 1_000_000, nanos=micros % 1_000_000 * 1000)


def version(document: Document | None) -> int:
    """Return the update time of a document in microseconds; 0 for one that does not exist."""
    if document is None:
        return 0
    return int(document.update_time.seconds) * 1_000_000 + int(document.update_time.nanos) // 1000
