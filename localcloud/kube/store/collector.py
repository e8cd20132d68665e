"""What kube-controller-manager deletes: dependents of deleted owners, the content of namespaces."""

from __future__ import annotations

import threading
from typing import Any

from localcloud.kube.resources import NAMESPACES, RESOURCES
from localcloud.kube.store.deletion import DeleteOptions, delete_all
from localcloud.kube.store.objects import Store

Json = dict[str, Any]


class Collector:
    """A thread that collects garbage after every change. `start` and `stop` once each."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._wake = threading.Event()
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name="kube-collector", daemon=True)

    def start(self) -> None:
        """Begin to collect."""
        self._unlisten = self._store.listen(self._wake.set)
        self._thread.start()

    def stop(self) -> None:
        """End, and wait for the end."""
        self._is_stopping = True
        self._unlisten()
        self._wake.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            self._wake.wait()
            if self._is_stopping:
                return
            self._wake.clear()
            collect(self._store)


def collect(store: Store) -> None:
    """Delete every object whose owners are all gone, and empty the namespaces that are being deleted."""
    with store.lock:
        uids = {obj["metadata"]["uid"] for resource in RESOURCES for obj in store.items(resource)}
        for resource in RESOURCES:
            orphans = [obj for obj in store.items(resource) if _is_orphan(obj, uids)]
            delete_all(store, resource, orphans, DeleteOptions())
        for namespace in store.items(NAMESPACES):
            if namespace["metadata"].get("deletionTimestamp"):
                _empty(store, namespace)


def _is_orphan(obj: Json, uids: set[str]) -> bool:
    owners = obj["metadata"].get("ownerReferences", [])
    is_terminating = obj["metadata"].get("deletionTimestamp")
    return bool(owners) and not is_terminating and all(owner.get("uid") not in uids for owner in owners)


def _empty(store: Store, namespace: Json) -> None:
    name = namespace["metadata"]["name"]
    is_empty = True
    for resource in RESOURCES:
        if not resource.is_namespaced:
            continue
        objects = store.items(resource, name)
        waiting = [obj for obj in objects if not obj["metadata"].get("deletionTimestamp")]
        delete_all(store, resource, waiting, DeleteOptions())
        is_empty = is_empty and not store.items(resource, name)
    if is_empty:
        store.remove(NAMESPACES, namespace)
