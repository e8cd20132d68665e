"""Ids that Firestore can have a document of; ids in events are untrusted."""

from __future__ import annotations

import re
from urllib.parse import quote

LONGEST_ID_BYTES = 1500  # Firestore, "Usage and limits"
_RESERVED = re.compile(r"\.{0,2}|__.*__")


def document_id(text: str) -> str:
    """Return the id of the document that the text names. Raises `UnicodeEncodeError` for half a character."""
    return quote(text, safe="")


def is_document_id(text: object) -> bool:
    """Whether there can be a document of that name."""
    if not isinstance(text, str) or len(text) > LONGEST_ID_BYTES:
        return False
    try:
        quoted = document_id(text)
    except UnicodeEncodeError:
        return False
    return len(quoted) <= LONGEST_ID_BYTES and not _RESERVED.fullmatch(quoted)
