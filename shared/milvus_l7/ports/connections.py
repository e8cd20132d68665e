"""Ways into the clusters that requests name."""

from __future__ import annotations

from typing import Protocol

from milvus_l7.ports.kubernetes import KubeObjects
from milvus_l7.ports.release import Releases


class Connections(Protocol):
    """Ways into the clusters that requests name; connecting is lazy and kept for the next event."""

    def objects(self, cluster: str) -> KubeObjects:
        """Return the Kubernetes objects of the cluster `projects/P/locations/L/clusters/C`."""
        ...

    def releases(self, cluster: str, namespace: str) -> Releases:
        """Return the Helm releases in a namespace of that cluster."""
        ...
