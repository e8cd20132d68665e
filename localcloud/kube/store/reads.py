"""Get, list (with selectors and pages) and watch."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from localcloud.kube import status
from localcloud.kube.requests.http import Target
from localcloud.kube.requests.selectors import Predicate, field_predicate, label_predicate
from localcloud.kube.store.objects import Change, Store

Json = dict[str, Any]

_TYPE = {"apiVersion", "kind"}


def get(store: Store, target: Target) -> Json:
    """Return one object; `ApiError` 404 if it is not there."""
    obj = store.get(target.resource, target.namespace, target.name)
    if obj is None:
        raise status.not_found(target.resource, target.name)
    return obj


def predicate(query: Mapping[str, str]) -> Predicate:
    """Return the check of an object against the request's selectors."""
    by_label = label_predicate(query.get("labelSelector", ""))
    by_field = field_predicate(query.get("fieldSelector", ""))
    return lambda obj: by_label(obj) and by_field(obj)


def listed(store: Store, target: Target, query: Mapping[str, str]) -> Json:
    """Return a List object: all matches, or the page that `limit` and `continue` ask for."""
    matches = predicate(query)
    with store.lock:
        revision = str(store.revision)
        items = [obj for obj in store.items(target.resource, target.namespace) if matches(obj)]
    meta: Json = {"resourceVersion": revision}
    if query.get("continue"):
        after, meta["resourceVersion"] = _continued(query["continue"])
        items = [obj for obj in items if _place(obj) > after]
    limit = int(query.get("limit") or 0)
    if limit and len(items) > limit:
        meta["remainingItemCount"] = len(items) - limit
        items = items[:limit]
        meta["continue"] = _continue(_place(items[-1]), revision)
    resource = target.resource
    if not resource.is_custom:  # built-in kinds come without their type, custom resources with it
        items = [{key: value for key, value in obj.items() if key not in _TYPE} for obj in items]
    return {
        "kind": f"{resource.kind}List",
        "apiVersion": resource.api_version,
        "metadata": meta,
        "items": items,
    }


def _place(obj: Json) -> tuple[str, str]:
    return (obj["metadata"].get("namespace", ""), obj["metadata"]["name"])


def _continue(place: tuple[str, str], revision: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([*place, revision]).encode()).decode()


def _continued(token: str) -> tuple[tuple[str, str], str]:
    try:
        namespace, name, revision = json.loads(base64.urlsafe_b64decode(token))
    except ValueError as error:
        raise status.bad_request("continue key is not valid") from error
    return (namespace, name), revision


@dataclass(slots=True)
class Watch:
    """One watch: `begin` gives the first events, `poll` those since then. For one thread at a time."""

    store: Store
    target: Target
    matches: Predicate
    revision: int = 0

    def begin(self, query: Mapping[str, str]) -> list[Json]:
        """Return the events to start with; raises `ApiError` 410 if the wanted revision is forgotten."""
        wanted = query.get("resourceVersion", "")
        wants_initial = query.get("sendInitialEvents") == "true"
        if wanted in {"", "0"} or wants_initial:
            return self._initial(with_bookmark=wants_initial)
        try:
            self.revision = int(wanted)
        except ValueError as error:
            raise status.bad_request(f"Invalid value: {wanted!r}: a resourceVersion is a number") from error
        return self.poll()

    def _initial(self, *, with_bookmark: bool) -> list[Json]:
        with self.store.lock:
            self.revision = self.store.revision
            items = self.store.items(self.target.resource, self.target.namespace)
        events = [{"type": "ADDED", "object": obj} for obj in items if self.matches(obj)]
        if with_bookmark:
            events.append(self.bookmark({"k8s.io/initial-events-end": "true"}))
        return events

    def bookmark(self, annotations: Json | None = None) -> Json:
        """Return an event that only tells how far the watch has come."""
        resource = self.target.resource
        meta: Json = {"resourceVersion": str(self.revision)}
        if annotations:
            meta["annotations"] = annotations
        obj = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": meta}
        return {"type": "BOOKMARK", "object": obj}

    def poll(self) -> list[Json]:
        """Return the events since the last call; `ApiError` 410 if some are forgotten."""
        with self.store.lock:
            changes = self.store.since(self.target.resource, self.revision)
            self.revision = max(self.revision, self.store.revision)
        events = [self._event(change) for change in changes]
        return [event for event in events if event is not None]

    def _event(self, change: Change) -> Json | None:
        namespace = self.target.namespace
        if namespace and change.obj["metadata"].get("namespace") != namespace:
            return None
        did_match = change.old is not None and self.matches(change.old)
        if change.is_deletion:
            return {"type": "DELETED", "object": change.obj} if did_match else None
        if self.matches(change.obj):
            return {"type": "MODIFIED" if did_match else "ADDED", "object": change.obj}
        return {"type": "DELETED", "object": change.obj} if did_match else None
