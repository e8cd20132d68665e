"""Helm releases in memory: revisions that build on the last deployed one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Permanent
from milvus_l7.domain.release import helm_values, restoration
from milvus_l7.domain.text.untrusted import mapping, text
from milvus_l7.ports import Manifest, ObjectRef, ObjectWrite, Release, Rendering, ValuesChange
from milvus_l7.ports.release import BeforeWrite, proceed
from tests.fakes.kube_objects import FakeKubeObjects, OneCluster
from tests.fakes.state import START


class Killed(BaseException):
    """The process ends here; nothing may catch it."""


@dataclass
class FakeReleases:
    """All revisions, oldest first. `kill_in` ends an upgrade half-way ("pending") or done ("deployed")."""

    revisions: list[Release] = field(default_factory=list)
    writes: int = 0
    kill_in: str = ""
    refusal: Exception | None = None
    kube: FakeKubeObjects | None = None  # what the objects of the releases are in

    def get(self, name: str, revision: int | None = None) -> Release | None:
        found = [r for r in self.revisions if r.name == name and revision in (None, r.revision)]
        if not found:
            return None
        base = next((r for r in reversed(found) if r.status == "deployed"), found[-1])
        later = [r for r in found if r.revision > base.revision]
        is_half_way = any(r.upgraded_from is not None for r in later)
        values = {"values": base.values, "chart_values": base.chart_values}
        return replace(found[-1], **values, is_half_way=is_half_way)

    def names(self) -> list[str]:
        return sorted({r.name for r in self.revisions})

    def upgrade(self, release: Release, change: ValuesChange, before_write: BeforeWrite = proceed) -> Release:
        if self.refusal:
            raise self.refusal
        before_write()
        values = _changed(release, change)
        base = self._deployed(release).revision
        self._append(replace(release, status="pending-upgrade", values=values, upgraded_from=base))
        self._die("pending")
        self._settle()
        self._die("deployed")
        return self.revisions[-1]

    def elsewhere(self, name: str) -> str:
        return ""

    def render_upgrade(self, release: Release, change: ValuesChange) -> Rendering:
        if self.refusal:
            raise self.refusal
        after = replace(release, values=_changed(release, change))
        before = _rendered(self._deployed(release))
        changed = [new for old, new in zip(before, _rendered(after), strict=True) if old != new]
        return Rendering(before, _rendered(after), [self._write(each) for each in changed])

    def _write(self, manifest: Manifest) -> ObjectWrite:
        live = self.kube.get(ObjectRef.of(manifest)) if self.kube else None
        return ObjectWrite(
            live,
            {
                **(live or {}),
                **manifest,
                "spec": {**(live or {}).get("spec", {}), **manifest.get("spec", {})},
                "metadata": (live or manifest)["metadata"],
            },
        )

    def recover(self, release: Release, before_write: BeforeWrite = proceed) -> Release | None:
        base = self._deployed(release)
        before_write()
        self._append(replace(base, upgraded_from=None))
        self._settle()
        return None

    def _deployed(self, release: Release) -> Release:
        deployed = [r for r in self.revisions if r.name == release.name and r.status == "deployed"]
        if not deployed:
            raise Permanent(Reason.RELEASE_NOT_DEPLOYED, f"{release.name} was never deployed")
        return deployed[-1]

    def _append(self, release: Release) -> None:
        self.writes += 1
        newest = max(r.revision for r in self.revisions if r.name == release.name)
        self.revisions.append(replace(release, revision=newest + 1, updated_at=START))

    def _settle(self) -> None:
        newest = self.revisions.pop()
        same = [r.name == newest.name and r.status == "deployed" for r in self.revisions]
        self.revisions = [
            replace(r, status="superseded") if old else r for r, old in zip(self.revisions, same, strict=True)
        ]
        self.revisions.append(replace(newest, status="deployed"))

    def _die(self, moment: str) -> None:
        if self.kill_in == moment:
            self.kill_in = ""
            raise Killed(moment)


def _changed(release: Release, change: ValuesChange) -> dict[str, Any]:
    values = helm_values.overlaid(release.values, change.values)
    return restoration.without(values, change.removals)


def _rendered(release: Release) -> list[Manifest]:
    values = helm_values.merged(release.chart_values, release.values)
    name = helm_values.fullname(release.name, release.chart_name, values)
    metadata = {"namespace": release.namespace, "name": name}
    annotations = mapping(values, "service").get("annotations")
    annotated = {**metadata, "annotations": annotations} if annotations else metadata
    spec = {"type": mapping(values, "service").get("type")}
    data = {"user.yaml": text(mapping(values, "extraConfigFiles").get("user.yaml"))}
    return [
        {"apiVersion": "v1", "kind": "Service", "metadata": annotated, "spec": spec},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data},
    ]


@dataclass
class ReleaseCluster(OneCluster):
    """`Connections` to one cluster with Helm releases, whatever its name."""

    helm: FakeReleases = field(default_factory=FakeReleases)

    def releases(self, cluster: str, namespace: str) -> FakeReleases:
        self.helm.kube = self.kube
        return self.helm
