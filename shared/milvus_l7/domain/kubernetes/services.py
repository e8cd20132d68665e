"""Services as JSON: their type and their annotations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from milvus_l7.domain.kubernetes import field_managers, kinds
from milvus_l7.domain.kubernetes.manifests import Manifest
from milvus_l7.domain.text import untrusted

CLUSTER_IP = "ClusterIP"  # the default type of a Service
# What the API server drops when a Service becomes ClusterIP, and can be set again on one that is not
# (kubernetes/kubernetes `pkg/registry/core/service/storage`, dropTypeDependentFields).
FOLLOW_TYPE = ("externalTrafficPolicy", "allocateLoadBalancerNodePorts")


PORTS = "ports"


def fields_of_type(service: Manifest) -> dict[str, Any]:
    """Return the fields of a Service that go with its type, and do not come back with it.

    Of the ports those whose `nodePort` somebody has chosen; the others were drawn, and may be drawn anew.
    """
    spec = untrusted.mapping(service, "spec")
    found = {key: spec[key] for key in FOLLOW_TYPE if key in spec}
    chosen = [
        {"port": each["port"], "protocol": each.get("protocol", "TCP"), "nodePort": each["nodePort"]}
        for number, each in enumerate(untrusted.objects(spec.get(PORTS)))
        if each.get("nodePort") and field_managers.is_set(service, ("spec", PORTS, number, "nodePort"))
    ]
    return {**found, PORTS: chosen} if chosen else found


def lost_fields(service: Manifest, before: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of the fields of `fields_of_type` that the Service has otherwise now."""
    spec = untrusted.mapping(service, "spec")
    there = untrusted.objects(spec.get(PORTS))
    lost = {key: value for key, value in before.items() if key != PORTS and spec.get(key) != value}
    ports = before.get(PORTS, ())
    is_back = all(any(each.items() <= port.items() for port in there) for each in ports)
    return lost if is_back else {**lost, PORTS: list(ports)}


def annotated_service(live: Manifest, annotations: Mapping[str, str]) -> Manifest:
    """Return the Service with nothing but annotations.

    It carries the version that the annotations were merged into, so that the API server refuses it if
    another writer has changed the Service since then.
    """
    metadata = {key: live["metadata"][key] for key in ("namespace", "name", "resourceVersion")}
    return {**kinds.SERVICE.header(), "metadata": {**metadata, "annotations": dict(annotations)}}


def is_cluster_ip(service: Manifest) -> bool:
    """Return whether the Service has no load balancer or node ports of its own."""
    return bool(untrusted.mapping(service, "spec").get("type", CLUSTER_IP) == CLUSTER_IP)
