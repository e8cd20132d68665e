"""Emulates the one call of the GKE API that clients of a cluster need: `ClusterManager.GetCluster`."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import grpc
from google.cloud.container_v1 import types

from localcloud.gates import Gates
from localcloud.grpc_server import GrpcServer, Refused, Rpc, invalid

_NAME_PARTS = ("projects", "locations", "clusters")


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """What the GKE API knows of one cluster: its endpoint (`HOST` or `HOST:PORT`) and its CA certificate."""

    endpoint: str
    ca_pem: str


class GkeApiEmulator(GrpcServer):
    """Answers `GetCluster` for `clusters`, keyed by full name (`projects/P/locations/L/clusters/C`).

    The mapping is read at every call, so clusters may be added and removed while it runs.
    """

    def __init__(self, clusters: Mapping[str, ClusterFacts], gates: Gates | None = None) -> None:
        self._clusters = clusters
        rpc = Rpc("GetCluster", types.GetClusterRequest, types.Cluster, self._get_cluster, _cluster_name)
        super().__init__({"google.container.v1.ClusterManager": [rpc]}, "container", gates)

    def _get_cluster(self, request: Any) -> Any:
        name = _cluster_name(request)
        segments = name.split("/")
        if len(segments) != 6 or tuple(segments[::2]) != _NAME_PARTS:
            raise invalid(f"Invalid resource name: {name}")
        facts = self._clusters.get(name)
        if facts is None:
            raise Refused(grpc.StatusCode.NOT_FOUND, f"Not found: {name}.")
        return types.Cluster.pb(_cluster(segments, facts))


def _cluster_name(request: Any) -> str:
    """Return the full name; clients of the older form send project, zone and cluster id apart."""
    return request.name or "/".join(
        ("projects", request.project_id, "locations", request.zone, "clusters", request.cluster_id)
    )


def _cluster(segments: list[str], facts: ClusterFacts) -> types.Cluster:
    return types.Cluster(
        name=segments[5],
        location=segments[3],
        status=types.Cluster.Status.RUNNING,
        endpoint=facts.endpoint,
        master_auth=types.MasterAuth(
            cluster_ca_certificate=base64.b64encode(facts.ca_pem.encode()).decode(),
        ),
    )
