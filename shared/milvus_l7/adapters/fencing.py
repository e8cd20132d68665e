"""Ports over others whose every write passes the execution's fence first.

A write is given the time that the client waits for it, and the time within which a server that was not waited
for may still do it. A dry run, a rendering and a look are no writes. What a port may write is listed by
tests/adapters/test_fencing.py, which fails for a method that it does not know.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from milvus_l7.adapters.dns import cloud_dns
from milvus_l7.adapters.kubernetes import bounds
from milvus_l7.adapters.release import limits
from milvus_l7.adapters.verification import probe
from milvus_l7.domain.dns.records import ChangeSet, RecordSet
from milvus_l7.domain.kubernetes.manifests import OURS
from milvus_l7.domain.reasons.errors import Unanswered
from milvus_l7.ports import (
    Connections,
    DnsZones,
    Endpoint,
    EndpointProbe,
    Fence,
    KubeObjects,
    Manifest,
    ObjectRef,
    Release,
    Releases,
    Rendering,
    ServedCertificate,
    ValuesChange,
)
from milvus_l7.ports.release import BeforeWrite, proceed


@contextmanager
def _answered(fence: Fence, limit_s: float) -> Iterator[None]:
    """Tell the fence if a write within the block is not answered, but may still be made within the limit."""
    try:
        yield
    except Unanswered:
        fence.lose_answer(limit_s)
        raise


@dataclass(frozen=True, slots=True)
class FencedObjects:
    """Implements `KubeObjects`."""

    real: KubeObjects
    fence: Fence

    def get(self, ref: ObjectRef) -> Manifest | None:
        """As the real one."""
        return self.real.get(ref)

    def list(self, ref: ObjectRef, labels: Mapping[str, str]) -> Sequence[Manifest]:
        """As the real one."""
        return self.real.list(ref, labels)

    def events(self, ref: ObjectRef) -> Sequence[Manifest]:
        """As the real one."""
        return self.real.events(ref)

    def apply(
        self, manifest: Manifest, *, dry_run: bool = False, force: bool = False, manager: str = OURS
    ) -> Manifest:
        """As the real one, behind the fence unless it is a dry run."""
        with self._passed(dry_run):
            return self.real.apply(manifest, dry_run=dry_run, force=force, manager=manager)

    def create(self, manifest: Manifest, *, dry_run: bool = False) -> bool:
        """As the real one, behind the fence unless it is a dry run."""
        with self._passed(dry_run):
            return self.real.create(manifest, dry_run=dry_run)

    def delete(self, live: Manifest) -> None:
        """As the real one, behind the fence."""
        with self._passed():
            self.real.delete(live)

    @contextmanager
    def _passed(self, dry_run: bool = False) -> Iterator[None]:
        if not dry_run:
            self.fence.pass_write(bounds.WRITE_MAY_TAKE_S)
        with _answered(self.fence, bounds.SERVER_S):
            yield


@dataclass(frozen=True, slots=True)
class FencedReleases:
    """Implements `Releases`. The fence stands between the proof, which takes its time, and the write."""

    real: Releases
    fence: Fence

    def get(self, name: str, revision: int | None = None) -> Release | None:
        """As the real one."""
        return self.real.get(name, revision)

    def names(self) -> Sequence[str]:
        """As the real one."""
        return self.real.names()

    def elsewhere(self, name: str) -> str:
        """As the real one."""
        return self.real.elsewhere(name)

    def render_upgrade(self, release: Release, change: ValuesChange) -> Rendering:
        """As the real one."""
        return self.real.render_upgrade(release, change)

    def upgrade(self, release: Release, change: ValuesChange, before_write: BeforeWrite = proceed) -> Release:
        """As the real one, behind the fence."""
        with _answered(self.fence, limits.SERVER_S):
            return self.real.upgrade(release, change, self._fenced(before_write))

    def recover(self, release: Release, before_write: BeforeWrite = proceed) -> Release | None:
        """As the real one, behind the fence."""
        with _answered(self.fence, limits.SERVER_S):
            return self.real.recover(release, self._fenced(before_write))

    def _fenced(self, before_write: BeforeWrite) -> BeforeWrite:
        def begin() -> None:
            before_write()
            self.fence.pass_write(limits.WRITE_MAY_TAKE_S)

        return begin


@dataclass(frozen=True, slots=True)
class FencedZones:
    """Implements `DnsZones`."""

    real: DnsZones
    fence: Fence

    def suffix(self, zone: str) -> str:
        """As the real one."""
        return self.real.suffix(zone)

    def records(self, zone: str, name: str) -> Sequence[RecordSet]:
        """As the real one."""
        return self.real.records(zone, name)

    def change(self, zone: str, change: ChangeSet) -> None:
        """As the real one, behind the fence."""
        self.fence.pass_write(cloud_dns.WRITE_MAY_TAKE_S)
        with _answered(self.fence, cloud_dns.SERVER_S):
            self.real.change(zone, change)


@dataclass(frozen=True, slots=True)
class FencedProbe:
    """Implements `EndpointProbe`. A deep look creates a throw-away collection in Milvus."""

    real: EndpointProbe
    fence: Fence

    def served_certificate(self, endpoint: Endpoint) -> ServedCertificate:
        """As the real one."""
        return self.real.served_certificate(endpoint)

    def milvus_version(self, endpoint: Endpoint, *, deep: bool) -> str:
        """As the real one, behind the fence if it is deep."""
        if deep:
            self.fence.pass_write(probe.DEEP_MAY_TAKE_S)
        with _answered(self.fence, probe.SERVER_S):
            return self.real.milvus_version(endpoint, deep=deep)

    def plaintext_version(self, address: str, port: int) -> str:
        """As the real one."""
        return self.real.plaintext_version(address, port)


@dataclass(frozen=True, slots=True)
class FencedConnections:
    """Implements `Connections`: every way in leads through the fence."""

    real: Connections
    fence: Fence

    def objects(self, cluster: str) -> KubeObjects:
        """The objects of the cluster."""
        return FencedObjects(self.real.objects(cluster), self.fence)

    def releases(self, cluster: str, namespace: str) -> Releases:
        """The releases of the namespace."""
        return FencedReleases(self.real.releases(cluster, namespace), self.fence)
