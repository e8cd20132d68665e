"""The Table form of objects: what `kubectl get` prints.

Columns follow kubernetes/kubernetes `pkg/printers/internalversion`; other kinds show name and age.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from localcloud.kube.resources import Resource

Json = dict[str, Any]
Cells = Callable[[Json], list[Any]]

MEDIA_TYPE = "as=Table"


def table(resource: Resource, body: Json, now: datetime) -> Json:
    """Return a `meta.k8s.io/v1` Table of one object or of a list; ages are counted up to `now`."""
    names, cells = _COLUMNS.get(resource.kind, ([], lambda _obj: []))
    rows = [
        {"cells": [*_ordered(resource, obj, cells(obj), now)], "object": _partial(obj)}
        for obj in body.get("items", [body])
    ]
    titles = [*names, "Last Seen"] if resource.kind == "Event" else ["Name", *names, "Age"]
    columns = [
        {"name": title, "type": "string", "format": "", "description": "", "priority": 0} for title in titles
    ]
    if resource.kind != "Event":
        columns[0]["format"] = "name"
    meta = body["metadata"] if "items" in body else {"resourceVersion": body["metadata"]["resourceVersion"]}
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": meta,
        "columnDefinitions": columns,
        "rows": rows,
    }


def _ordered(resource: Resource, obj: Json, cells: list[Any], now: datetime) -> list[Any]:
    if resource.kind == "Event":
        return [*cells, _age(obj.get("lastTimestamp") or obj["metadata"]["creationTimestamp"], now)]
    return [obj["metadata"]["name"], *cells, _age(obj["metadata"]["creationTimestamp"], now)]


def _partial(obj: Json) -> Json:
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}


def _age(timestamp: str, now: datetime) -> str:
    try:
        seconds = int((now - datetime.fromisoformat(timestamp)).total_seconds())
    except (ValueError, TypeError):
        return "<unknown>"
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{max(seconds, 0)}s"


def _at(obj: Any, path: str) -> Any:
    for name in path.split("."):
        obj = obj.get(name) if isinstance(obj, dict) else None
    return obj


def _addresses(obj: Json) -> str:
    rows = _at(obj, "status.loadBalancer.ingress") or []
    return ",".join(row.get("ip") or row.get("hostname", "") for row in rows)


def _ports(obj: Json) -> str:
    ports = _at(obj, "spec.ports") or []
    shown = (f"{port['port']}{_node_port(port)}/{port.get('protocol', 'TCP')}" for port in ports)
    return ",".join(shown) or "<none>"


def _node_port(port: Json) -> str:
    return f":{port['nodePort']}" if port.get("nodePort") else ""


def _service(obj: Json) -> list[Any]:
    spec = obj["spec"]
    waiting = "<pending>" if spec["type"] == "LoadBalancer" else "<none>"
    return [spec["type"], spec.get("clusterIP", "<none>"), _addresses(obj) or waiting, _ports(obj)]


def _ingress(obj: Json) -> list[Any]:
    spec = obj["spec"]
    hosts = ",".join(rule["host"] for rule in spec.get("rules", []) if rule.get("host")) or "*"
    ports = "80, 443" if spec.get("tls") else "80"
    return [spec.get("ingressClassName", "<none>"), hosts, _addresses(obj), ports]


def _deployment(obj: Json) -> list[Any]:
    status = obj.get("status", {})
    ready = f"{status.get('readyReplicas', 0)}/{obj['spec'].get('replicas', 0)}"
    return [ready, status.get("updatedReplicas", 0), status.get("availableReplicas", 0)]


def _pod(obj: Json) -> list[Any]:
    rows = _at(obj, "status.containerStatuses") or []
    ready = sum(1 for row in rows if row.get("ready"))
    restarts = sum(row.get("restartCount", 0) for row in rows)
    waiting = next((reason for row in rows if (reason := _at(row, "state.waiting.reason"))), None)
    phase = "Terminating" if obj["metadata"].get("deletionTimestamp") else waiting or _at(obj, "status.phase")
    return [f"{ready}/{len(obj['spec'].get('containers', []))}", phase, restarts]


def _event(obj: Json) -> list[Any]:
    about = obj.get("involvedObject", {})
    name = f"{about.get('kind', '').lower()}/{about.get('name', '')}"
    return [obj.get("type", ""), obj.get("reason", ""), name, obj.get("message", "").strip()]


_COLUMNS: dict[str, tuple[list[str], Cells]] = {
    "Service": (["Type", "Cluster-IP", "External-IP", "Port(s)"], _service),
    "Ingress": (["Class", "Hosts", "Address", "Ports"], _ingress),
    "Deployment": (["Ready", "Up-to-date", "Available"], _deployment),
    "Pod": (["Ready", "Status", "Restarts"], _pod),
    "Event": (["Type", "Reason", "Object", "Message"], _event),
    "Secret": (["Type", "Data"], lambda obj: [obj.get("type"), len(obj.get("data") or {})]),
    "ConfigMap": (["Data"], lambda obj: [len(obj.get("data") or {})]),
    "Namespace": (["Status"], lambda obj: [_at(obj, "status.phase")]),
}
