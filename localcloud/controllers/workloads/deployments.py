"""The Deployment controller: Pods of the present template, one after the other, and an honest status.

Both strategies replace Pods the way `Recreate` does, old ones first: a Milvus here has one volume. There are
no ReplicaSets; a Pod's owner is the Deployment.
"""

from __future__ import annotations

import datetime
import hashlib
import json
from dataclasses import dataclass
from typing import Any

from localcloud.controllers.client import KubeClient, KubeError
from localcloud.controllers.store import Store
from localcloud.node.containers import NODE_NAME
from localcloud.node.pod_status import is_ready

Object = dict[str, Any]

HASH_LABEL = "pod-template-hash"


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do about one Deployment."""

    create: int  # Pods of the present template
    delete: tuple[str, ...]  # names of Pods
    status: Object


def template_hash(deployment: Object) -> str:
    """Return ten characters that change whenever the Pod template does."""
    text = json.dumps(deployment["spec"]["template"], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def decide(deployment: Object, pods: list[Object], now: str) -> Decision:
    """Return what brings the Deployment's own `pods` closer to its spec, and its present status. Pure."""
    wanted = deployment["spec"].get("replicas", 1)
    current = [pod for pod in pods if pod["metadata"]["labels"].get(HASH_LABEL) == template_hash(deployment)]
    old = [pod for pod in pods if pod not in current]
    superfluous = [pod["metadata"]["name"] for pod in (*old, *current[wanted:]) if not _is_going(pod)]
    staying = [pod for pod in current if not _is_going(pod)]
    # As Recreate: nothing new before the last old Pod has ended.
    create = 0 if old or len(staying) != len(current) else max(0, wanted - len(staying))
    return Decision(create, tuple(superfluous), _status(deployment, current, old, now))


def new_pod(deployment: Object, taken: set[str]) -> Object:
    """Return a Pod of the Deployment's template with a name that is not in `taken`."""
    metadata, template = deployment["metadata"], deployment["spec"]["template"]
    hash_ = template_hash(deployment)
    count = 0
    while (name := f"{metadata['name']}-{hash_}-{_suffix(metadata['uid'], count)}") in taken:
        count += 1
    owner = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    template_metadata = template.get("metadata") or {}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": metadata["namespace"],
            "labels": {**(template_metadata.get("labels") or {}), HASH_LABEL: hash_},
            "annotations": template_metadata.get("annotations") or {},
            "ownerReferences": [owner],
        },
        "spec": {**template["spec"], "nodeName": NODE_NAME},
    }


class Deployments:
    """Acts on all Deployments of the cluster."""

    def __init__(self, client: KubeClient, store: Store) -> None:
        self._client = client
        self._store = store

    def reconcile(self) -> None:
        """Go once over all Deployments.

        `KubeError` ends the round; the next one starts from the new state.
        """
        for deployment in self._store.list("deployments"):
            if "deletionTimestamp" not in deployment["metadata"]:
                self._reconcile_one(deployment)

    def _reconcile_one(self, deployment: Object) -> None:
        namespace, uid = deployment["metadata"]["namespace"], deployment["metadata"]["uid"]
        now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        decision = decide(deployment, _owned(self._store.list("pods"), uid), now)
        pods = f"/api/v1/namespaces/{namespace}/pods"
        if decision.create or decision.delete:
            # Our copy may lag behind our own writes: act only on a fresh list.
            live = self._client.list(pods)["items"]
            decision = decide(deployment, _owned(live, uid), now)
            self._act(deployment, pods, decision, {pod["metadata"]["name"] for pod in live})
        self._report(deployment, decision.status)

    def _act(self, deployment: Object, pods: str, decision: Decision, taken: set[str]) -> None:
        for name in decision.delete:
            self._client.delete(f"{pods}/{name}")
        for _ in range(decision.create):
            pod = new_pod(deployment, taken)
            taken.add(pod["metadata"]["name"])
            try:
                self._client.create(pods, pod)
            except KubeError as error:
                if error.status != 409:
                    raise

    def _report(self, deployment: Object, status: Object) -> None:
        present = deployment.get("status") or {}
        if any(present.get(key) != value for key, value in status.items() if value is not None):
            metadata = deployment["metadata"]
            path = f"/apis/apps/v1/namespaces/{metadata['namespace']}/deployments/{metadata['name']}"
            self._client.patch(f"{path}/status", {"status": status})


def _status(deployment: Object, current: list[Object], old: list[Object], now: str) -> Object:
    wanted = deployment["spec"].get("replicas", 1)
    ready = sum(is_ready(pod) for pod in (*current, *old))
    updated_ready = sum(is_ready(pod) for pod in current)
    is_complete = not old and len(current) == wanted == updated_ready
    before = {item["type"]: item for item in (deployment.get("status") or {}).get("conditions") or []}
    progress = "NewReplicaSetAvailable" if is_complete else "ReplicaSetUpdated"
    availability = "MinimumReplicasAvailable" if ready >= wanted else "MinimumReplicasUnavailable"
    return {
        "observedGeneration": deployment["metadata"]["generation"],
        "replicas": len(current) + len(old),
        "updatedReplicas": len(current),
        "readyReplicas": ready,
        "availableReplicas": ready,
        "unavailableReplicas": max(0, wanted - ready),
        "conditions": [
            _condition(before, "Available", ready >= wanted, availability, now),
            _condition(before, "Progressing", True, progress, now),
        ],
    }


def _condition(before: dict[str, Object], kind: str, value: bool, reason: str, now: str) -> Object:
    known = before.get(kind, {})
    status = "True" if value else "False"
    if known.get("status") == status and known.get("reason") == reason:
        return known
    changed = known["lastTransitionTime"] if known.get("status") == status else now
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "lastTransitionTime": changed,
        "lastUpdateTime": now,
    }


def _owned(pods: list[Object], uid: str) -> list[Object]:
    return [
        pod
        for pod in pods
        if any(owner["uid"] == uid for owner in pod["metadata"].get("ownerReferences") or [])
    ]


def _is_going(pod: Object) -> bool:
    return "deletionTimestamp" in pod["metadata"]


def _suffix(uid: str, count: int) -> str:
    return hashlib.sha256(f"{uid}/{count}".encode()).hexdigest()[:5]
