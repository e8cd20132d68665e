"""The node: runs every Pod of the cluster on this machine and reports its status.

A container named like the chart's Milvus container is the real Milvus server; any other container is taken to
be running and ready at once. Container ports become host ports, recorded in the Pod annotation `HOST_PORTS`.
"""

from __future__ import annotations

import contextlib
import datetime
import json
from pathlib import Path
from typing import Any

from localcloud.controllers.client import KubeClient, KubeError
from localcloud.controllers.delays import Delays
from localcloud.controllers.store import Store
from localcloud.node.containers import HOST_PORTS, milvus_container
from localcloud.node.milvus import MilvusImage
from localcloud.node.pod_status import ContainerFacts, pod_status
from localcloud.node.sandbox import Sandbox, Timing, new_sandbox

Object = dict[str, Any]

STOP_GRACE_S = 2.0  # a kubelet gives 30; this Milvus aborts on TERM, sooner or later


class Kubelet:
    """Drives all Pods from one thread; call `sync` often, `stop` at the end."""

    def __init__(self, client: KubeClient, store: Store, state: Path, image: MilvusImage) -> None:
        self._client = client
        self._store = store
        self._state = state
        self._image = image
        self._sandboxes: dict[str, Sandbox] = {}
        self._reported: dict[str, Object] = {}
        self.delays = Delays()

    def sync(self) -> None:
        """Stop Pods that are gone or going, start and probe the others, report what changed."""
        pods = {pod["metadata"]["uid"]: pod for pod in self._store.list("pods")}
        for uid in [uid for uid in self._sandboxes if uid not in pods]:
            self._stop(uid)
        for uid, pod in pods.items():
            if "deletionTimestamp" in pod["metadata"]:
                self._stop(uid)
                self._client.delete(_path(pod), grace_s=0)
                continue
            # Another Pod's vanished object must not keep this one from being looked after.
            with contextlib.suppress(KubeError):
                self._sync_pod(pod)

    def stop(self) -> None:
        """Stop all containers. Safe to call twice."""
        for uid in list(self._sandboxes):
            self._stop(uid, grace_s=1.0)

    def log_text(self, namespace: str, pod: str) -> str | None:
        """Return what the Pod's container has written so far, all restarts; None for an unknown Pod."""
        path = self._state / "logs" / namespace / f"{pod}.log"
        # Names come from a URL: they must not lead out of the folder.
        if path.parent.parent != self._state / "logs" or not path.is_file():
            return None
        return path.read_text(encoding="utf-8", errors="replace")

    def _sync_pod(self, pod: Object) -> None:
        uid = pod["metadata"]["uid"]
        container = milvus_container(pod)
        if container is None:
            self._report(pod, tuple(_pretended(item) for item in pod["spec"]["containers"]), {})
            return
        sandbox = self._sandboxes.get(uid)
        if sandbox is None:
            if not self._has_no_twin(pod):
                return
            sandbox = self._sandboxes[uid] = new_sandbox(pod, container, self._state)
        timing = Timing(self.delays.readiness_s, self.delays.crash_s, self.delays.crash_cap_s)
        sandbox.tick(self._image, self._fetch_for(pod), timing, _now())
        others = tuple(_pretended(item) for item in pod["spec"]["containers"] if item is not container)
        self._report(pod, (sandbox.facts, *others), {str(key): port for key, port in sandbox.ports.items()})

    def _has_no_twin(self, pod: Object) -> bool:
        """Return whether the volume is free: a Deployment's second Pod waits until the first is gone."""
        volume = new_sandbox(pod, {"name": ""}, self._state).folders.volume
        return all(sandbox.folders.volume != volume for sandbox in self._sandboxes.values())

    def _fetch_for(self, pod: Object) -> Any:
        namespace = pod["metadata"]["namespace"]
        return lambda kind, name: self._client.find(f"/api/v1/namespaces/{namespace}/{kind}/{name}")

    def _report(self, pod: Object, containers: tuple[ContainerFacts, ...], ports: dict[str, int]) -> None:
        uid = pod["metadata"]["uid"]
        if ports:
            text = json.dumps(ports, sort_keys=True)
            if (pod["metadata"].get("annotations") or {}).get(HOST_PORTS) != text:
                self._client.patch(_path(pod), {"metadata": {"annotations": {HOST_PORTS: text}}})
        status = pod_status(pod, containers, _now())
        # The conditions' times are those of the stored Pod, which may lag behind: compare without them.
        if _without_times(status) != self._reported.get(uid):
            self._client.patch(f"{_path(pod)}/status", {"status": status})
            self._reported[uid] = _without_times(status)

    def _stop(self, uid: str, grace_s: float = STOP_GRACE_S) -> None:
        sandbox = self._sandboxes.pop(uid, None)
        self._reported.pop(uid, None)
        if sandbox:
            sandbox.stop(self._image, grace_s)


def _pretended(container: Object) -> ContainerFacts:
    return ContainerFacts(container["name"], container.get("image", ""), is_running=True, is_ready=True)


def _without_times(status: Object) -> Object:
    conditions = [{**item, "lastTransitionTime": ""} for item in status["conditions"]]
    return {**status, "startTime": "", "conditions": conditions}


def _path(pod: Object) -> str:
    return f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
