"""Run a stage's own code without writing: every write becomes a server-side dry run, and is recorded.

    stage --reads-->  what the cluster has, with what the dry run has "written" laid over it
          --writes--> dry run --> recorded as changes, and laid over

So a plan is what the stages would do, because it is the stages that do it. Reads are kept for the length of
one dry run, which is some seconds: a drift check of all stages asks for every object once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from milvus_l7.domain.dns import records
from milvus_l7.domain.dns.records import ChangeSet, RecordSet
from milvus_l7.domain.kubernetes import field_managers, manifests
from milvus_l7.domain.kubernetes.change import Change, Plan
from milvus_l7.domain.kubernetes.difference import deletion, difference
from milvus_l7.domain.release import helm_values, restoration
from milvus_l7.ports import (
    Connections,
    DnsZones,
    KubeObjects,
    Manifest,
    ObjectRef,
    ObjectWrite,
    Release,
    Releases,
    Rendering,
    ValuesChange,
)
from milvus_l7.ports.release import BeforeWrite, proceed


@dataclass(slots=True)
class Recorder:
    """What has been "written" since it was last taken."""

    changes: list[Change] = field(default_factory=list)
    writers: dict[tuple[str, str], str] = field(default_factory=dict)  # by target and field
    missing: set[str] = field(default_factory=set)  # targets that would be made

    def record(self, changes: Plan) -> None:
        """Note changes."""
        self.changes += changes

    def record_object(self, changes: Plan, live: Manifest | None) -> None:
        """Note changes of an object, and who wrote the live one's fields, if there is one."""
        self.record(changes)
        for change in changes:
            if live is None:
                self.missing.add(change.target)
            elif writer := field_managers.writer(live, change.field):
                self.writers[change.target, change.field] = str(writer)

    def take(self) -> Plan:
        """Return the changes noted so far, which are then forgotten."""
        taken, self.changes = tuple(self.changes), []
        return taken


@dataclass(frozen=True, slots=True)
class _Write:
    manifest: Manifest
    manager: str
    force: bool


@dataclass(slots=True)
class DryRunObjects:
    """Implements `KubeObjects` over those of a cluster, writing nothing."""

    real: KubeObjects
    recorder: Recorder
    _live: dict[ObjectRef, Manifest | None] = field(default_factory=dict)  # as the cluster has it
    _laid: dict[ObjectRef, Manifest | None] = field(default_factory=dict)  # as it would be; None: deleted
    _assumed: dict[ObjectRef, Manifest] = field(default_factory=dict)  # as Helm would leave it
    _lists: dict[tuple[ObjectRef, tuple[tuple[str, str], ...]], Sequence[ObjectRef]] = field(
        default_factory=dict
    )
    _last: tuple[_Write, Manifest] | None = None

    def get(self, ref: ObjectRef) -> Manifest | None:
        """Return the object as it would be."""
        return self._assumed.get(ref) or self._current(ref)

    def list(self, ref: ObjectRef, labels: Mapping[str, str]) -> Sequence[Manifest]:
        """Return all objects as they would be."""
        key = (ref, tuple(sorted(labels.items())))
        if key not in self._lists:
            found = self.real.list(ref, labels)
            self._lists[key] = [ObjectRef.of(each) for each in found]
            self._live.update({ObjectRef.of(each): each for each in found})
        present = [self.get(each) for each in self._lists[key]]
        made = [each for laid, each in self._laid.items() if self._is_made(laid, ref, labels)]
        return [each for each in (*present, *made) if each is not None]

    def events(self, ref: ObjectRef) -> Sequence[Manifest]:
        """Return the events about the object, oldest first."""
        return self.real.events(ref)

    def apply(
        self, manifest: Manifest, *, dry_run: bool = False, force: bool = False, manager: str = manifests.OURS
    ) -> Manifest:
        """Return the object as it would be; recorded unless the stage itself asks for a dry run."""
        ref = ObjectRef.of(manifest)
        # What it was read as may be laid over already, and nothing is written that a condition could save.
        write = _Write(manifests.unconditional(manifest), manager, force=force)
        before, after = self._current(ref), self._dry_run(write)
        if not dry_run:
            self.recorder.record_object(difference(before, after), self._live.get(ref))
            # A dry run shows one manager's write alone, so another manager's next one is seen beside it.
            (self._laid if manager == manifests.OURS else self._assumed)[ref] = after
        return after

    def create(self, manifest: Manifest, *, dry_run: bool = False) -> bool:
        """Return whether the object would be made; recorded unless the stage itself asks for a dry run."""
        ref = ObjectRef.of(manifest)
        if self.get(ref) is not None or not self.real.create(manifest, dry_run=True):
            return False
        if not dry_run:
            self.recorder.record_object(difference(None, manifest), None)
            self._laid[ref] = manifest
        return True

    def delete(self, live: Manifest) -> None:
        """Record that the object would be gone."""
        self.recorder.record((deletion(live),))
        self._laid[ObjectRef.of(live)] = None

    def assume(self, write: ObjectWrite) -> Plan:
        """Let an object read as it will after a Helm upgrade, and return how it changes.

        Dry runs of other writes still meet the present one.
        """
        if write.after is None:
            return ()
        ref = ObjectRef.of(write.after)
        self._live.setdefault(ref, write.live)
        self._assumed[ref] = write.after
        return difference(write.live, write.after)

    def unwritten(self) -> DryRunObjects:
        """Return the same with what was read, and without what was "written": the cluster as it is."""
        return replace(self, _laid={}, _assumed={}, _last=None)

    def _current(self, ref: ObjectRef) -> Manifest | None:
        return self._laid[ref] if ref in self._laid else self._read(ref)

    def _read(self, ref: ObjectRef) -> Manifest | None:
        if ref not in self._live:
            self._live[ref] = self.real.get(ref)
        return self._live[ref]

    def _dry_run(self, write: _Write) -> Manifest:
        """Return what the write would make of the object, asking the API server once.

        A stage asks twice for the same: to see whether it must write, and to write.
        """
        if self._last is None or self._last[0] != write:
            after = self.real.apply(write.manifest, dry_run=True, force=write.force, manager=write.manager)
            self._last = (write, after)
        return self._last[1]

    def _is_made(self, laid: ObjectRef, ref: ObjectRef, labels: Mapping[str, str]) -> bool:
        manifest = self._laid[laid]
        if manifest is None or self._live.get(laid) is not None or replace(laid, name="") != ref:
            return False
        return labels.items() <= (manifest["metadata"].get("labels") or {}).items()


@dataclass(frozen=True, slots=True)
class DryRunReleases:
    """Implements `Releases`: an upgrade is rendered, proven and recorded, not made."""

    real: Releases
    recorder: Recorder
    objects: DryRunObjects
    _recovered: set[str] = field(default_factory=set)

    def get(self, name: str, revision: int | None = None) -> Release | None:
        """Return the release as it would be."""
        found = self.real.get(name, revision)
        recovered = found is not None and revision is None and name in self._recovered
        return replace(found, status="deployed") if found and recovered else found

    def names(self) -> Sequence[str]:
        """Return the names of all releases, sorted."""
        return self.real.names()

    def elsewhere(self, name: str) -> str:
        """Return where another release of that name is stored, as the real one does."""
        return self.real.elsewhere(name)

    def render_upgrade(self, release: Release, change: ValuesChange) -> Rendering:
        """Return what the upgrade would render, as the real one does."""
        return self.real.render_upgrade(release, change)

    def upgrade(
        self,
        release: Release,
        change: ValuesChange,
        before_write: BeforeWrite = proceed,
    ) -> Release:
        """Record the values that would change, and what that changes in the rendered objects.

        What `before_write` raises, such as when the upgrade may begin, is raised after that.
        """
        rendering = self.real.render_upgrade(release, change)
        self.recorder.record(change.changes)
        writer = f"helm, revision {release.revision} ({release.updated_at:%Y-%m-%d %H:%M} UTC)"
        self.recorder.writers.update({(each.target, each.field): writer for each in change.changes})
        for write in rendering.writes:
            self.recorder.record(_hook(write) if write.hook else self.objects.assume(write))
        before_write()
        chosen = restoration.without(helm_values.overlaid(release.values, change.values), change.removals)
        return replace(release, revision=release.revision + 1, values=chosen)

    def recover(self, release: Release, before_write: BeforeWrite = proceed) -> Release | None:  # noqa: ARG002
        """Record that an interrupted upgrade would be rolled back."""
        target = f"Release {release.namespace}/{release.name}"
        self.recorder.record((Change(target, "status", release.status, "deployed"),))
        self._recovered.add(release.name)
        return self.get(release.name)


@dataclass(frozen=True, slots=True)
class DryRunZones:
    """Implements `DnsZones`: changes are recorded, not made."""

    real: DnsZones
    recorder: Recorder

    def suffix(self, zone: str) -> str:
        """Return the domain that the zone is for, as the real one does."""
        return self.real.suffix(zone)

    def records(self, zone: str, name: str) -> Sequence[RecordSet]:
        """Return the record sets of that name as they are: recorded changes are not in them."""
        return self.real.records(zone, name)

    def change(self, zone: str, change: ChangeSet) -> None:
        """Record the change, a record set a line."""
        self.recorder.record(records.changes(zone, change))


@dataclass(slots=True)
class DryRunConnections:
    """Implements `Connections`: every way in leads to a dry run with the same recorder."""

    real: Connections
    recorder: Recorder
    _objects: dict[str, DryRunObjects] = field(default_factory=dict)
    _releases: dict[tuple[str, str], DryRunReleases] = field(default_factory=dict)

    def objects(self, cluster: str) -> DryRunObjects:
        """Return the objects of the cluster, kept for all stages of the dry run."""
        if cluster not in self._objects:
            self._objects[cluster] = DryRunObjects(self.real.objects(cluster), self.recorder)
        return self._objects[cluster]

    def unwritten(self) -> DryRunConnections:
        """Return ways to the cluster as it is; what was read is not read again."""
        objects = {cluster: each.unwritten() for cluster, each in self._objects.items()}
        return replace(self, _objects=objects)

    def releases(self, cluster: str, namespace: str) -> Releases:
        """Return the releases of the namespace, kept for all stages of the dry run."""
        key = (cluster, namespace)
        if key not in self._releases:
            real = self.real.releases(cluster, namespace)
            self._releases[key] = DryRunReleases(real, self.recorder, self.objects(cluster))
        return self._releases[key]


def _hook(write: ObjectWrite) -> Plan:
    """Return what becomes of a hook's object, which Helm makes anew."""
    if write.after is None:
        return ()
    metadata = write.after["metadata"]
    target = f"{write.after['kind']} {metadata.get('namespace', '')}/{metadata['name']}"
    return (Change(target, "", "present" if write.live else None, write.hook),)
