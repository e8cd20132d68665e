"""What the use cases need from the world, named by need. Adapters implement these; tests have fakes.

Every port raises only the errors of `shared.domain.errors`: `Transient` for what is expected to go away,
`Permanent` for what somebody must change, `StateUnavailable` from the state store and the event bus.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from shared.domain.certificate import CertificateView, KeyPair
from shared.domain.dns_diagnosis import CaaRecords
from shared.domain.dns_records import ChangeSet, RecordSet
from shared.domain.event import Event
from shared.domain.rejection import Rejection
from shared.domain.setup import Setup, SetupId

Manifest = Mapping[str, Any]  # a Kubernetes object as JSON


class Clock(Protocol):
    """The time."""

    def now(self) -> datetime:
        """The present moment, with time zone UTC."""
        ...


# State and events ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Versioned:
    """A setup as it was read, with the store's version of it (opaque)."""

    setup: Setup
    version: object


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One outcome, kept for ever beside the setup. `entry_id` is unique within the setup."""

    entry_id: str
    at: datetime
    generation: int
    stage: str
    outcome: str  # created | changed | restarted | none, or the state that the stage reached
    reason: str | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Commit:
    """One atomic change: a setup document, the events that follow from it, and its history entry."""

    setup: Setup
    version: object | None  # version that was read; None: the setup must not exist yet
    events: tuple[Event, ...] = ()
    history: HistoryEntry | None = None


class Setups(Protocol):
    """The state store."""

    def load(self, setup_id: SetupId) -> Versioned | None:
        """The setup, or None if there is none."""
        ...

    def commit(self, commit: Commit) -> object:
        """Write everything or nothing, and return the new version.

        Raises `StateConflict` if the stored version is not `commit.version`.
        """
        ...

    def due(self, now: datetime, limit: int) -> Sequence[Versioned]:
        """At most `limit` setups whose `poll_at` has come, the longest due first.

        Documents that this release cannot read are passed over.
        """
        ...

    def postpone(self, due: Sequence[Versioned], poll_at: datetime) -> Sequence[Versioned]:
        """Set only `poll_at`, of those that are still the version that was read; those it was set of.

        Of several callers with the same version one succeeds. Not safe to repeat: the version has moved.
        """
        ...

    def unpublished(self, before: datetime, limit: int) -> Sequence[Event]:
        """At most `limit` events left in the outbox since before that moment, oldest first."""
        ...

    def mark_published(self, event_id: str) -> None:
        """Take the event out of the outbox. Safe to repeat."""
        ...


class Events(Protocol):
    """The event bus."""

    def publish(self, event: Event) -> None:
        """Publish and wait until the bus has taken it. Repeating publishes again, with the same event id."""
        ...

    def publish_all(self, events: Sequence[Event]) -> None:
        """Publish all, in few calls, and wait until the bus has taken them. Some may be out if it raises."""
        ...

    def reject(self, rejection: Rejection) -> None:
        """Announce that a message is not a valid request, and wait until the bus has taken it."""
        ...


# The cluster --------------------------------------------------------------------------------------


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

    def apply(self, manifest: Manifest, *, dry_run: bool = False, force: bool = False) -> Manifest:
        """Server-side apply with field manager `milvus-l7`; the object as it then is (or would be).

        `force` takes over fields that other managers own. Repeating an apply changes nothing.
        """
        ...

    def create(self, manifest: Manifest) -> bool:
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
    """Helm values to merge over those of the release."""

    values: Mapping[str, Any]
    description: str  # shown by `helm history`


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
        """Upgrade with the release's stored chart and values, `change` merged over them.

        No chart repository is contacted. Raises `Permanent(UPGRADE_NOT_CONTAINED)`, before anything is
        written, if the upgrade would delete an object or alter one beyond the Service, the ConfigMap and
        the Pod templates' checksum.
        """
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


# Verification -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to verify: `address` is dialled, `domain` is the server name."""

    address: str
    domain: str
    ca_pem: str | None = None  # trusted for this endpoint; None: the system's roots


@dataclass(frozen=True, slots=True)
class ServedCertificate:
    """The leaf certificate that a TLS handshake showed."""

    sha256: str
    names: tuple[str, ...]
    not_after: datetime
    distrust: str = ""  # why the system's roots do not vouch for it; "": they do, or `ca_pem` was given


class EndpointProbe(Protocol):
    """A client's look at the load balancer from outside."""

    def served_certificate(self, endpoint: Endpoint) -> ServedCertificate:
        """The certificate shown for the domain, trusted or not. Raises `Transient(TLS_NOT_SERVED)`."""
        ...

    def milvus_version(self, endpoint: Endpoint, *, deep: bool) -> str:
        """The server version, by pymilvus through the load balancer, trusting what `endpoint` says.

        `deep` also creates a throw-away collection, inserts, searches and drops it.
        Raises `Transient(MILVUS_UNREACHABLE)`.
        """
        ...


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a name resolves to. Both empty: it does not exist, or has no address."""

    ipv4: tuple[str, ...] = field(default=())
    ipv6: tuple[str, ...] = field(default=())


class Resolver(Protocol):
    """Public DNS."""

    def resolve(self, domain: str) -> Resolved:
        """The A and AAAA records that the domain ends at. Raises `Transient(DNS_LOOKUP_FAILED)`."""
        ...

    def caa(self, domain: str) -> CaaRecords:
        """The CAA records of the domain, or of its nearest parent that has any (RFC 8659, section 3).

        Raises `Transient(DNS_LOOKUP_FAILED)`.
        """
        ...
