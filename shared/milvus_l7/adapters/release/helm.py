"""The Helm releases of one namespace, through Helm 4's own Go SDK, in process (package `helm-python-sdk`).

An upgrade re-uses the chart that is stored in the cluster (see `stored_release`) and proves by a dry run that
nothing else would change. Helm is told the cluster explicitly; no kubeconfig of the machine is read.
"""

from __future__ import annotations

import ctypes
import json
import re
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn

from milvus_l7.adapters.kubernetes.objects import KubernetesObjects
from milvus_l7.adapters.release import stored_release
from milvus_l7.adapters.release.stored_release import StoredRelease
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Permanent, Transient
from milvus_l7.domain.release import containment, helm_values, restoration
from milvus_l7.domain.text.untrusted import mapping, text
from milvus_l7.ports import ClusterAccess, Manifest, ObjectRef, Release, Rendering, ValuesChange

if TYPE_CHECKING:
    import helm_python
    from helm_python import Chart, Config

# On the Secret of a revision: "<this revision>.<the revision it was built on>". Helm hands labels on to the
# next revision, whoever makes it, which is why the label says what it belongs to. Helm stores a description
# only with a finished revision, so it cannot mark an interrupted one.
UPGRADE_LABEL = "milvus-l7/upgrade"
DEPLOYED = "deployed"
HISTORY = 10  # revisions kept, as the helm command line does by default
# For the SDK's waiting on hooks; the function's own time-out is longer (infra/topology.yaml).
TIMEOUT_S = 200
# Requests in a row, and a second. Helm reads the API's description first, which client-go's default of five
# requests a second stretches to a second and more.
BURST = 100
MESSAGE_LENGTH = 300
# How Go's template engine begins (golang/go `text/template`, exec.go and parse.go); Helm adds no class to it.
_TEMPLATE_ERROR = re.compile(r'executing "|execution error at|parse error at|template:')
# How client-go words the status codes 401 and 403.
_DENIED = re.compile(r"is forbidden|Unauthorized|asked for the client to provide credentials")


@cache
def sdk() -> Any:
    """Return the package `helm_python`, loaded so that Helm writes as the field manager `helm`.

    Helm takes the program's name for its field manager (helm/helm `pkg/kube`, getManagedFieldsManager). A
    release that the helm command installed would conflict with any other name, and a later `helm upgrade`
    with ours. Go reads the name when the library is loaded and keeps pointing at it, so it is overwritten
    in place, before.
    """
    name = ctypes.c_void_p.in_dll(ctypes.CDLL(None), "program_invocation_name").value
    if name and len(ctypes.string_at(name)) >= len("helm"):
        ctypes.memmove(name, b"helm\0", len("helm") + 1)
    import helm_python

    return helm_python


@dataclass(frozen=True, slots=True)
class _Upgrade:
    """An upgrade of `release`, whose deployed revision is `base`."""

    release: Release
    base: StoredRelease
    change: ValuesChange

    @property
    def options(self) -> dict[str, Any]:
        """Return how Helm is asked, in the dry run and in earnest."""
        values = helm_values.overlaid(self.release.values, self.change.values)
        return {
            "values": restoration.without(values, self.change.removals),
            # The values are complete. Helm's own re-use would store the user's as the chart's defaults.
            "reset_values": True,
            "description": self.change.description,
            "labels": {UPGRADE_LABEL: f"{self.release.revision + 1}.{self.base.revision}"},
            "max_history": HISTORY,
            "timeout": TIMEOUT_S,
        }

    def verified_rendering(self, rendered: str) -> Rendering:
        """Return what is deployed and what would be.

        Raises `Permanent(UPGRADE_NOT_CONTAINED)` if they differ in more than what we are here for.
        """
        values = helm_values.merged(self.release.chart_values, self.release.values)
        fullname = helm_values.fullname(self.release.name, self.release.chart_name, values)
        try:
            before, after = stored_release.rendered(self.base.manifest), stored_release.rendered(rendered)
        except ValueError as error:
            raise self._refusal(str(error)) from None
        found = containment.unexpected_changes(before, after, fullname)
        if found:
            raise self._refusal(found)
        return Rendering(before, after)

    def _refusal(self, found: str) -> Permanent:
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

    def upgrade(self, release: Release, change: ValuesChange) -> Release:
        """Upgrade with the stored chart and return the new revision.

        Raises `Permanent(UPGRADE_NOT_CONTAINED)`, before anything is written, if it would change more. Two
        racing upgrades cannot both begin: Helm creates the Secret of the next revision first.
        """
        work = _Upgrade(release, self._deployed(release), change)
        with self._connected() as helm, _chart(work.base) as chart:
            self._rendered(helm, chart, work)
            with _translated(release.name):
                helm.upgrade(chart, release.name, **work.options)
        upgraded = self.get(release.name)
        if upgraded is None:
            raise Transient(Reason.HELM_FAILED, f"release {release.name} is gone after its upgrade")
        return upgraded

    def render_upgrade(self, release: Release, change: ValuesChange) -> Rendering:
        """Do the first half of `upgrade`, which writes nothing, and return what would be rendered."""
        work = _Upgrade(release, self._deployed(release), change)
        with self._connected() as helm, _chart(work.base) as chart:
            return self._rendered(helm, chart, work)

    def recover(self, release: Release) -> None:
        """Roll back to the last deployed revision. Helm re-applies what was rendered then.

        Safe to repeat: the rollback of a release that is as it was deployed changes no object.
        """
        base = self._deployed(release)
        with self._connected() as helm, _translated(release.name):
            helm.rollback(release.name, version=base.revision, timeout=TIMEOUT_S)

    def _rendered(self, helm: Config, chart: Chart, work: _Upgrade) -> Rendering:
        """Render the upgrade against the cluster and compare it with what is deployed.

        Raises `Transient(RELEASE_BUSY)` if the release has changed since it was read.
        """
        name = work.release.name
        with _translated(name):
            proof = helm.upgrade(chart, name, dry_run="server", **work.options)
        if proof.get("revision") != work.release.revision + 1:
            raise Transient(Reason.RELEASE_BUSY, f"release {name} has just been changed")
        return work.verified_rendering(text(proof.get("manifest")))

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

    @contextmanager
    def _connected(self) -> Iterator[Config]:
        config = sdk().Config(
            kubeconfig_content=_kubeconfig(self.access),
            kube_token=self.token(),
            namespace=self.namespace,
            storage_driver="secret",
            burst_limit=BURST,
            qps=BURST,
        )
        with config as helm:
            yield helm


def _kubeconfig(access: ClusterAccess) -> str:
    """Return where the cluster is. The token is not in it: Helm writes this to a temporary file."""
    cluster = {"server": access.server}
    if access.ca_pem:
        cluster["certificate-authority-data"] = b64encode(access.ca_pem.encode()).decode()
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": cluster}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": {}}],
        "current-context": "c",
    }
    return json.dumps(content)


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


@contextmanager
def _chart(base: StoredRelease) -> Iterator[Chart]:
    try:
        archive = stored_release.archive(base)
        chart = sdk().Chart.load_archive(archive)
    except (ValueError, sdk().HelmError) as error:
        message = f"the stored chart cannot be loaded: {_words(error)}"
        raise Permanent(Reason.UPGRADE_NOT_CONTAINED, message) from None
    with chart:
        yield chart


@contextmanager
def _translated(name: str) -> Iterator[None]:
    try:
        yield
    except sdk().HelmError as error:
        _raise(name, error)


def _raise(name: str, error: helm_python.HelmError) -> NoReturn:
    """Raise what Helm's error means.

    Errors are told apart by class where they have one, else by Kubernetes' and Helm's words.
    """
    helm, words = sdk(), _words(error)
    message = f"release {name}: {words}"
    stored_chart = (helm.HelmRenderError, helm.HelmValuesError, helm.HelmChartInvalidError)
    if isinstance(error, stored_chart) or _TEMPLATE_ERROR.search(words):
        raise Permanent(Reason.UPGRADE_NOT_CONTAINED, message) from None
    if _DENIED.search(words):
        raise Permanent(Reason.CLUSTER_ACCESS_DENIED, message) from None
    if isinstance(error, helm.HelmKubeError):
        raise Transient(Reason.CLUSTER_UNAVAILABLE, message) from None
    if "another operation" in words:
        raise Transient(Reason.RELEASE_BUSY, message) from None
    if "Apply failed with" in words and "conflict" in words:
        raise Permanent(Reason.FIELD_CONFLICT, message) from None
    raise Transient(Reason.HELM_FAILED, message) from None


def _words(error: Exception) -> str:
    return " ".join(str(error).split())[:MESSAGE_LENGTH] or type(error).__name__
