"""The Helm releases of one namespace, through Helm 4's own Go SDK, each action in a process of its own.

An upgrade re-uses the chart that is stored in the cluster (see `stored_release`) and proves by a dry run that
nothing else would change. The SDK takes no limits, so what runs it is killed at ours: a chart
is a program, of whoever wrote it.
"""

from __future__ import annotations

import json
import os
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from milvus_l7.adapters.kubernetes.objects import KubernetesObjects
from milvus_l7.adapters.release import child, limits, stored_release
from milvus_l7.adapters.release.child import CrashedError, KilledError
from milvus_l7.adapters.release.limits import Limits
from milvus_l7.adapters.release.stored_release import StoredRelease
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Conflict, L7Error, Permanent, Transient, Unanswered
from milvus_l7.domain.release import annotation_values, helm_values, restoration
from milvus_l7.domain.text.untrusted import mapping, text
from milvus_l7.ports import (
    Manifest,
    ObjectRef,
    ObjectWrite,
    Release,
    Rendering,
    ValuesChange,
)
from milvus_l7.ports.release import BeforeWrite, proceed

DEPLOYED = "deployed"
BROKEN_OFF = 10  # revisions that may have been half-written since the one that is deployed
RELEASE_NAMESPACE = "meta.helm.sh/release-namespace"  # on each object of a release

# A rendering that has used less has waited for the cluster, not calculated; the usual one takes below one.
EXPENSIVE_CPU_S = 2.0

_PROGRAM = ("-m", "milvus_l7.adapters.release.helm_process")
_ERRORS: Mapping[str, type[Transient | Permanent]] = {
    each.__name__: each for each in (Transient, Permanent, Unanswered, Conflict)
}


@dataclass(frozen=True, slots=True)
class _Upgrade:
    """An upgrade of `release`, whose deployed revision is `base`."""

    release: Release
    base: StoredRelease
    change: ValuesChange
    is_recovered: bool  # the release is taken for rolled back, which it is not yet

    @property
    def request(self) -> dict[str, Any]:
        """What Helm's process is told, for the rendering and for the upgrade."""
        return {"name": self.release.name, "archive": self._archive(), "options": self._options()}

    def _archive(self) -> str:
        try:
            return b64encode(stored_release.archive(self.base)).decode()
        except ValueError as error:
            message = f"the stored chart cannot be loaded: {error!s:.300}"
            raise Permanent(Reason.UPGRADE_NOT_CONTAINED, message) from None

    def _values(self) -> dict[str, Any]:
        """The user's values afterwards."""
        values = helm_values.overlaid(self.release.values, self.change.values)
        return restoration.without(values, self.change.removals)

    def _options(self) -> dict[str, Any]:
        return {
            "values": self._values(),
            # The values are complete. Helm's own re-use would store the user's as the chart's defaults.
            "reset_values": True,
            "description": self.change.description,
            "labels": {stored_release.UPGRADE_LABEL: f"{self.release.revision + 1}.{self.base.revision}"},
            "max_history": 0,  # without limit: users' revisions are not ours to delete
            "timeout": limits.HOOKS_S,
        }

    @property
    def comparison(self) -> dict[str, Any]:
        """What the rendering is compared with."""
        values = helm_values.merged(self.release.chart_values, self.release.values)
        fullname = helm_values.fullname(self.release.name, self.release.chart_name, values)
        wants_file = "extraConfigFiles" in self.change.values
        told = {"before": [self.base.manifest], "fullname": fullname, "wants_file": wants_file}
        told["remedy"] = self._remedy()
        after = helm_values.merged(self.release.chart_values, self._values())
        told["annotations"] = annotation_values.changed(values, after)
        return told | ({"hidden_above": self.base.revision} if self.is_recovered else {})

    @property
    def next_revision(self) -> int:
        """The revision that the upgrade makes."""
        return (self.base.revision if self.is_recovered else self.release.revision) + 1

    def _remedy(self) -> str:
        """Return what the user can do with the original chart instead."""
        paths = [f"{section}.{key}" for section, inner in self.change.values.items() for key in inner]
        paths += [".".join(path) for path in self.change.removals]
        return f"(values to set: {', '.join(paths)})"


@dataclass(frozen=True, slots=True)
class HelmReleases:
    """Implements `Releases`: reads by `kube`, and writes with Helm as whom it reads."""

    kube: KubernetesObjects
    namespace: str
    render_limits: Limits = limits.RENDER
    write_limits: Limits = limits.WRITE

    def get(self, name: str, revision: int | None = None) -> Release | None:
        """Return the newest revision of the release, or the given one; None if there is none."""
        secrets = self._secrets(name)
        if revision is not None:
            secrets = [s for s in secrets if stored_release.revision(s) == revision]
        if not secrets:
            return None
        newest = stored_release.decoded(secrets[-1])
        base = newest if revision is not None else _base(secrets) or newest
        later = [s for s in secrets if stored_release.revision(s) > base.revision]
        found = _release(name, self.namespace, newest, base)
        return replace(found, is_half_way=any(stored_release.upgraded_from(s) is not None for s in later))

    def names(self) -> Sequence[str]:
        """Return the names of all releases in the namespace, sorted."""
        labels = [mapping(s, "metadata", "labels") for s in self._stored({"owner": "helm"})]
        return sorted({text(found.get("name")) for found in labels})

    def elsewhere(self, name: str) -> str:
        """Return in words where a release of that name is stored that is not in Secrets of the namespace."""
        try:
            stored = self.kube.list(
                ObjectRef("v1", "ConfigMap", self.namespace), {"owner": "helm", "name": name}
            )
            services = self.kube.list(
                ObjectRef("v1", "Service", self.namespace), {"app.kubernetes.io/instance": name}
            )
        except (Transient, Permanent):
            return ""
        if stored:
            return f"a release {name} is stored in ConfigMaps (HELM_DRIVER=configmap), which is not supported"
        for each in services:
            found = text(mapping(each, "metadata", "annotations").get(RELEASE_NAMESPACE))
            if found and found != self.namespace:
                return f"its objects belong to a release {name} of namespace {found[:63]}"
        return ""

    def upgrade(self, release: Release, change: ValuesChange, before_write: BeforeWrite = proceed) -> Release:
        """Upgrade with the stored chart; refused before anything is written if it would change more.

        Raises `Permanent(UPGRADE_NOT_CONTAINED)`, before anything is written, if it would change more. Two
        racing upgrades cannot both begin: Helm creates the Secret of the next revision first.
        """
        work = self._work(release, change)
        proof = self._proven(work)
        before_write()
        self._write("upgrade", {**work.request, **work.comparison, "digest": proof["digest"]})
        upgraded = self.get(release.name)
        if upgraded is None:
            raise Transient(Reason.HELM_FAILED, f"release {release.name} is gone after its upgrade")
        return upgraded

    def render_upgrade(self, release: Release, change: ValuesChange) -> Rendering:
        """The first half of `upgrade`, which writes nothing."""
        proof = self._proven(self._work(release, change))
        writes = [ObjectWrite(*each) for each in proof["writes"]]
        return Rendering(proof["before"], proof["after"], writes)

    def recover(self, release: Release, before_write: BeforeWrite = proceed) -> Release | None:
        """Roll back to the last deployed revision. Helm re-applies what was rendered then.

        Safe to repeat: the rollback of a release that is as it was deployed changes no object.
        """
        secrets = self._secrets(release.name)
        base = _deployed(release, secrets).revision
        options = {"version": base, "timeout": limits.HOOKS_S}
        later = [each for each in secrets if stored_release.revision(each) > base][-BROKEN_OFF:]
        before = [stored_release.decoded(each).manifest for each in later]
        before_write()
        self._write("rollback", {"name": release.name, "options": options, "before": before})
        return None

    def _work(self, release: Release, change: ValuesChange) -> _Upgrade:
        secrets = self._secrets(release.name)
        base, newest = _deployed(release, secrets), stored_release.revision(secrets[-1])
        is_recovered = release.status == DEPLOYED and release.revision == newest != base.revision
        return _Upgrade(release, base, change, is_recovered)

    def _proven(self, work: _Upgrade) -> Mapping[str, Any]:
        """Rehearse the upgrade against the cluster, and compare it with what is deployed."""
        name = work.release.name
        try:
            proof = self._run("prove", {**work.request, **work.comparison}, self.render_limits)
        except KilledError as error:
            raise _unrendered(name, error) from None
        except CrashedError as error:
            raise Transient(Reason.HELM_FAILED, f"release {name}: Helm's process: {error}") from None
        if proof.get("revision") != work.next_revision:
            raise Transient(Reason.RELEASE_BUSY, f"release {name} has just been changed")
        return proof

    def _write(self, action: str, request: Mapping[str, Any]) -> None:
        try:
            self._run(action, request, self.write_limits)
        except (KilledError, CrashedError) as error:
            message = (
                f"release {request['name']}: its {action}: {error}; the cluster may still do a part of it"
            )
            raise Unanswered(Reason.HELM_FAILED, message) from None

    def _run(self, action: str, request: Mapping[str, Any], allowed: Limits) -> Mapping[str, Any]:
        """What Helm's process found out; raises what it says, `KilledError` or `CrashedError`."""
        whole = {
            **request,
            "action": action,
            "parent": os.getpid(),
            "server": self.kube.access.server,
            "ca_pem": self.kube.access.ca_pem,
            "token": self.kube.token(),
            "namespace": self.namespace,
        }
        return _result(child.run(_PROGRAM, json.dumps(whole).encode(), allowed))

    def _secrets(self, name: str) -> Sequence[Manifest]:
        """Return the Secrets of all revisions of a release, oldest first."""
        found = self._stored({"owner": "helm", "name": name})
        return sorted(found, key=stored_release.revision)

    def _stored(self, labels: dict[str, str]) -> Sequence[Manifest]:
        return self.kube.list(ObjectRef("v1", "Secret", self.namespace), labels)


def _deployed(release: Release, secrets: Sequence[Manifest]) -> StoredRelease:
    base = _base(secrets)
    if base is None:
        message = f"release {release.name} is {release.status} and has no deployed revision"
        raise Permanent(Reason.RELEASE_NOT_DEPLOYED, message)
    return base


def _base(secrets: Sequence[Manifest]) -> StoredRelease | None:
    """Return the last deployed revision: what Helm builds the next one on, and rolls back to.

    Killed at its end, an action of Helm's leaves none: the old one is superseded before the new is deployed.
    """
    deployed = [s for s in secrets if stored_release.status(s) == DEPLOYED]
    if not deployed:
        built_on = next(filter(None, map(stored_release.upgraded_from, reversed(secrets))), None)
        deployed = [s for s in secrets if stored_release.revision(s) == built_on]
    return stored_release.decoded(deployed[-1]) if deployed else None


def _release(name: str, namespace: str, newest: StoredRelease, base: StoredRelease) -> Release:
    return Release(
        name=name,
        namespace=namespace,
        revision=newest.revision,
        status=newest.status,
        chart_name=text(mapping(base.chart, "metadata").get("name")),
        subcharts=tuple(stored_release.dependencies(base)),
        values=mapping(base.content, "config"),
        chart_values=mapping(base.chart, "values"),
        updated_at=_moment(text(mapping(newest.content, "info").get("last_deployed"))),
        upgraded_from=newest.upgraded_from,
    )


def _moment(value: str) -> datetime:
    """Read a time as Go writes it; long ago if it is none, so that nobody waits for it."""
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        moment = datetime.fromtimestamp(0, UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _result(answer: bytes) -> Mapping[str, Any]:
    try:
        content = json.loads(answer)
    except (ValueError, RecursionError):
        raise CrashedError("its answer cannot be read") from None
    if "error" in content:
        raise _error(*content["error"])
    return mapping(content, "result")


def _error(kind: str, reason: str, message: str) -> L7Error:
    return _ERRORS[kind](Reason[reason], message)


def _unrendered(name: str, error: KilledError) -> L7Error:
    message = f"release {name}: rendering its chart was {error}"
    if error.cpu_s < EXPENSIVE_CPU_S and "MiB" not in str(error):
        return Transient(Reason.CLUSTER_UNAVAILABLE, f"{message}, most of which it waited for the cluster")
    return Permanent(Reason.CHART_TOO_EXPENSIVE, message)
