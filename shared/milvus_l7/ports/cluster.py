"""A GKE cluster: its objects and Helm releases; certificates, and DNS zones that we may write to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from milvus_l7.domain.certificates.key_pair import CertificateView, KeyPair
from milvus_l7.domain.dns.records import ChangeSet, RecordSet
from milvus_l7.domain.kubernetes.change import Plan
from milvus_l7.domain.kubernetes.manifests import OURS

Manifest = Mapping[str, Any]  # a Kubernetes object as JSON


@dataclass(frozen=True, slots=True)
class ClusterAccess:
    """Where a cluster's API server is. Tokens come from the function's own identity."""

    server: str  # https://...
    ca_pem: str | None  # None: signed by a public CA


class Clusters(Protocol):
    """The GKE API."""

    def locate(self, cluster: str) -> ClusterAccess:
        """Where the cluster `projects/P/locations/L/clusters/C` is.

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


class KubeObjects(Protocol):
    """The objects of one cluster.

    Raises `Transient(CLUSTER_UNAVAILABLE)` for 409 (other than field conflicts), 429, 5xx and time-outs;
    `Permanent(CLUSTER_ACCESS_DENIED)` for 401 and 403, `Permanent(REFUSED_BY_CLUSTER)` for 400, 404 of the
    kind or namespace, and 422; `Permanent(FIELD_CONFLICT)` for server-side apply conflicts.
    """

    def get(self, ref: ObjectRef) -> Manifest | None:
        """The object, or None if the API server says that it does not exist."""
        ...

    def list(self, ref: ObjectRef, labels: Mapping[str, str]) -> Sequence[Manifest]:
        """All objects of the kind in the namespace that carry the labels."""
        ...

    def events(self, ref: ObjectRef) -> Sequence[Manifest]:
        """The Kubernetes Events about the object, oldest first."""
        ...

    def apply(
        self, manifest: Manifest, *, dry_run: bool = False, force: bool = False, manager: str = OURS
    ) -> Manifest:
        """Server-side apply by the field manager; the object as it then is (or would be).

        `force` takes over fields that other managers own. Repeating an apply changes nothing.
        """
        ...

    def create(self, manifest: Manifest, *, dry_run: bool = False) -> bool:
        """Create the object; False if one of its name exists, which is left as it is."""
        ...

    def delete(self, live: Manifest) -> None:
        """Delete the object as it was read; nothing happens if it is gone.

        `Transient(CLUSTER_UNAVAILABLE)` if it was changed or replaced meanwhile: uid and resourceVersion are
        preconditions. Finalizers may keep the object for a while, marked as being deleted.
        """
        ...


@dataclass(frozen=True, slots=True)
class Release:
    """A Helm release as it is stored in the cluster: one revision, with the values that the next builds on.

    Helm builds an upgrade on the last deployed revision, so after a failed or interrupted upgrade the values
    are that revision's.
    """

    name: str
    namespace: str
    revision: int
    status: str  # deployed | failed | pending-upgrade | ...
    chart_name: str
    values: Mapping[str, Any]  # what users set; not the chart's defaults
    chart_values: Mapping[str, Any]  # the chart's defaults
    updated_at: datetime
    upgraded_from: int | None = None  # for a revision made by `upgrade`: the revision that it was built on


@dataclass(frozen=True, slots=True)
class ValuesChange:
    """Helm values to merge over those of the release, and paths to take out of them afterwards."""

    values: Mapping[str, Any]
    description: str  # shown by `helm history`
    removals: tuple[tuple[str, ...], ...] = ()  # such as ("service", "type")
    changes: Plan = ()  # the same change, field by field, for people


@dataclass(frozen=True, slots=True)
class Rendering:
    """What the chart renders, hooks left out, before and after a change of values."""

    before: Sequence[Manifest]
    after: Sequence[Manifest]


class Releases(Protocol):
    """The Helm releases of one namespace of one cluster.

    Raises `Transient(CLUSTER_UNAVAILABLE)`, `Permanent(CLUSTER_ACCESS_DENIED)`, `Transient(HELM_FAILED)`.
    """

    def get(self, name: str, revision: int | None = None) -> Release | None:
        """The newest revision of the release, or the given one; None if there is none.

        Raises `Permanent(RELEASE_UNREADABLE)` if the cluster's record of the release is broken.
        """
        ...

    def names(self) -> Sequence[str]:
        """The names of all releases in the namespace, sorted."""
        ...

    def upgrade(self, release: Release, change: ValuesChange) -> Release:
        """Upgrade with the release's stored chart and values, `change` merged over them and taken out.

        No chart repository is contacted. Raises `Permanent(UPGRADE_NOT_CONTAINED)`, before anything is
        written, if the upgrade would delete an object or alter one beyond the Service, the ConfigMap and
        the Pod templates' checksum.
        """
        ...

    def rehearse(self, release: Release, change: ValuesChange) -> Rendering:
        """What `upgrade` would render, by a server-side dry run. Refused as it would be; writes nothing."""
        ...

    def recover(self, release: Release) -> None:
        """Roll a release that was left in a pending state back to its last deployed revision.

        Raises `Permanent(RELEASE_NOT_DEPLOYED)` if there is none.
        """
        ...


class Connections(Protocol):
    """Ways into the clusters that requests name; connecting is lazy and kept for the next event."""

    def objects(self, cluster: str) -> KubeObjects:
        """The Kubernetes objects of the cluster `projects/P/locations/L/clusters/C`."""
        ...

    def releases(self, cluster: str, namespace: str) -> Releases:
        """The Helm releases in a namespace of that cluster."""
        ...


class Certificates(Protocol):
    """Keys and certificates."""

    def issue(self, domain: str, validity_days: int, now: datetime) -> KeyPair:
        """A new key and a self-signed server certificate for the domain. Every call makes another one."""
        ...

    def inspect(self, pair: KeyPair) -> CertificateView:
        """What the pair says of itself, not judged. Raises `Permanent(CERTIFICATE_INVALID)` for garbage."""
        ...


class DnsZones(Protocol):
    """DNS zones that we may write to, named `projects/P/managedZones/Z`.

    Raises `Permanent(DNS_ZONE_REFUSED)` if the zone does not exist or must not be read or written, and
    `Transient(DNS_ZONE_UNAVAILABLE)` for 429, 5xx, time-outs and records that changed after they were read.
    """

    def suffix(self, zone: str) -> str:
        """The domain that the zone is for, with a final dot."""
        ...

    def records(self, zone: str, name: str) -> Sequence[RecordSet]:
        """All record sets at exactly that name, which ends with a dot."""
        ...

    def change(self, zone: str, change: ChangeSet) -> None:
        """Make the change, all or nothing. Repeating one that was made raises `Transient`."""
        ...
