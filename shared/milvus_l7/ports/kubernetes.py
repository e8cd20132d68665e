"""GKE clusters, and the Kubernetes objects in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from milvus_l7.domain.kubernetes.manifests import OURS, Manifest


@dataclass(frozen=True, slots=True)
class ClusterAccess:
    """Where a cluster's API server is. Tokens come from the function's own identity."""

    server: str  # https://...
    ca_pem: str | None  # None: signed by a public CA


class Clusters(Protocol):
    """The GKE API."""

    def locate(self, cluster: str) -> ClusterAccess:
        """Return where the cluster `projects/P/locations/L/clusters/C` is.

        Raises `Permanent(CLUSTER_NOT_FOUND | CLUSTER_ACCESS_DENIED)`, `Transient(CLUSTER_UNAVAILABLE)`.
        """
        ...


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """Names one Kubernetes object, or with an empty name all of a kind in a namespace."""

    api_version: str
    kind: str
    namespace: str
    name: str = ""

    @classmethod
    def of(cls, manifest: Manifest) -> ObjectRef:
        """Return what names the object, which says its namespace."""
        metadata = manifest["metadata"]
        return cls(manifest["apiVersion"], manifest["kind"], metadata["namespace"], metadata["name"])


class KubeObjects(Protocol):
    """The objects of one cluster.

    Raises `Transient(CLUSTER_UNAVAILABLE)` for 429, 5xx and time-outs, of a write `Unanswered` if it may
    still be made; `Conflict(CLUSTER_UNAVAILABLE)` for 409 other than field conflicts;
    `Permanent(CLUSTER_ACCESS_DENIED)` for 401 and 403, `Permanent(REFUSED_BY_CLUSTER)` for 400, 404 of the
    kind or namespace, and 422; `Permanent(FIELD_CONFLICT)` for server-side apply conflicts;
    `Permanent(ANSWER_TOO_LARGE)`.
    """

    def get(self, ref: ObjectRef) -> Manifest | None:
        """Return the object, or None if the API server says that it does not exist."""
        ...

    def list(self, ref: ObjectRef, labels: Mapping[str, str]) -> Sequence[Manifest]:
        """Return all objects of the kind in the namespace that carry the labels."""
        ...

    def events(self, ref: ObjectRef) -> Sequence[Manifest]:
        """Return the Kubernetes Events about the object, oldest first."""
        ...

    def apply(
        self, manifest: Manifest, *, dry_run: bool = False, force: bool = False, manager: str = OURS
    ) -> Manifest:
        """Apply server-side as the field manager; return the object as it then is (or would be).

        `force` takes over fields that other managers own. Repeating an apply changes nothing. A `uid` and a
        `resourceVersion` in the manifest are preconditions: `Conflict` if the object is another one.
        """
        ...

    def create(self, manifest: Manifest, *, dry_run: bool = False) -> bool:
        """Create the object; return False if one of its name exists, which is left as it is."""
        ...

    def delete(self, live: Manifest) -> None:
        """Delete the object as it was read; nothing happens if it is gone.

        Raises `Conflict(CLUSTER_UNAVAILABLE)` if it was changed or replaced since: uid and resourceVersion
        are preconditions. Finalizers may keep the object for a while, marked as being deleted.
        """
        ...
