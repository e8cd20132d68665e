"""Which host ports stand behind a Service's port. Pure."""

from __future__ import annotations

from typing import Any

from localcloud.node.containers import host_ports
from localcloud.node.pod_status import is_ready

Object = dict[str, Any]


def ready_pods(service: Object, pods: list[Object]) -> list[Object]:
    """Return the ready Pods that the Service selects; a Service without a selector selects none."""
    selector = service["spec"].get("selector") or {}
    namespace = service["metadata"]["namespace"]
    return [pod for pod in pods if selector and _is_selected(pod, namespace, selector) and is_ready(pod)]


def target_port(pod: Object, port: Object) -> int | None:
    """Return the container port behind a Service's port; None for a name that the Pod does not know."""
    target = port.get("targetPort") or port["port"]
    if isinstance(target, int):
        return target
    for container in pod["spec"]["containers"]:
        for item in container.get("ports") or []:
            if item.get("name") == target:
                return int(item["containerPort"])
    return None


def host_port(pod: Object, container_port: int | None) -> int | None:
    """Return where the container port is on this machine; None when nothing listens on it."""
    return None if container_port is None else host_ports(pod).get(container_port)


def _is_selected(pod: Object, namespace: str, selector: dict[str, str]) -> bool:
    labels = pod["metadata"].get("labels") or {}
    return pod["metadata"]["namespace"] == namespace and all(
        labels.get(key) == value for key, value in selector.items()
    )
