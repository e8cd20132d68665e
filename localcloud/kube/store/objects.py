"""The objects, their revisions, and the log of changes that watches read.

Objects in the store are never changed in place: a write puts a new one. So readers need no copies.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from localcloud.kube.resources import Resource
from localcloud.kube.status import expired

Json = dict[str, Any]
Key = tuple[str, str]  # (group, plural)

LOG_LENGTH = 20_000  # changes kept for watches; a watch from before the oldest gets 410


@dataclass(frozen=True, slots=True)
class Change:
    """One write that took effect."""

    revision: int
    resource: Resource
    obj: Json  # after the change; of a deletion the last state, with the revision of the deletion
    old: Json | None  # None for a new object
    is_deletion: bool = False


class Store:
    """All objects of one API server. Hold `lock` over a read and the write that depends on it."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.revision = 1
        self._objects: dict[Key, dict[tuple[str, str], Json]] = {}
        self._log: deque[Change] = deque(maxlen=LOG_LENGTH)
        self._forgotten = 0  # revision of the newest change that is no longer in the log
        self._listeners: list[Callable[[], None]] = []

    def get(self, resource: Resource, namespace: str, name: str) -> Json | None:
        """Return the object, or None."""
        with self.lock:
            return self._objects.get(_key(resource), {}).get((namespace, name))

    def items(self, resource: Resource, namespace: str = "") -> list[Json]:
        """Return the objects of a kind in one namespace, or with "" in all, ordered by namespace and name."""
        with self.lock:
            rows = list(self._objects.get(_key(resource), {}).items())
        return [obj for _, obj in sorted(row for row in rows if not namespace or row[0][0] == namespace)]

    def put(self, resource: Resource, obj: Json) -> Json:
        """Store `obj` under a new resourceVersion and return it."""
        with self.lock:
            meta = obj["metadata"]
            place = (meta.get("namespace", ""), meta["name"])
            objects = self._objects.setdefault(_key(resource), {})
            old = objects.get(place)
            stored = self._stamped(obj)
            objects[place] = stored
            self._record(Change(self.revision, resource, stored, old))
            return stored

    def remove(self, resource: Resource, obj: Json) -> Json:
        """Take the object out; returns its last state under the revision of the deletion."""
        with self.lock:
            meta = obj["metadata"]
            old = self._objects[_key(resource)].pop((meta.get("namespace", ""), meta["name"]))
            last = self._stamped(obj)
            self._record(Change(self.revision, resource, last, old, is_deletion=True))
            return last

    def _stamped(self, obj: Json) -> Json:
        self.revision += 1
        return obj | {"metadata": obj["metadata"] | {"resourceVersion": str(self.revision)}}

    def _record(self, change: Change) -> None:
        if len(self._log) == LOG_LENGTH:
            self._forgotten = self._log[0].revision
        self._log.append(change)
        for listener in list(self._listeners):
            listener()

    def since(self, resource: Resource, revision: int) -> list[Change]:
        """Return a kind's changes after `revision`, oldest first; `ApiError` 410 if some are forgotten."""
        with self.lock:
            if revision < self._forgotten:
                raise expired(f"too old resource version: {revision} ({self.revision})")
            newer = []
            for change in reversed(self._log):
                if change.revision <= revision:
                    break
                if _key(change.resource) == _key(resource):
                    newer.append(change)
        return newer[::-1]

    def forget(self) -> None:
        """Drop the log of changes, as compaction does: watches from older revisions get 410."""
        with self.lock:
            self._log.clear()
            self._forgotten = self.revision

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` (fast, non-blocking) after every change; returns the function that ends it."""
        with self.lock:
            self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)


def _key(resource: Resource) -> Key:
    return (resource.group, resource.plural)
