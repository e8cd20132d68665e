"""The Helm releases of one namespace, through Helm 4's own Go SDK, each action in a process of its own.

An upgrade re-uses the chart that is stored in the cluster (see `stored_release`) and proves by a dry run that
nothing else would change. The SDK takes no limits, so what runs it is killed at ours: a chart
is a program, of whoever wrote it.
"""

from __future__ import annotations

import json
import os
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from milvus_l7.adapters.kubernetes.objects import KubernetesObjects
from milvus_l7.adapters.release import child, limits, stored_release
from milvus_l7.adapters.release.child import CrashedError, KilledError
from milvus_l7.adapters.release.limits import Limits
from milvus_l7.adapters.release.stored_release import StoredRelease
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import L7Error, Permanent, Transient, Unanswered
from milvus_l7.domain.release import helm_values, restoration
from milvus_l7.domain.text.untrusted import mapping, text
from milvus_l7.ports import ClusterAccess, Manifest, ObjectRef, Release, Rendering, ValuesChange
from milvus_l7.ports.release import BeforeWrite, proceed

# On the Secret of a revision: "<this revision>.<the revision it was built on>". Helm hands labels on to the
# next revision, whoever makes it, which is why the label says what it belongs to. Helm stores a description
# only with a finished revision, so it cannot mark an interrupted one.
UPGRADE_LABEL = "milvus-l7/upgrade"
DEPLOYED = "deployed"
HISTORY = 10  # revisions kept, as the helm command line does by default

# A rendering that has used less has waited for the cluster, not calculated; the usual one takes below one.
EXPENSIVE_CPU_S = 2.0

_PROGRAM = ("-m", "milvus_l7.adapters.release.helm_process")
_ERRORS: Mapping[str, type[Transient | Permanent]] = {
    each.__name__: each for each in (Transient, Permanent, Unanswered)
}


@dataclass(frozen=True, slots=True)
class _Upgrade:
    """An upgrade of `release`, whose deployed revision is `base`."""

    release: Release
    base: StoredRelease
    change: ValuesChange

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

    def _options(self) -> dict[str, Any]:
        values = helm_values.overlaid(self.release.values, self.change.values)
        return {
            "values": restoration.without(values, self.change.removals),
            # The values are complete. Helm's own re-use would store the user's as the chart's defaults.
            "reset_values": True,
            "description": self.change.description,
            "labels": {UPGRADE_LABEL: f"{self.release.revision + 1}.{self.base.revision}"},
            "max_history": HISTORY,
            "timeout": limits.HOOKS_S,
        }

    @property
    def comparison(self) -> dict[str, Any]:
        """What the rendering is compared with."""
        values = helm_values.merged(self.release.chart_values, self.release.values)
        fullname = helm_values.fullname(self.release.name, self.release.chart_name, values)
        return {"before": self.base.manifest, "fullname": fullname}

    def refusal(self, found: str) -> Permanent:
        """Return why the upgrade is refused, and what the user can do with the original chart instead."""
        paths = [f"{section}.{key}" for section, inner in self.change.values.items() for key in inner]
        paths += [".".join(path) for path in self.change.removals]
        message = f"{found} (values to set: {', '.join(paths)})"
        return Permanent(Reason.UPGRADE_NOT_CONTAINED, message)


@dataclass(frozen=True, slots=True)
class HelmReleases:
    """Implements `Releases`. Every call connects anew, so that `token` is fresh."""

    access: ClusterAccess
    token: Callable[[], str]
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
        return _release(name, self.namespace, newest, base)

    def names(self) -> Sequence[str]:
        """Return the names of all releases in the namespace, sorted."""
        labels = [mapping(s, "metadata", "labels") for s in self._stored({"owner": "helm"})]
        return sorted({text(found.get("name")) for found in labels})

    def upgrade(self, release: Release, change: ValuesChange, before_write: BeforeWrite = proceed) -> Release:
        """Upgrade with the stored chart; refused before anything is written if it would change more.

        Raises `Permanent(UPGRADE_NOT_CONTAINED)`, before anything is written, if it would change more. Two
        racing upgrades cannot both begin: Helm creates the Secret of the next revision first.
        """
        work = _Upgrade(release, self._deployed(release), change)
        self._rendered(work)
        before_write()
        self._write("upgrade", work.request)
        upgraded = self.get(release.name)
        if upgraded is None:
            raise Transient(Reason.HELM_FAILED, f"release {release.name} is gone after its upgrade")
        return upgraded

    def render_upgrade(self, release: Release, change: ValuesChange) -> Rendering:
        """The first half of `upgrade`, which writes nothing."""
        return self._rendered(_Upgrade(release, self._deployed(release), change))

    def recover(self, release: Release, before_write: BeforeWrite = proceed) -> Release | None:
        """Roll back to the last deployed revision. Helm re-applies what was rendered then.

        Safe to repeat: the rollback of a release that is as it was deployed changes no object.
        """
        options = {"version": self._deployed(release).revision, "timeout": limits.HOOKS_S}
        before_write()
        self._write("rollback", {"name": release.name, "options": options})
        return None

    def _rendered(self, work: _Upgrade) -> Rendering:
        """Render the upgrade against the cluster and compare it with what is deployed."""
        name = work.release.name
        try:
            proof = self._run("render", {**work.request, **work.comparison}, self.render_limits)
        except KilledError as error:
            raise _unrendered(name, error) from None
        except CrashedError as error:
            raise Transient(Reason.HELM_FAILED, f"release {name}: Helm's process: {error}") from None
        if proof.get("revision") != work.release.revision + 1:
            raise Transient(Reason.RELEASE_BUSY, f"release {name} has just been changed")
        if found := text(proof.get("found")):
            raise work.refusal(found)
        return Rendering(proof["before"], proof["after"])

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
            "server": self.access.server,
            "ca_pem": self.access.ca_pem,
            "token": self.token(),
            "namespace": self.namespace,
        }
        return _result(child.run(_PROGRAM, json.dumps(whole).encode(), allowed))

    def _deployed(self, release: Release) -> StoredRelease:
        base = _base(self._secrets(release.name))
        if base is None:
            message = f"release {release.name} is {release.status} and has no deployed revision"
            raise Permanent(Reason.RELEASE_NOT_DEPLOYED, message)
        return base

    def _secrets(self, name: str) -> Sequence[Manifest]:
        """Return the Secrets of all revisions of a release, oldest first."""
        found = self._stored({"owner": "helm", "name": name})
        return sorted(found, key=stored_release.revision)

    def _stored(self, labels: dict[str, str]) -> Sequence[Manifest]:
        kube = KubernetesObjects(self.access, self.token)
        return kube.list(ObjectRef("v1", "Secret", self.namespace), labels)


def _base(secrets: Sequence[Manifest]) -> StoredRelease | None:
    """Return the last deployed revision: what Helm builds the next one on, and rolls back to."""
    deployed = [s for s in secrets if stored_release.status(s) == DEPLOYED]
    return stored_release.decoded(deployed[-1]) if deployed else None


def _release(name: str, namespace: str, newest: StoredRelease, base: StoredRelease) -> Release:
    own, _, built_on = newest.labels.get(UPGRADE_LABEL, "").partition(".")
    ours = own == str(newest.revision) and built_on.isdecimal()
    return Release(
        name=name,
        namespace=namespace,
        revision=newest.revision,
        status=newest.status,
        chart_name=text(mapping(base.chart, "metadata").get("name")),
        values=mapping(base.content, "config"),
        chart_values=mapping(base.chart, "values"),
        updated_at=_moment(text(mapping(newest.content, "info").get("last_deployed"))),
        upgraded_from=int(built_on) if ours else None,
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
