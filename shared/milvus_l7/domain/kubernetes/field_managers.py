"""Who wrote which field of a live object, by its `metadata.managedFields`.

The notation of a field set (fieldsV1) is that of sigs.k8s.io/structured-merge-diff `fieldpath`: `f:name` is a
field, `k:{"port":80}` an item of a list by its keys, `v:"x"` an item of a set, and `.` the value itself. What
has one owner as a whole is {}: scalars, atomic lists and maps. Odd content reads as nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from milvus_l7.domain.kubernetes.manifests import LONG_AGO, OURS, Manifest, moment
from milvus_l7.domain.text import bounded_json, excerpt, untrusted
from milvus_l7.domain.text.bounded_json import Limits

_APPLY = "Apply"
_SHOWN_CHARACTERS = 60
_ELEMENT = Limits(size_bytes=16 * 1024, depth=8, items=200)  # the keys, or the value, of an item of a list
_NAMING = frozenset({"name", "namespace", "resourceVersion"})
_PART = re.compile(r"\[(?P<index>[0-9]{1,6})\]|\[(?P<key>[^\]]*)\]|(?P<name>[^.\[]+)")

Part = str | int  # one step of a path: a key, or a place in a list
Fields = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Writer:
    """Who wrote, and when. As text it is for people: printable, and of bounded length."""

    manager: str  # as the client called itself
    operation: str  # Apply | Update
    at: datetime | None  # UTC; None if the object does not tell

    def __str__(self) -> str:
        moment = f", {self.at:%Y-%m-%d %H:%M} UTC" if self.at else ""
        name = excerpt.printable(self.manager[:_SHOWN_CHARACTERS], "?") or "unnamed"
        return f"{name} ({self.operation}{moment})"


@dataclass(frozen=True, slots=True)
class _Entry:
    writer: Writer
    api_version: str
    fields: Fields


def is_applied(live: Manifest, manifest: Manifest, manager: str) -> bool:
    """Return whether a server-side apply of the manifest by the manager is certain to change nothing.

    It is, if the manager's last apply said exactly these fields and nobody has changed one since. False means
    that only a dry run can tell, as always for lists whose items have owners. No object tells what an
    admission webhook would do to it.
    """
    own = _applies(live, manager)
    if len(own) != 1 or own[0].api_version != manifest["apiVersion"]:
        return False
    # Also a field that the manifest lacks matters: an apply would remove it.
    return own[0].fields == _field_set(_without_identity(manifest)) and _holds(live, manifest)


def applied_fields(live: Manifest, manager: str) -> Fields:
    """Return the field set of the manager's last apply; {} if it has applied nothing."""
    own = _applies(live, manager)
    return own[0].fields if own else {}


def writer(live: Manifest, field: str, ours: str = OURS) -> Writer | None:
    """Return who last wrote the field (notation of `difference`); None if the object does not tell.

    Of several owners the newest that is not `ours` counts. A removed field has none, as a removal leaves no
    trace: then the newest write of anybody else since `ours` is the likeliest, and if there is none nobody is
    named. Writes of subresources do not count.
    """
    path, entries = _path(field), _entries(live)
    owners = [(depth, entry) for entry in entries if (depth := _depth(entry.fields, path, live))]
    if owners:
        # First of all, who owns the very key rather than the map around it.
        return max(owners, key=lambda o: (o[0], o[1].writer.manager != ours, _moment(o[1])))[1].writer
    since = max((_moment(entry) for entry in entries if entry.writer.manager == ours), default=LONG_AGO)
    others = [e for e in entries if e.writer.manager != ours and _moment(e) >= since]
    return max(others, key=_moment).writer if others else None


def is_set(live: Manifest, path: Sequence[Part], *, besides: str = "") -> bool:
    """Return whether a manager, other than the one named, owns just that field; not what is drawn for it."""
    entries = (entry for entry in _entries(live) if entry.writer.manager != besides)
    return any(_depth(entry.fields, path, live) == len(path) for entry in entries)


def last_written(live: Manifest, *path: str) -> datetime | None:
    """Return when the owners of a field, by its path in the notation, last wrote; None if nothing tells.

    That field itself was not written later. Writes of subresources count.
    """
    rows = untrusted.objects(untrusted.mapping(live, "metadata").get("managedFields"))
    owners = [row for row in rows if _owns(untrusted.mapping(row, "fieldsV1"), path)]
    times = [moment(row.get("time")) for row in owners]
    return max((time for time in times if time is not None), default=None)


def _owns(fields: Fields, path: Sequence[str]) -> bool:
    """Return whether a field set has the field, or the whole of what it is in."""
    node: Any = fields
    for element in path:
        if element not in untrusted.mapping(node):
            return bool(fields) and node == {}
        node = node[element]
    return True


def _moment(entry: _Entry) -> datetime:
    return entry.writer.at or LONG_AGO


# Reading managedFields ----------------------------------------------------------------------------


def _entries(live: Manifest) -> Sequence[_Entry]:
    rows = untrusted.objects(untrusted.mapping(live, "metadata").get("managedFields"))
    return [_entry(row) for row in rows if _is_readable(row)]


def _applies(live: Manifest, manager: str) -> Sequence[_Entry]:
    """Return what the manager has applied: one entry for each API version that it did so in."""
    return [e for e in _entries(live) if (e.writer.manager, e.writer.operation) == (manager, _APPLY)]


def _is_readable(row: Mapping[str, Any]) -> bool:
    known = row.get("fieldsType") == "FieldsV1" and row.get("operation") in (_APPLY, "Update")
    return known and not row.get("subresource") and bool(untrusted.mapping(row, "fieldsV1"))


def _entry(row: Mapping[str, Any]) -> _Entry:
    who = Writer(untrusted.text(row.get("manager")), row["operation"], moment(row.get("time")))
    return _Entry(who, untrusted.text(row.get("apiVersion")), untrusted.mapping(row, "fieldsV1"))


# What a manifest says -----------------------------------------------------------------------------


def _without_identity(manifest: Manifest) -> Manifest:
    metadata = {key: value for key, value in manifest["metadata"].items() if key not in _NAMING}
    own = {key: value for key, value in manifest.items() if key not in {"apiVersion", "kind", "metadata"}}
    return {**own, **({"metadata": metadata} if metadata else {})}


def _field_set(value: Any) -> Fields:
    """Return what applying the value would own, if all its lists are atomic."""
    return {f"f:{key}": _field_set(v) for key, v in value.items()} if isinstance(value, Mapping) else {}


def _holds(live: Any, wanted: Any, *, whole: bool = False) -> bool:
    """Return whether everything wanted is there, of the same type; `whole`: and no more, as inside lists."""
    if isinstance(wanted, Mapping) and isinstance(live, Mapping):
        fits = wanted.keys() == live.keys() if whole or not wanted else wanted.keys() <= live.keys()
        return fits and all(_holds(live[key], value, whole=whole) for key, value in wanted.items())
    if isinstance(wanted, list) and isinstance(live, list):
        pairs = zip(live, wanted, strict=False)
        return len(live) == len(wanted) and all(_holds(one, other, whole=True) for one, other in pairs)
    # `1 == True` in Python; and a null asks the server for the default.
    return wanted is not None and type(live) is type(wanted) and bool(live == wanted)


# Finding a field ----------------------------------------------------------------------------------


def _path(field: str) -> Sequence[Part]:
    parts = _PART.finditer(field)
    return [int(p["index"]) if p["index"] else p["key"] or p["name"] or "" for p in parts]


def _depth(fields: Fields, path: Sequence[Part], live: Any) -> int:
    """Return how many steps of the path a field set names before it owns the rest; 0: not owned."""
    node, value = fields, live
    for depth, part in enumerate(path):
        if not node:
            return depth
        value = _inside(value, part)
        below = node.get(f"f:{part}") if isinstance(part, str) else item_fields(node, value)
        if not isinstance(below, Mapping):
            return 0
        node = below
    return len(path)


def _inside(value: Any, part: Part) -> Any:
    if isinstance(part, str):
        return value.get(part) if isinstance(value, Mapping) else None
    return value[part] if isinstance(value, list) and part < len(value) else None


def item_fields(node: Fields, item: Any) -> Any:
    """Return what a field set says of an item of a list whose items have owners; None if nothing."""
    return next((below for element, below in node.items() if _is_item(element, item)), None)


def _is_item(element: str, item: Any) -> bool:
    try:
        named = bounded_json.loads(element[2:], _ELEMENT)
    except ValueError:
        return False
    if element.startswith("v:"):
        return bool(named == item)
    return isinstance(named, dict) and named.items() <= untrusted.mapping(item).items()
