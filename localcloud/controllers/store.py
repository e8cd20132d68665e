"""A local, always current copy of the Kubernetes objects that the controllers decide on, kept by watches.

Level-triggered: a controller is told only that something changed, and looks at the whole again.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping

from localcloud.controllers.client import KubeClient, KubeError, Object, Watch

RETRY_S = 0.3  # after an error
REWATCH_S = 0.05  # after a watch that the server has ended, as it does every few minutes
Key = tuple[str, str]  # namespace, name

log = logging.getLogger(__name__)


class Store:
    """Objects by kind, namespace and name. `start()` fills it and returns; `stop()` ends all watches."""

    def __init__(self, client: KubeClient, collections: Mapping[str, str]) -> None:
        self._client = client
        self._objects: dict[str, dict[Key, Object]] = {kind: {} for kind in collections}
        self._changed = threading.Condition()
        self._version = 0
        self._stopping = threading.Event()
        self._watches: dict[str, Watch] = {}
        self._threads = [
            threading.Thread(target=self._follow, args=(kind, path), name=f"watch-{kind}", daemon=True)
            for kind, path in collections.items()
        ]

    def start(self) -> None:
        """Start following the API server. Returns at once; the copy is complete a moment later."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End all watches and wait for their threads. Safe to call twice."""
        self._stopping.set()
        with self._changed:
            watches = list(self._watches.values())
            self._changed.notify_all()
        for watch in watches:
            watch.close()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()

    def list(self, kind: str) -> list[Object]:
        """Return all known objects of `kind`, oldest name first. They are shared: do not change them."""
        with self._changed:
            return [self._objects[kind][key] for key in sorted(self._objects[kind])]

    def find(self, kind: str, namespace: str, name: str) -> Object | None:
        """Return the known object, or None. It is shared: do not change it."""
        with self._changed:
            return self._objects[kind].get((namespace, name))

    def wait_change(self, seen: int, timeout_s: float) -> int:
        """Block until something changed since version `seen`, or `timeout_s`; returns the present version."""
        with self._changed:
            self._changed.wait_for(lambda: self._version != seen or self._stopping.is_set(), timeout_s)
            return self._version

    def wake(self) -> None:
        """Make every waiting controller look again, as if something had changed."""
        with self._changed:
            self._version += 1
            self._changed.notify_all()

    def _follow(self, kind: str, path: str) -> None:
        while not self._stopping.is_set():
            try:
                self._follow_once(kind, path)
                self._stopping.wait(REWATCH_S)
            except KubeError as error:
                # 404: the kind is not served (yet); anything else: the server restarts, or our version is too
                # old.
                log.debug("watching %s: %s", kind, error)
                self._stopping.wait(RETRY_S)

    def _follow_once(self, kind: str, path: str) -> None:
        listed = self._client.list(path)
        with self._changed:
            # The items of a list do not say what they are, those of a watch do.
            what = {"apiVersion": listed["apiVersion"], "kind": listed["kind"].removesuffix("List")}
            self._objects[kind] = {_key(item): {**what, **item} for item in listed.get("items") or []}
            self._bump()
        watch = self._client.watch(path, listed["metadata"]["resourceVersion"])
        with self._changed:
            self._watches[kind] = watch
        if self._stopping.is_set():
            watch.close()
        for event in watch:  # ends when the server or `stop` ends it; then all is listed again
            if event["type"] == "ERROR":
                raise KubeError(event["object"].get("code", 0), "WatchEnded", kind)
            self._apply(kind, event)

    def _apply(self, kind: str, event: Object) -> None:
        if event["type"] == "BOOKMARK":
            return
        item = event["object"]
        with self._changed:
            if event["type"] == "DELETED":
                self._objects[kind].pop(_key(item), None)
            else:
                self._objects[kind][_key(item)] = item
            self._bump()

    def _bump(self) -> None:
        self._version += 1
        self._changed.notify_all()


def _key(item: Object) -> Key:
    metadata = item["metadata"]
    return metadata.get("namespace", ""), metadata["name"]
