"""Document names and field paths: `projects/P/databases/D/documents/setups/a` and ``state.`wake-at` ``."""

from __future__ import annotations

import re

from localcloud.grpc_server import invalid

FieldPath = tuple[str, ...]

# The field path of the document's own name, in filters, orders and projections.
NAME_FIELD: FieldPath = ("__name__",)

# https://firebase.google.com/docs/firestore/quotas: document ids, collection ids, field names.
MOST_ID_BYTES = 1500

_RESERVED = re.compile(r"__.+__", re.DOTALL)
_ROOT_SEGMENTS = 5  # projects/P/databases/D/documents
_SEGMENT = re.compile(r"\.?(?:`((?:[^`\\]|\\.)+)`|([A-Za-z_][A-Za-z_0-9]*))")
_ESCAPE = re.compile(r"\\(.)")


def checked_name(name: str) -> str:
    """Return `name` if it is the full name of a document; INVALID_ARGUMENT otherwise."""
    segments = name.split("/")
    is_rooted = segments[0:5:2] == ["projects", "databases", "documents"]
    depth = len(segments) - _ROOT_SEGMENTS
    if not is_rooted or depth < 2 or depth % 2 or not all(segments):
        raise invalid(f'Document name "{name}" is not the name of a document.')
    for segment in segments[_ROOT_SEGMENTS:]:
        _check_id(segment)
    return name


def check_field(name: str) -> None:
    """Refuse the name of a field, or the key of a map, that Firestore does not store (INVALID_ARGUMENT)."""
    if not name:
        raise invalid("The name of a field is empty.")
    if _RESERVED.fullmatch(name):
        raise invalid(f'Field name "{name}" is reserved.')
    if len(name.encode()) > MOST_ID_BYTES:
        raise invalid("The name of a field is too long.")


def _check_id(segment: str) -> None:
    if len(segment.encode()) > MOST_ID_BYTES:
        raise invalid(f"A part of a document's name is longer than {MOST_ID_BYTES} bytes.")
    if segment in (".", "..") or _RESERVED.fullmatch(segment):
        raise invalid(f'Resource id "{segment}" is invalid because it is reserved.')


def collection_of(name: str) -> str:
    """Return the full name of the collection that a document is in."""
    return name.rpartition("/")[0]


def field_path(text: str) -> FieldPath:
    """Return the segments of a field path; backticks quote a segment, backslashes escape in it."""
    segments: list[str] = []
    position = 0
    while position < len(text):
        match = _SEGMENT.match(text, position)
        if match is None or (text[position] == ".") != (position > 0):
            break
        quoted, plain = match.groups()
        segments.append(_ESCAPE.sub(r"\1", quoted) if quoted else plain)
        position = match.end()
    if not segments or position < len(text):
        raise invalid(f'Invalid property path "{text}".')
    return tuple(segments)
