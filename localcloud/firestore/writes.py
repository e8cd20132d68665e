"""What one `Write` makes of a document: pure, nothing is stored here.

Semantics: `google/firestore/v1/write.proto` and `common.proto` (Precondition).
"""

from __future__ import annotations

from collections.abc import Callable

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from localcloud.firestore import names, values
from localcloud.firestore.messages import (
    Document,
    FieldTransform,
    NewDocument,
    NewValue,
    Value,
    Write,
    version,
)
from localcloud.grpc_server import Refused, invalid, unimplemented

MAX_DOCUMENT_BYTES = 1_048_576
_INT64_MAX = 2**63 - 1
_INT64_MIN = -(2**63)
_REQUEST_TIME = 1


def target(write: Write) -> str:
    """Return the name of the document that a write changes; INVALID_ARGUMENT if it names none."""
    match write.WhichOneof("operation"):
        case "update":
            return names.checked_name(write.update.name)
        case "delete":
            return names.checked_name(write.delete)
        case "transform":
            return names.checked_name(write.transform.document)
        case _:
            raise invalid("The write has no operation.")


def is_insert(write: Write) -> bool:
    """Return whether the write is to make a document that is not there."""
    precondition = write.current_document
    return precondition.WhichOneof("condition_type") == "exists" and not precondition.exists


def check_precondition(write: Write, current: Document | None) -> None:
    """Raise what Firestore answers when `current_document` does not hold; statuses and texts are its own."""
    precondition = write.current_document
    match precondition.WhichOneof("condition_type"):
        case "exists" if precondition.exists and current is None:
            raise Refused(grpc.StatusCode.NOT_FOUND, f"No document to update: {target(write)}")
        case "exists" if not precondition.exists and current is not None:
            raise Refused(grpc.StatusCode.ALREADY_EXISTS, f"Document already exists: {target(write)}")
        case "update_time":
            _check_version(version(current), precondition.update_time)


def _check_version(stored: int, required: Timestamp) -> None:
    if required.nanos % 1000:
        raise invalid("The update_time of a precondition must be microsecond aligned.")
    base = required.seconds * 1_000_000 + required.nanos // 1000
    if stored != base:
        text = f"the stored version ({stored}) does not match the required base version ({base})"
        raise Refused(grpc.StatusCode.FAILED_PRECONDITION, text)


def applied(write: Write, current: Document | None, now: Timestamp) -> tuple[Document | None, list[Value]]:
    """Return the document after the write (`None`: deleted), and the results of its transforms.

    Create and update time are for the caller to set. INVALID_ARGUMENT if the document becomes too big.
    """
    if write.WhichOneof("operation") == "delete":
        return None, []
    document = _updated(write, current)
    transforms = [*write.update_transforms, *write.transform.field_transforms]
    results = [_transform(document, transform, now) for transform in transforms]
    values.check_fields(document.fields)
    size_bytes = values.document_bytes(document)
    if size_bytes > MAX_DOCUMENT_BYTES:
        raise invalid(
            f"Document '{document.name}' cannot be written because its size ({size_bytes:,} bytes) "
            f"exceeds the maximum allowed size of {MAX_DOCUMENT_BYTES:,} bytes."
        )
    return document, results


def _updated(write: Write, current: Document | None) -> Document:
    document = NewDocument(name=target(write))
    is_merge = write.HasField("update_mask") or write.WhichOneof("operation") == "transform"
    if not is_merge:
        document.CopyFrom(write.update)
        return document
    if current is not None:
        document.CopyFrom(current)
    for text in write.update_mask.field_paths:
        path = names.field_path(text)
        value = values.found_at(write.update.fields, path)
        if value is None:
            values.remove_at(document.fields, path)
        else:
            values.put_at(document.fields, path, value)
    return document


def _transform(document: Document, transform: FieldTransform, now: Timestamp) -> Value:
    """Change one field in place; returns the transform's result (null for the array transforms)."""
    path = names.field_path(transform.field_path)
    current = values.found_at(document.fields, path)
    kind = transform.WhichOneof("transform_type")
    if kind == "set_to_server_value":
        if transform.set_to_server_value != _REQUEST_TIME:
            raise invalid("Unknown server value.")
        result = NewValue(timestamp_value=now)
    elif kind in _TRANSFORMS:
        result = _TRANSFORMS[kind](current, getattr(transform, kind))
    else:
        raise unimplemented(f"the transform {kind}")
    values.put_at(document.fields, path, result)
    return NewValue(null_value=0) if kind in _ARRAY_TRANSFORMS else result


def _incremented(current: Value | None, operand: Value) -> Value:
    if not values.is_number(operand):
        raise invalid("The operand of an increment must be a number.")
    if current is None or not values.is_number(current):
        return operand
    left, right = (getattr(value, value.WhichOneof("value_type")) for value in (current, operand))
    if isinstance(left, float) or isinstance(right, float):
        return NewValue(double_value=float(left) + float(right))
    return NewValue(integer_value=max(_INT64_MIN, min(_INT64_MAX, left + right)))


def _united(current: Value | None, operand: Value) -> Value:
    result = NewValue()
    result.array_value.SetInParent()
    kept = result.array_value.values
    kept.extend(current.array_value.values if current is not None else ())
    for item in operand.values:
        if values.key(item) not in [values.key(other) for other in kept]:
            kept.append(item)
    return result


def _diminished(current: Value | None, operand: Value) -> Value:
    unwanted = [values.key(item) for item in operand.values]
    result = NewValue()
    result.array_value.SetInParent()
    for item in current.array_value.values if current is not None else ():
        if values.key(item) not in unwanted:
            result.array_value.values.append(item)
    return result


_TRANSFORMS: dict[str, Callable[[Value | None, Value], Value]] = {
    "increment": _incremented,
    "append_missing_elements": _united,
    "remove_all_from_array": _diminished,
}
_ARRAY_TRANSFORMS = ("append_missing_elements", "remove_all_from_array")
