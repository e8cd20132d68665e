"""The status a kubelet would report for a Pod, from what the node knows about its containers. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ContainerFacts:
    """What the node knows about one container."""

    name: str
    image: str
    is_running: bool = False
    is_ready: bool = False
    restarts: int = 0
    started_at: str = ""  # RFC 3339; of the running process
    waiting_reason: str = "ContainerCreating"  # while it does not run
    waiting_message: str = ""
    last_exit: int | None = None  # exit status of the process before


def pod_status(pod: Object, containers: tuple[ContainerFacts, ...], now: str) -> Object:
    """Return the `status` of `pod`; `lastTransitionTime`s of unchanged conditions are kept."""
    is_ready = all(container.is_ready for container in containers)
    has_started = any(container.is_running or container.restarts for container in containers)
    unready = [container.name for container in containers if not container.is_ready]
    not_ready = {"reason": "ContainersNotReady", "message": f"containers with unready status: {unready}"}
    before = {item["type"]: item for item in (pod.get("status") or {}).get("conditions") or []}
    conditions = [
        _condition(kind, value, {} if value else not_ready, before.get(kind), now)
        for kind, value in (
            ("PodScheduled", True),
            ("Initialized", True),
            ("ContainersReady", is_ready),
            ("Ready", is_ready),
        )
    ]
    return {
        "phase": "Running" if has_started else "Pending",
        "conditions": conditions,
        "hostIP": "127.0.0.1",
        "podIP": "127.0.0.1",
        "podIPs": [{"ip": "127.0.0.1"}],
        "startTime": (pod.get("status") or {}).get("startTime") or now,
        "qosClass": "BestEffort",
        "containerStatuses": [_container_status(container) for container in containers],
    }


def is_ready(pod: Object) -> bool:
    """Return whether the Pod's Ready condition is True and it is not being deleted."""
    conditions = (pod.get("status") or {}).get("conditions") or []
    ready = any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)
    return ready and "deletionTimestamp" not in pod["metadata"]


def _condition(kind: str, value: bool, why: Object, before: Object | None, now: str) -> Object:
    status = "True" if value else "False"
    is_unchanged = before is not None and before["status"] == status
    changed_at = before["lastTransitionTime"] if before is not None and is_unchanged else now
    return {"type": kind, "status": status, "lastTransitionTime": changed_at, "lastProbeTime": None, **why}


def _container_status(container: ContainerFacts) -> Object:
    if container.is_running:
        state: Object = {"running": {"startedAt": container.started_at}}
    else:
        message = {"message": container.waiting_message} if container.waiting_message else {}
        state = {"waiting": {"reason": container.waiting_reason, **message}}
    last: Object = {}
    if container.last_exit is not None:
        last = {"terminated": {"exitCode": container.last_exit, "reason": "Error"}}
    return {
        "name": container.name,
        "image": container.image,
        "imageID": "",
        "ready": container.is_ready,
        "started": container.is_running,
        "restartCount": container.restarts,
        "state": state,
        "lastState": last,
    }
