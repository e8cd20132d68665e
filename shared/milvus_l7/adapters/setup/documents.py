"""Setup <-> the document that stores it.

A document is the dataclass as a map (dates stay dates, enums become their values), with these differences:

    status, stage, remedy   derived; written for people who read Firestore, ignored when read back
    has_ended               derived: every stage of the run is done, see `domain.setup.succession`
    lease.started_at        the store's own time when the lease is written
    facts.before.values     JSON text: a user's values may nest arrays in arrays or have empty keys, which
    facts.before.user_yaml  a Firestore map cannot hold

Earlier versions are read as this release would have written them:

    2   had no order of requests, no plan before the first write, and leases that went by the process' clock:
        its executions may still write, so no lease is given before its last change plus the longest old lease
    1   knew neither tear-downs nor drift checks

A release that adds or removes a stage needs no other version. A document one version newer is read, without
what it has more, so that functions of two releases can serve during a roll-out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec

from milvus_l7.adapters.setup.server_time import SERVER_TIME
from milvus_l7.domain.reasons.errors import StateUnavailable
from milvus_l7.domain.setup import succession
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.document import NOT_BEGUN, SCHEMA_VERSION, Setup, StageRecord, StageState, Status
from milvus_l7.ports import HistoryEntry

_FREE_FORM = ("values", "user_yaml")
_ENDED = (Status.VERIFIED, Status.TORN_DOWN)
_KNOWN = list(Stage)
# Of releases that wrote version 2; the longest time-out of a function, and their margin.
_OLD_LEASE = {
    "stage": Stage.PLAN_SETUP,
    "generation": 0,
    "execution": "of an earlier release",
    "owner": "",
    "duration_s": 315.0,
    "is_settled": True,
}


def to_document(setup: Setup) -> dict[str, Any]:
    """Return the whole document; no top-level field is ever left out, so that an update replaces them all."""
    record = setup.record(setup.current) if setup.current else None
    document: dict[str, Any] = msgspec.to_builtins(setup, builtin_types=(datetime,), enc_hook=str)
    before = setup.facts.before
    if before is not None:
        stored = document["facts"]["before"]
        stored["values"] = json.dumps(before.values, default=str)
        stored["user_yaml"] = json.dumps(before.user_yaml, default=str)
    if setup.lease is not None and setup.lease.started_at is None:
        document["lease"]["started_at"] = SERVER_TIME
    reason = record.reason if record else None
    return document | {
        "has_ended": all(
            setup.stages.get(s, NOT_BEGUN).state is StageState.DONE for s in setup.desired_chain
        ),
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
    if not isinstance(version, int) or version > SCHEMA_VERSION + 1:
        raise StateUnavailable(
            f"setup document has schema_version {version!r:.20}, known: up to {SCHEMA_VERSION + 1}"
        )
    try:
        present = _upcast(plain(document), version)
        _parse_free_form(present["facts"]["before"])
        return _continued(present)
    except (msgspec.ValidationError, ValueError, KeyError, TypeError) as error:
        raise StateUnavailable(f"setup document is not readable: {error!s:.200}") from error


def _upcast(document: dict[str, Any], version: int) -> dict[str, Any]:
    """Return the document as the present release writes it; what a version lacked has its default."""
    if version >= SCHEMA_VERSION:
        return document
    drift = document.get("drift")
    return document | {
        "schema_version": SCHEMA_VERSION,
        "order": {"published_at": _last_requested(document), "message_id": document["request_id"]},
        "desired_generation": document["generation"],
        "executions": document["token"],
        "is_touched": True,
        "stages": {name: _with_attempts(record) for name, record in document["stages"].items()},
        "drift": drift and {**drift, "unobserved": drift.get("unseen") or []},
        "lease": _OLD_LEASE | {"started_at": document["updated_at"]},
        "has_ended": document.get("status") in _ENDED,
    }


def _last_requested(document: dict[str, Any]) -> datetime:
    """Return when the last request was published at the latest, or an earlier one of the same wish.

    Earlier versions did not store it. A new wish began a run without records, so the first stage of a run
    began after the request that it is for.
    """
    begun: list[datetime | None] = [record.get("started_at") for record in document["stages"].values()]
    created: datetime = document["created_at"]
    return min((each for each in begun if each), default=created)


def _with_attempts(record: dict[str, Any]) -> dict[str, Any]:
    return {**record, "attempts": record.get("looks", 0)}


def _continued(document: dict[str, Any]) -> Setup:
    """Return the setup with the stages of this release, and its lease on one, whatever the writer knew."""
    stored = msgspec.convert(document["stages"], dict[str, StageRecord], builtin_types=(datetime,))
    lease, effect = document["lease"], document.get("effect")
    is_orphaned = lease is not None and lease["stage"] not in _KNOWN
    present = document | {
        "stages": {},
        "budgets": {name: each for name, each in (document.get("budgets") or {}).items() if name in _KNOWN},
        "effect": effect if effect in _KNOWN else None,
        "lease": lease | {"stage": _KNOWN[0]} if is_orphaned else lease,
    }
    setup = msgspec.convert(present, Setup, builtin_types=(datetime,))
    setup = replace(setup, stages=_records(setup, stored, has_ended=bool(document.get("has_ended"))))
    return succession.barred(setup) if is_orphaned else setup


def _records(setup: Setup, stored: dict[str, StageRecord], *, has_ended: bool) -> dict[Stage, StageRecord]:
    """The run's stages as this release knows them; a stage of the other direction keeps what it had."""
    order = setup.desired_chain
    others = {Stage(name): each for name, each in stored.items() if name in _KNOWN and name not in order}
    own = {name: each for name, each in stored.items() if name not in others}
    return {**others, **succession.continued(own, order, has_ended=has_ended)}


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
