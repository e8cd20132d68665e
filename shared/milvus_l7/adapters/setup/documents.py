"""Setup <-> the document that stores it.

A document is the dataclass as a map (dates stay dates, enums become their values), with these differences:

    status, stage, remedy   derived; written for people who read Firestore. Read back is only whether the
                            status is the end of a run, see `domain.setup.succession`
    facts.before.values     JSON text: a user's values may nest arrays in arrays or have empty keys, which
    facts.before.user_yaml  a Firestore map cannot hold

`schema_version` 1 knew neither tear-downs nor drift checks; it is read as a setup that is wanted, looked
after by the defaults, and checked for the first time after its next run.

A release that adds or removes a stage needs no other version. Functions that do not know a stage read the
documents that name it without it; those from before this rule refuse them until they are replaced, as they do
with a newer version.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec

from milvus_l7.domain.reasons.errors import StateUnavailable
from milvus_l7.domain.setup import succession
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.document import SCHEMA_VERSION, Setup, StageRecord, Status
from milvus_l7.ports import HistoryEntry

_FREE_FORM = ("values", "user_yaml")
_ENDED = (Status.VERIFIED, Status.TORN_DOWN)


def to_document(setup: Setup) -> dict[str, Any]:
    """Return the whole document; no top-level field is ever left out, so that an update replaces them all."""
    record = setup.record(setup.current) if setup.current else None
    document: dict[str, Any] = msgspec.to_builtins(setup, builtin_types=(datetime,), enc_hook=str)
    before = setup.facts.before
    if before is not None:
        stored = document["facts"]["before"]
        stored["values"] = json.dumps(before.values, default=str)
        stored["user_yaml"] = json.dumps(before.user_yaml, default=str)
    reason = record.reason if record else None
    return document | {
        "status": str(setup.status),
        "stage": str(setup.current) if setup.current else None,
        "remedy": reason.remedy if reason else None,
    }


def to_history(entry: HistoryEntry) -> dict[str, Any]:
    """Return the document of one history entry."""
    document: dict[str, Any] = msgspec.to_builtins(entry, builtin_types=(datetime,))
    return document


def from_document(document: Mapping[str, Any]) -> Setup:
    """Return the setup in a document.

    Raises `StateUnavailable` for a document that this release cannot read, above all one that a newer release
    wrote (during a roll-out both are live): the delivery comes back, and by then the new release answers.
    """
    version = document.get("schema_version")
    if not isinstance(version, int) or version > SCHEMA_VERSION:
        raise StateUnavailable(f"setup document has schema_version {version!r:.20}, known: {SCHEMA_VERSION}")
    try:
        present = _upcast(plain(document), version)
        _parse_free_form(present["facts"]["before"])
        return _continued(present)
    except (msgspec.ValidationError, ValueError, KeyError, TypeError) as error:
        raise StateUnavailable(f"setup document is not readable: {error!s:.200}") from error


def _upcast(document: dict[str, Any], version: int) -> dict[str, Any]:
    """Return the document as the present release writes it.

    Fields that version 1 lacked have their defaults.
    """
    return document | {"schema_version": SCHEMA_VERSION} if version < SCHEMA_VERSION else document


def _continued(document: dict[str, Any]) -> Setup:
    """Return the setup with the stages of this release, and its lease on one, whatever the writer knew."""
    stored = msgspec.convert(document["stages"], dict[str, StageRecord], builtin_types=(datetime,))
    lease, known = document["lease"], list(Stage)
    is_orphaned = lease is not None and lease["stage"] not in known
    present = document | {"stages": {}, "lease": lease | {"stage": known[0]} if is_orphaned else lease}
    setup = msgspec.convert(present, Setup, builtin_types=(datetime,))
    has_ended = document.get("status") in _ENDED
    setup = replace(setup, stages=succession.continued(stored, setup.chain, has_ended=has_ended))
    return succession.barred(setup) if is_orphaned else setup


def _parse_free_form(before: dict[str, Any] | None) -> None:
    if before is not None:
        before.update({name: json.loads(before[name]) for name in _FREE_FORM})


def plain(value: Any) -> Any:
    """Return the same value without Firestore's subclass of datetime, which msgspec cannot encode again."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        return datetime.combine(value.date(), value.timetz())
    return value
