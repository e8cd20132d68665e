"""Services as JSON: their type and their annotations."""

from __future__ import annotations

from collections.abc import Mapping

from milvus_l7.domain.kubernetes import kinds
from milvus_l7.domain.kubernetes.manifests import Manifest
from milvus_l7.domain.text import untrusted

CLUSTER_IP = "ClusterIP"  # the default type of a Service
# What the API server drops when a Service becomes ClusterIP, and can be set again on one that is not
# (kubernetes/kubernetes `pkg/registry/core/service/storage`, dropTypeDependentFields).
FOLLOW_TYPE = ("externalTrafficPolicy", "allocateLoadBalancerNodePorts")


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
