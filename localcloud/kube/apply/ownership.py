"""Who owns which field: the `managedFields` of an object, kept by server-side apply and by every other write.

Follows sigs.k8s.io/structured-merge-diff `merge.Updater` and k8s.io/apimachinery `pkg/util/managedfields`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from localcloud.kube import status
from localcloud.kube.apply import fields, merge
from localcloud.kube.apply.fields import EMPTY, FieldSet, Path
from localcloud.kube.resources import Resource
from localcloud.kube.schema import schemas

Json = dict[str, Any]

_BEFORE_FIRST_APPLY = "before-first-apply"

_STRIPPED: FieldSet = frozenset(
    {("f:apiVersion",), ("f:kind",), ("f:metadata",)}
    | {
        ("f:metadata", f"f:{name}")
        for name in (
            "name",
            "namespace",
            "creationTimestamp",
            "selfLink",
            "uid",
            "clusterName",
            "generation",
            "managedFields",
            "resourceVersion",
        )
    }
)


@dataclass(frozen=True, slots=True)
class Writer:
    """Who writes now, through which endpoint, and when (RFC 3339)."""

    name: str
    subresource: str
    time: str


@dataclass(frozen=True, slots=True)
class Manager:
    """The identity of one `managedFields` entry."""

    name: str
    operation: str  # Apply | Update
    subresource: str
    update_version: str  # apiVersion for Update; "" for Apply, where an entry moves along with the version


@dataclass(frozen=True, slots=True)
class Owned:
    """What one manager owns, under which apiVersion, since when."""

    paths: FieldSet
    api_version: str
    time: str


Managers = dict[Manager, Owned]


def decode(entries: Iterable[Json]) -> Managers:
    """Return the managers of a `metadata.managedFields` list; entries without a manager are dropped."""
    managers: Managers = {}
    for entry in entries:
        if not entry.get("operation"):
            continue
        api_version = entry.get("apiVersion", "")
        is_apply = entry["operation"] == "Apply"
        manager = Manager(
            entry.get("manager", ""),
            entry["operation"],
            entry.get("subresource", ""),
            "" if is_apply else api_version,
        )
        paths = fields.decode(entry.get("fieldsV1", {}))
        managers[manager] = Owned(paths, api_version, entry.get("time", ""))
    return managers


def encode(managers: Managers) -> list[Json]:
    """Return the `metadata.managedFields` list, in the server's order."""
    rows = sorted(managers.items(), key=lambda row: (row[0].operation, row[1].time, row[0].name))
    return [_entry(manager, owned) for manager, owned in rows if owned.paths]


def _entry(manager: Manager, owned: Owned) -> Json:
    entry: Json = {
        "manager": manager.name,
        "operation": manager.operation,
        "apiVersion": owned.api_version,
        "fieldsType": "FieldsV1",
        "fieldsV1": fields.encode(owned.paths),
    }
    if owned.time:
        entry["time"] = owned.time
    if manager.subresource:
        entry["subresource"] = manager.subresource
    return entry


def without_managed_fields(obj: Json) -> Json:
    """Return a shallow copy of `obj` without `metadata.managedFields`."""
    meta = {key: value for key, value in obj.get("metadata", {}).items() if key != "managedFields"}
    return obj | {"metadata": meta}


def _with_managers(obj: Json, managers: Managers) -> Json:
    entries = encode(managers)
    meta = without_managed_fields(obj)["metadata"]
    return obj | {"metadata": meta | ({"managedFields": entries} if entries else {})}


def _is_ignored(path: Path, resource: Resource, subresource: str) -> bool:
    if path in _STRIPPED:
        return True
    if subresource == "status":
        return path[0] != "f:status"
    return resource.has_status and path[0] == "f:status"


def _counted(paths: Iterable[Path], resource: Resource, subresource: str) -> FieldSet:
    return frozenset(path for path in paths if path and not _is_ignored(path, resource, subresource))


def updated(live: Json, new: Json, resource: Resource, writer: Writer) -> Json:
    """Return `new` with its ownership after a write by `writer`; `live` is {} for a create.

    Fields that changed go from whoever owned them to the writer; this never conflicts.
    """
    given = new.get("metadata", {}).get("managedFields")
    managers = decode(given or live.get("metadata", {}).get("managedFields", []))
    if live and not managers:  # ownership is not tracked for what was stored without any, until it is applied
        return without_managed_fields(new)
    before, after = without_managed_fields(live), without_managed_fields(new)
    change = merge.compare(before, after, schemas.of(resource))
    taken = _counted(change.added | change.modified, resource, writer.subresource)
    lost = taken | _counted(change.removed, resource, writer.subresource)
    managers = {who: replace(owned, paths=owned.paths - lost) for who, owned in managers.items()}
    if taken:
        me = Manager(writer.name, "Update", writer.subresource, resource.api_version)
        mine = managers[me].paths if me in managers else EMPTY
        managers[me] = Owned(mine | taken, resource.api_version, writer.time)
    return _with_managers(new, managers)


def applied(live: Json, config: Json, resource: Resource, writer: Writer, *, force: bool) -> Json:
    """Return `live` after `writer` applied `config`: merged, pruned of what is not applied, newly owned.

    Raises `ApiError` 409 with one cause a field for changes to fields of other managers, unless `force`.
    """
    root = schemas.of(resource)
    if live and not live["metadata"].get("managedFields"):
        earlier = Writer(_BEFORE_FIRST_APPLY, "", writer.time)
        live = updated({}, without_managed_fields(live), resource, earlier)
    before, wanted = without_managed_fields(live), without_managed_fields(config)
    managers = decode(live.get("metadata", {}).get("managedFields", []))
    me = Manager(writer.name, "Apply", writer.subresource, "")
    last = managers.get(me)
    paths = _counted(merge.field_set(wanted, root), resource, writer.subresource)
    managers[me] = Owned(paths, resource.api_version, writer.time)
    merged = merge.merge(before, wanted, root)
    if last is not None:
        merged = _pruned(merged, managers, last.paths, root)
    managers = _without_lost(before, merged, managers, (me, resource, writer, force))
    if merged == before:  # only the ownership changes: an old entry keeps its time, a new one has none
        managers[me] = replace(managers[me], time=last.time if last else "")
    return _with_managers(merged, managers)


def _pruned(merged: Json, managers: Managers, last: FieldSet, root: schemas.Schema) -> Json:
    # Drop what the manager applied last time, then put back what anybody (itself included) owns now, and what
    # the removal of a parent took along although the manager had not applied it.
    removed: Json = merge.remove_items(merged, fields.with_named_parents(last, root), root) or {}
    owned = fields.with_named_parents(frozenset().union(*(o.paths for o in managers.values())), root)
    gone = _all_paths(merged, root) - _all_paths(removed, root)
    kept: Json = merge.remove_items(merged, gone - owned, root) or {}
    gone = _all_paths(merged, root) - _all_paths(kept, root)
    return merge.remove_items(merged, gone & fields.with_named_parents(last, root), root) or {}


def _all_paths(value: Json, root: schemas.Schema) -> FieldSet:
    return fields.with_named_parents(merge.field_set(value, root), root)


def _without_lost(
    before: Json, after: Json, managers: Managers, context: tuple[Manager, Resource, Writer, bool]
) -> Managers:
    me, resource, writer, force = context
    change = merge.compare(before, after, schemas.of(resource))
    touched = _counted(change.added | change.modified, resource, writer.subresource)
    removed = _counted(change.removed, resource, writer.subresource)
    others = {who: owned for who, owned in managers.items() if who != me}
    conflicts = {who: owned.paths & touched for who, owned in others.items() if owned.paths & touched}
    if conflicts and not force:
        raise status.apply_conflict(
            [
                status.Cause("FieldManagerConflict", _conflict(who, others[who]), fields.display(path))
                for who in sorted(conflicts, key=lambda who: who.name)
                for path in fields.in_walk_order(conflicts[who])
            ]
        )
    kept = {who: replace(owned, paths=owned.paths - touched - removed) for who, owned in others.items()}
    return kept | {me: managers[me]}


def _conflict(who: Manager, owned: Owned) -> str:
    text = f"conflict with {fields.compact(who.name)}"
    if who.subresource:
        text += f" with subresource {fields.compact(who.subresource)}"
    return f"{text} using {owned.api_version}" if who.operation == "Update" else text
