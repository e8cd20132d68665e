"""What the Service registry hands out: cluster addresses and node ports.

Allocated values belong to no field manager. Source: kubernetes/kubernetes `pkg/registry/core/service`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from itertools import count
from typing import Any

Json = dict[str, Any]

_CLUSTER_NETWORK = ipaddress.ip_network("10.0.0.0/16")
_FIRST_NODE_PORT = 30_000


def allocate(service: Json, live: Json | None, others: Iterable[Json]) -> None:
    """Give `service` (in place) addresses and node ports, keeping those of `live`; `others` hold theirs."""
    spec = service["spec"]
    if live is not None:
        _release(spec, live["spec"])
    if spec["type"] == "ExternalName":
        return
    taken = list(others)
    old = live["spec"] if live is not None else {}
    if not spec.get("clusterIP"):
        spec["clusterIP"] = old.get("clusterIP") or _free_address(taken)
    if spec.get("clusterIPs", old.get("clusterIPs")) == old.get("clusterIPs"):
        spec["clusterIPs"] = [spec["clusterIP"]]
    spec.setdefault("ipFamilies", ["IPv4"])
    spec.setdefault("ipFamilyPolicy", "SingleStack")
    if spec["type"] in {"NodePort", "LoadBalancer"} and spec.get("allocateLoadBalancerNodePorts", True):
        _node_ports(spec, old, taken)


def _release(spec: Json, old: Json) -> None:
    # A change of type wipes what the old type had allocated, unless the writer set it to something else.
    if spec["type"] not in {"NodePort", "LoadBalancer"}:
        ports = {port.get("nodePort") for port in old.get("ports", [])}
        for port in spec.get("ports", []):
            if port.get("nodePort") in ports:
                port.pop("nodePort", None)
        if spec.get("externalTrafficPolicy") == old.get("externalTrafficPolicy"):
            spec.pop("externalTrafficPolicy", None)
    if spec["type"] != "LoadBalancer":
        for name in ("allocateLoadBalancerNodePorts", "loadBalancerClass"):
            if spec.get(name) == old.get(name):
                spec.pop(name, None)


def _free_address(services: list[Json]) -> str:
    used = {service["spec"].get("clusterIP") for service in services}
    hosts = (str(address) for address in _CLUSTER_NETWORK.hosts())
    return next(address for address in hosts if address not in used)


def _node_ports(spec: Json, old: Json, services: list[Json]) -> None:
    used = {port.get("nodePort") for service in services for port in service["spec"].get("ports", [])}
    kept = {(port["port"], port.get("protocol")): port.get("nodePort") for port in old.get("ports", [])}
    for port in spec.get("ports", []):
        if not port.get("nodePort"):
            before = kept.get((port["port"], port.get("protocol")))
            port["nodePort"] = before or next(n for n in count(_FIRST_NODE_PORT) if n not in used)
        used.add(port["nodePort"])
