"""A cluster, its Helm releases and a DNS zone in memory: fields have owners, Helm can be cut anywhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from milvus_l7.domain.dns.records import ChangeSet
from milvus_l7.domain.kubernetes import kinds
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Permanent, Transient
from milvus_l7.domain.release import helm_values, restoration
from milvus_l7.domain.text.untrusted import mapping, text
from milvus_l7.ports import ObjectRef, ObjectWrite, Release, Rendering, ValuesChange
from milvus_l7.ports.release import BeforeWrite, proceed
from tests.fakes.dns_zones import FakeDnsZones
from tests.fakes.kube_objects import FakeKubeObjects
from tests.fakes.state import START

Json = dict[str, Any]
DEFAULTS = {
    "service": {"type": "ClusterIP", "portName": "milvus"},
    "extraConfigFiles": {"user.yaml": "# none\n"},
}
CHOSEN = {"service": {"type": "LoadBalancer"}, "extraConfigFiles": {"user.yaml": "log: {level: info}\n"}}
NAMESPACE = "default"
ZONE = "projects/milvus-testing-nonprod/managedZones/milvus"


@dataclass(frozen=True)
class Site:
    """One Milvus release in the namespace, and the names of its objects."""

    release: str
    layer_4: str  # where clients reach it before it is set up

    @property
    def service(self) -> str:
        return f"{self.release}-milvus"

    @property
    def labels(self) -> dict[str, str]:
        return {"app.kubernetes.io/instance": self.release, "app.kubernetes.io/name": "milvus"}

    def ref(self, kind: kinds.Kind, suffix: str = "") -> ObjectRef:
        return ObjectRef(*kind, NAMESPACE, self.service + suffix)

    def domain(self, letter: str) -> str:
        return f"{letter}.{self.release}.milvus.io"

    def owns(self, name: str) -> bool:
        """Whether an object, a release or a DNS record of that name is of this release."""
        is_record = name.endswith(f".{self.release}.milvus.io.")
        return name in (self.release, self.service) or name.startswith(f"{self.service}-") or is_record


SITES = (Site("my-release", "198.51.100.7"), Site("my-release-2", "198.51.100.8"))


def site_of(release: str) -> Site:
    """Return the release of that name."""
    return next(site for site in SITES if site.release == release)


@dataclass
class SimKube(FakeKubeObjects):
    """The API server. `on_write` is told of every write when it lands."""

    on_write: Callable[[str, str], None] = lambda what, name: None
    is_dirty: bool = True  # something was written since the controllers looked last

    def _store(self, ref: ObjectRef, manifest: Json) -> None:
        super()._store(ref, manifest)
        self.is_dirty = True

    def apply(self, manifest: Mapping[str, Any], *, dry_run: bool = False, **more: Any) -> Json:
        written = super().apply(manifest, dry_run=dry_run, **more)
        if not dry_run:
            self._landed("apply", manifest)
        return written

    def create(self, manifest: Mapping[str, Any], *, dry_run: bool = False) -> bool:
        is_new = super().create(manifest, dry_run=dry_run)
        if not dry_run:
            self._landed("create", manifest)
        return is_new

    def delete(self, live: Mapping[str, Any]) -> None:
        super().delete(live)
        self.is_dirty = True
        self._landed("delete", live)

    def _landed(self, verb: str, manifest: Mapping[str, Any]) -> None:
        name = manifest["metadata"]["name"]
        self.on_write(f"{verb} {manifest['kind']} {name}", name)


@dataclass
class SimZones(FakeDnsZones):
    """Cloud DNS. `on_write` is told of every change."""

    on_write: Callable[[str, str], None] = lambda what, name: None

    def suffix(self, zone: str) -> str:
        if zone != ZONE:
            raise Permanent(Reason.DNS_ZONE_REFUSED, f"no zone {zone}")
        return "milvus.io."

    def change(self, zone: str, change: ChangeSet) -> None:
        super().change(zone, change)
        for record in (*change.deletions, *change.additions):
            self.on_write(f"record {record.name}", record.name)


@dataclass
class SimHelm:
    """Helm's releases and what it writes onto live objects, in steps between which it may be killed."""

    kube: SimKube
    step: Callable[[str], None]
    restart: Callable[[Site], None]  # the Pods, because their configuration has changed
    begin: Callable[[], None]  # is told of every upgrade before it begins
    revisions: dict[str, list[Release]] = field(default_factory=dict)  # by release, oldest first

    def install(self, name: str) -> None:
        plain = Release(name, NAMESPACE, 1, "deployed", "milvus", CHOSEN, DEFAULTS, updated_at=START)
        self.revisions[name] = [plain]
        self._write(plain)

    def get(self, name: str, revision: int | None = None) -> Release | None:
        found = [r for r in self.revisions.get(name, ()) if revision in (None, r.revision)]
        if not found:
            return None
        base = next((r for r in reversed(found) if r.status == "deployed"), found[-1])
        later = [r for r in found if r.revision > base.revision]
        is_half_way = any(r.upgraded_from is not None for r in later)
        return replace(found[-1], values=base.values, is_half_way=is_half_way)

    def names(self) -> list[str]:
        return list(self.revisions)

    def elsewhere(self, name: str) -> str:
        return ""

    def render_upgrade(self, release: Release, change: ValuesChange) -> Rendering:
        after = replace(release, values=_changed(release, change))
        return Rendering(_rendered(self._deployed(release.name)), _rendered(after), self._writes(after))

    def _writes(self, after: Release) -> list[ObjectWrite]:
        pairs = zip(_rendered(self._deployed(after.name)), _rendered(after), strict=True)
        return [self._would_write(new) for old, new in pairs if old != new]

    def _would_write(self, manifest: Json) -> ObjectWrite:
        dry = self.kube.apply(manifest, dry_run=True, force=True, manager="helm")
        return ObjectWrite(self.kube.get(ObjectRef.of(manifest)), dry)

    def upgrade(self, release: Release, change: ValuesChange, before_write: BeforeWrite = proceed) -> Release:
        before_write()
        last = self.revisions[release.name][-1]
        if last.status.startswith("pending-"):
            raise Transient(Reason.RELEASE_BUSY, "another operation is in progress")
        if release.revision != last.revision:
            raise Transient(Reason.RELEASE_BUSY, "the release has just been changed")
        self.begin()
        base = self._deployed(release.name)
        pending = replace(
            release,
            revision=release.revision + 1,
            status="pending-upgrade",
            values=_changed(release, change),
            upgraded_from=base.revision,
        )
        return self._roll(pending)

    def recover(self, release: Release, before_write: BeforeWrite = proceed) -> Release | None:
        before_write()
        base = self._deployed(release.name)
        number = self.revisions[release.name][-1].revision + 1
        self._roll(replace(base, revision=number, status="pending-rollback", upgraded_from=None))

    def _roll(self, pending: Release) -> Release:
        name, known = pending.name, self.revisions[pending.name]
        self.kube.on_write(f"helm revision {pending.revision}", name)
        known.append(pending)
        self.step("helm: the revision is pending")
        self._write(pending)
        self.step("helm: the objects are written")
        if self.revisions[name][-1] is not pending:
            raise Transient(Reason.HELM_FAILED, "the release has been changed by another client")
        self.kube.on_write("helm deployed", name)
        before = [replace(r, status="superseded") if r.status == "deployed" else r for r in known[:-1]]
        self.revisions[name] = [*before, replace(pending, status="deployed")]
        return self.revisions[name][-1]

    def _deployed(self, name: str) -> Release:
        return next(r for r in reversed(self.revisions[name]) if r.status == "deployed")

    def _write(self, release: Release) -> None:
        site = site_of(release.name)
        before = self.kube.get(site.ref(kinds.CONFIG_MAP))
        for manifest in _rendered(release):
            self.kube.apply(manifest, force=True, manager="helm")
        after = self.kube.get(site.ref(kinds.CONFIG_MAP))
        if before and after and before["data"] != after["data"]:
            self.restart(site)


def _changed(release: Release, change: ValuesChange) -> Json:
    return restoration.without(helm_values.overlaid(release.values, change.values), change.removals)


def _rendered(release: Release) -> list[Json]:
    values = helm_values.merged(release.chart_values, release.values)
    site = site_of(release.name)
    labels = {**site.labels, "component": "standalone"}
    metadata = {"namespace": NAMESPACE, "name": site.service, "labels": labels}
    port = {"name": "milvus", "port": 19530, "targetPort": "milvus"}
    spec = {"type": mapping(values, "service").get("type"), "ports": [port]}
    spec["selector"] = {**site.labels, "component": "standalone"}
    data = {"user.yaml": text(mapping(values, "extraConfigFiles").get("user.yaml"))}
    config = {"namespace": NAMESPACE, "name": site.service}
    return [
        {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": config, "data": data},
    ]
