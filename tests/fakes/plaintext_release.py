"""A release as people run it before anything is set up: plaintext, behind a Layer-4 load balancer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from milvus_l7.ports import Release
from tests.fakes.releases import FakeReleases, ReleaseCluster
from tests.fakes.state import START

DEFAULTS = {
    "service": {"type": "ClusterIP", "portName": "milvus"},
    "extraConfigFiles": {"user.yaml": "# none\n"},
}
CHOSEN = {"service": {"type": "LoadBalancer"}, "extraConfigFiles": {"user.yaml": "log: {level: info}\n"}}
LABELS = {"app.kubernetes.io/instance": "my-release", "app.kubernetes.io/name": "milvus"}


def release(**changes: Any) -> Release:
    plain = Release("my-release", "default", 1, "deployed", "milvus", CHOSEN, DEFAULTS, updated_at=START)
    return replace(plain, **changes)


def named(kind: str, name: str, **content: Any) -> dict[str, Any]:
    api_version = "apps/v1" if kind == "Deployment" else "v1"
    metadata = {"name": name, "namespace": "default", "labels": {**LABELS, "component": "standalone"}}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **content}


def deployment(available: int) -> dict[str, Any]:
    counts = {"replicas": 1, "updatedReplicas": 1, "availableReplicas": available}
    return named("Deployment", "my-release-milvus-standalone", spec={"replicas": 1}, status=counts)


PORTS = [{"name": "grpc", "port": 19530, "targetPort": "milvus"}, {"name": "metrics", "port": 9091}]


def cluster(*revisions: Release, ports: Any = PORTS, available: int = 1) -> ReleaseCluster:
    found = ReleaseCluster(helm=FakeReleases(list(revisions)))
    found.kube.put(named("Service", "my-release-milvus", spec={"ports": ports}))
    found.kube.put(deployment(available))
    return found
