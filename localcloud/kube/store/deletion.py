"""Delete one object or a collection: preconditions, finalizers, grace, and what happens to dependents."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from localcloud.kube import status
from localcloud.kube.requests import protobuf
from localcloud.kube.requests.http import Target
from localcloud.kube.resources import PODS, RESOURCES, Resource
from localcloud.kube.store.objects import Store
from localcloud.kube.store.writes import is_removable, now

Json = dict[str, Any]

_POD_GRACE_S = 30


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    """The options of a delete, from the body or the query."""

    is_dry_run: bool = False
    grace_s: int | None = None
    propagation: str = "Background"  # Background | Foreground | Orphan
    uid: str | None = None
    resource_version: str | None = None


def options(body: Any, query: dict[str, str]) -> DeleteOptions:
    """Return the options of a delete; `ApiError` 400 if the body is not a DeleteOptions object."""
    if not isinstance(body, dict):
        raise status.bad_request("the body of a delete is DeleteOptions")
    conditions = body.get("preconditions") or {}
    grace = body.get("gracePeriodSeconds", query.get("gracePeriodSeconds"))
    policy = body.get("propagationPolicy") or query.get("propagationPolicy")
    if body.get("orphanDependents"):
        policy = "Orphan"
    return DeleteOptions(
        "All" in (body.get("dryRun") or []) or query.get("dryRun") == "All",
        None if grace is None else int(grace),
        policy or "Background",
        conditions.get("uid"),
        conditions.get("resourceVersion"),
    )


def is_dry_run(body: bytes) -> bool:
    """Return True if the body of a delete asks for a dry run; the audit log sees broken bodies as well."""
    try:
        decoded = protobuf.decode(body) if body.startswith(protobuf.MAGIC) else json.loads(body or b"{}")
    except ValueError:
        return False
    return isinstance(decoded, dict) and "All" in (decoded.get("dryRun") or [])


def delete(store: Store, target: Target, wanted: DeleteOptions) -> Json:
    """Delete one object, or mark it if something holds it; returns a `Status`, or the marked object."""
    resource = target.resource
    with store.lock:
        live = store.get(resource, target.namespace, target.name)
        if live is None:
            raise status.not_found(resource, target.name)
        _check(target, live, wanted)
        marked = _marked(resource, live, wanted)
        if wanted.is_dry_run:
            return _success(resource, live)
        if wanted.propagation == "Orphan":
            orphan(store, live["metadata"]["uid"])
        if is_removable(marked):
            store.remove(resource, marked)
            # A Pod's delete answers with the object, everything else with a Status.
            return marked if resource is PODS else _success(resource, live)
        return live if marked == live else store.put(resource, marked)


def delete_all(
    store: Store, resource: Resource, objects: Iterable[Json], wanted: DeleteOptions
) -> list[Json]:
    """Delete every given object; those that vanish meanwhile are skipped. Returns what was there."""
    gone = []
    for obj in objects:
        meta = obj["metadata"]
        target = Target(resource, meta.get("namespace", ""), meta["name"], "")
        with store.lock:
            if store.get(resource, target.namespace, target.name) is not None:
                delete(store, target, wanted)
                gone.append(obj)
    return gone


def _check(target: Target, live: Json, wanted: DeleteOptions) -> None:
    # Worded as in k8s.io/apiserver `pkg/registry/rest/delete.go`, which names the kind.
    meta = live["metadata"]
    if wanted.uid is not None and wanted.uid != meta["uid"]:
        why = (
            f"the UID in the precondition ({wanted.uid}) does not match the UID in record ({meta['uid']}). "
            "The object might have been deleted and then recreated"
        )
        raise status.kind_conflict(target.resource, target.name, why)
    version = meta["resourceVersion"]
    if wanted.resource_version is not None and wanted.resource_version != version:
        why = (
            f"the ResourceVersion in the precondition ({wanted.resource_version}) does not match "
            f"the ResourceVersion in record ({version}). The object might have been modified"
        )
        raise status.kind_conflict(target.resource, target.name, why)


def _marked(resource: Resource, live: Json, wanted: DeleteOptions) -> Json:
    meta = live["metadata"]
    grace = _grace_s(resource, live, wanted)
    if not meta.get("deletionTimestamp"):
        meta = meta | {"deletionTimestamp": now()}
        if "generation" in meta and (meta.get("finalizers") or grace):
            meta["generation"] += 1
    elif grace >= meta.get("deletionGracePeriodSeconds", 0):
        return live
    marked = live | {"metadata": meta | {"deletionGracePeriodSeconds": grace}}
    if resource.kind == "Namespace":
        marked["status"] = live.get("status", {}) | {"phase": "Terminating"}
        del marked["metadata"]["deletionGracePeriodSeconds"]
    return marked


def _grace_s(resource: Resource, live: Json, wanted: DeleteOptions) -> int:
    # Only a Pod that a node runs is given time; the node deletes it again with 0 when its containers ended.
    spec = live.get("spec", {})
    if resource is not PODS or not spec.get("nodeName"):
        return 0
    if live.get("status", {}).get("phase") in {"Succeeded", "Failed"}:
        return 0
    default = spec.get("terminationGracePeriodSeconds", _POD_GRACE_S)
    return int(default if wanted.grace_s is None else wanted.grace_s)


def _success(resource: Resource, live: Json) -> Json:
    return status.deleted(resource, live["metadata"]["name"], live["metadata"]["uid"])


def orphan(store: Store, uid: str) -> None:
    """Take the owner out of every dependent, so that its deletion leaves them alone."""
    for resource in RESOURCES:
        for obj in store.items(resource):
            owners = obj["metadata"].get("ownerReferences", [])
            kept = [owner for owner in owners if owner.get("uid") != uid]
            if len(kept) != len(owners):
                meta = {key: value for key, value in obj["metadata"].items() if key != "ownerReferences"}
                store.put(resource, obj | {"metadata": meta | ({"ownerReferences": kept} if kept else {})})
