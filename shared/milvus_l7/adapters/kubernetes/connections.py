"""Ways into the clusters that requests name, kept for the next event of the same cluster."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from milvus_l7.adapters.kubernetes.credentials import TokenSource
from milvus_l7.ports import ClusterAccess, Clusters, Releases

if TYPE_CHECKING:
    from milvus_l7.adapters.kubernetes.objects import KubernetesObjects


@dataclass(frozen=True, slots=True)
class ClusterConnections:
    """Implements `Connections` over the GKE API, with the function's own identity as the user."""

    clusters: Clusters
    token: TokenSource
    _objects: dict[ClusterAccess, KubernetesObjects] = field(default_factory=dict)

    def objects(self, cluster: str) -> KubernetesObjects:
        """Return the Kubernetes objects of the cluster; raises as `Clusters.locate` does."""
        from milvus_l7.adapters.kubernetes.objects import KubernetesObjects

        access = self.clusters.locate(cluster)
        if access not in self._objects:
            self._objects[access] = KubernetesObjects(access, self.token)
        return self._objects[access]

    def releases(self, cluster: str, namespace: str) -> Releases:
        """Return the Helm releases in a namespace of the cluster; raises as `Clusters.locate` does."""
        from milvus_l7.adapters.release.helm import HelmReleases

        return HelmReleases(self.objects(cluster), namespace)
