"""A cluster in memory: server-side apply good enough for stages; fields have owners, lists are atomic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Conflict, Permanent
from milvus_l7.ports import ObjectRef

Json = dict[str, Any]
OURS = "milvus-l7"


@dataclass
class FakeKubeObjects:
    """`put` arranges the world; `metadata.resourceVersion` tells whether an object was written.

    `writes` counts what an audit log would: every request that may write, whether it changes anything or not.
    """

    stored: dict[ObjectRef, Json] = field(default_factory=dict)
    owners: dict[ObjectRef, dict[tuple[str, ...], set[str]]] = field(default_factory=dict)
    happened: list[Json] = field(default_factory=list)  # Kubernetes Events, oldest first
    forbids_events: bool = False  # whether listing them is refused
    writes: int = 0
    versions: Any = field(default_factory=lambda: count(2))  # nothing ever has version 1

    def put(self, manifest: Mapping[str, Any], manager: str = "somebody") -> None:
        """Create or replace the object as another client would."""
        ref, new = _ref(manifest), copied(dict(manifest))
        self.owners[ref] = {path: {manager} for path in _leaves(new)}
        self._store(ref, new)

    def get(self, ref: ObjectRef) -> Json | None:
        return copied(self.stored.get(ref))

    def list(self, ref: ObjectRef, labels: Mapping[str, str]) -> list[Json]:
        same = [o for r, o in self.stored.items() if (r.kind, r.namespace) == (ref.kind, ref.namespace)]
        return copied([o for o in same if labels.items() <= o["metadata"].get("labels", {}).items()])

    def events(self, ref: ObjectRef) -> list[Json]:
        if self.forbids_events:
            raise Permanent(Reason.CLUSTER_ACCESS_DENIED, "events is forbidden")
        about = [event["involvedObject"] for event in self.happened]
        fits = [(a.get("kind"), a.get("name")) == (ref.kind, ref.name) for a in about]
        return [event for event, fit in zip(self.happened, fits, strict=True) if fit]

    def create(self, manifest: Mapping[str, Any], *, dry_run: bool = False) -> bool:
        self.writes += not dry_run
        if _ref(manifest) in self.stored:
            return False
        if not dry_run:
            self.put(manifest, OURS)
        return True

    def delete(self, live: Mapping[str, Any]) -> None:
        ref, self.writes = _ref(live), self.writes + 1
        found = self.stored.get(ref)
        if found is None:
            return
        if any(found["metadata"][key] != live["metadata"][key] for key in ("uid", "resourceVersion")):
            raise Conflict(Reason.CLUSTER_UNAVAILABLE, f"{ref.kind} {ref.name} is another one by now")
        if found["metadata"].get("finalizers"):
            marked = {**found["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}
            self._store(ref, {**found, "metadata": marked})
        else:
            del self.stored[ref], self.owners[ref]

    def apply(
        self, manifest: Mapping[str, Any], *, dry_run: bool = False, force: bool = False, manager: str = OURS
    ) -> Json:
        ref, wanted = _ref(manifest), _leaves(manifest)
        self.writes += not dry_run
        live = self.stored.get(ref, {})
        owners, before = dict(self.owners.get(ref, {})), _leaves(live)
        after = {
            path: value for path, value in before.items() if path in wanted or owners.get(path) != {manager}
        }
        for path, value in wanted.items():
            others = owners.get(path, set()) - {manager}
            if others and before.get(path) != value and not force:
                message = f'{".".join(path)}: conflict with "{min(others)}"'
                raise Permanent(Reason.FIELD_CONFLICT, message)
            owners[path] = {manager} | (others if before.get(path) == value else set())
        _refuse_another(ref, live, manifest)
        after |= wanted
        result = _object(manifest, after, live)
        if not dry_run and (after != before or not live):
            self.owners[ref] = owners
            self._store(ref, result)
        return copied(self.stored[ref] if not dry_run else result)

    def _store(self, ref: ObjectRef, manifest: Json) -> None:
        version = str(next(self.versions))
        kept = {"uid": f"uid-of-{ref.name}-{version}", **manifest["metadata"]}
        self.stored[ref] = {**manifest, "metadata": {**kept, "resourceVersion": version}}


@dataclass
class OneCluster:
    """`Connections` to the same cluster, whatever its name."""

    kube: FakeKubeObjects = field(default_factory=FakeKubeObjects)

    def objects(self, cluster: str) -> FakeKubeObjects:
        return self.kube


def copied(value: Any) -> Any:
    """Return a copy of a JSON value; ten times as fast as `deepcopy`, which looks for what is shared."""
    if isinstance(value, dict):
        return {key: copied(inside) for key, inside in value.items()}
    return [copied(each) for each in value] if isinstance(value, list) else value


def _ref(manifest: Mapping[str, Any]) -> ObjectRef:
    metadata = manifest["metadata"]
    return ObjectRef(manifest["apiVersion"], manifest["kind"], metadata["namespace"], metadata["name"])


def _refuse_another(ref: ObjectRef, live: Json, manifest: Mapping[str, Any]) -> None:
    """As kube-apiserver: the version is compared with an object that is there, a uid also with nothing."""
    wanted, there = manifest["metadata"], live.get("metadata", {})
    is_old = live and wanted.get("resourceVersion") not in (None, there["resourceVersion"])
    if is_old or (not live and "uid" in wanted):
        raise Conflict(Reason.CLUSTER_UNAVAILABLE, f"{ref.kind} {ref.name} has been modified")
    if live and wanted.get("uid") not in (None, there["uid"]):
        raise Permanent(Reason.REFUSED_BY_CLUSTER, "metadata.uid: field is immutable")


def _leaves(value: Mapping[str, Any], path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    """Every field that has a value, except those that name the object or belong to the server."""
    skipped = ("apiVersion", "kind", "status") if not path else ()
    skipped += ("name", "namespace", "resourceVersion", "uid") if path == ("metadata",) else ()
    found = {}
    for key, inner in value.items():
        if isinstance(inner, Mapping) and inner:
            found |= _leaves(inner, (*path, key)) if key not in skipped else {}
        elif key not in skipped:
            found[*path, key] = inner
    return found


def _object(manifest: Mapping[str, Any], leaves: Mapping[tuple[str, ...], Any], live: Json) -> Json:
    identity = {key: manifest["metadata"][key] for key in ("namespace", "name")}
    made: Json = {"apiVersion": manifest["apiVersion"], "kind": manifest["kind"], "metadata": identity}
    for path, value in leaves.items():
        inside = made
        for key in path[:-1]:
            inside = inside.setdefault(key, {})
        inside[path[-1]] = value
    made["metadata"] |= {k: live["metadata"][k] for k in ("uid", "resourceVersion") if live}
    return made | ({"status": live["status"]} if "status" in live else {})
