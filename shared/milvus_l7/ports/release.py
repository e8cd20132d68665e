"""How Milvus is deployed: the deployment of one setup, and the Helm releases of a namespace."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from milvus_l7.domain.kubernetes.change import Plan
from milvus_l7.domain.kubernetes.manifests import Manifest
from milvus_l7.domain.setup.desired import Desired
from milvus_l7.domain.setup.facts import Check, ReleaseBefore, ServiceFacts
from milvus_l7.domain.setup.outcome import Failed, Waiting

BeforeWrite = Callable[[], None]  # called when all is proven; what it raises ends the call, unwritten


def proceed() -> None:
    """Let the write begin: nothing holds it back."""


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
    subcharts: tuple[str, ...] = ()
    is_half_way: bool = False  # an upgrade of ours after the deployed revision has not come to its end


@dataclass(frozen=True, slots=True)
class ValuesChange:
    """Helm values to merge over those of the release, and paths to take out of them afterwards."""

    values: Mapping[str, Any]
    description: str  # shown by `helm history`
    removals: tuple[tuple[str, ...], ...] = ()  # such as ("service", "type")
    changes: Plan = ()  # the same change, field by field, for people


@dataclass(frozen=True, slots=True)
class ObjectWrite:
    """One object of the cluster before and after an upgrade, found by a dry run; None: there is none."""

    live: Manifest | None
    after: Manifest | None
    hook: str = ""  # of a hook of the chart: when it runs, and what becomes of it


@dataclass(frozen=True, slots=True)
class Rendering:
    """What the chart renders, without hooks, before and after a change of values, and what is written."""

    before: Sequence[Manifest]
    after: Sequence[Manifest]
    writes: Sequence[ObjectWrite] = ()


class Releases(Protocol):
    """The Helm releases of one namespace of one cluster.

    Raises `Transient(CLUSTER_UNAVAILABLE)`, `Permanent(CLUSTER_ACCESS_DENIED)`, `Transient(HELM_FAILED)`, and
    `Unanswered` from a write that was cut off and may still have an effect.
    """

    def get(self, name: str, revision: int | None = None) -> Release | None:
        """Return the newest revision of the release, or the given one; None if there is none.

        Raises `Permanent(RELEASE_UNREADABLE)` if the cluster's record of the release is broken.
        """
        ...

    def names(self) -> Sequence[str]:
        """Return the names of all releases in the namespace, sorted."""
        ...

    def elsewhere(self, name: str) -> str:
        """Return where a release of that name is stored that `get` does not find, in words; "" if nowhere."""
        ...

    def upgrade(self, release: Release, change: ValuesChange, before_write: BeforeWrite = proceed) -> Release:
        """Upgrade with the release's stored chart and values, `change` merged over them and taken out.

        No chart repository is contacted. Raises `Permanent(UPGRADE_NOT_CONTAINED)`, before anything is
        written, if the upgrade would delete an object or alter one beyond the Service, the ConfigMap and
        the Pod templates' checksum, and `Permanent(CHART_TOO_EXPENSIVE)` if rendering the chart takes more
        time or memory than a chart may take.
        """
        ...

    def render_upgrade(self, release: Release, change: ValuesChange) -> Rendering:
        """Return what `upgrade` would render, by a server-side dry run.

        Refused as `upgrade` would be; writes nothing.
        """
        ...

    def recover(self, release: Release, before_write: BeforeWrite = proceed) -> Release | None:
        """Roll a release that was left pending, or half-way, back to its last deployed revision.

        Returns the release to go on with, or None when it was rolled back in earnest: that may have used up
        an execution's time, so that whatever follows needs another one.
        Raises `Permanent(RELEASE_NOT_DEPLOYED)` if there is none.
        """
        ...


@dataclass(frozen=True, slots=True)
class PlaintextEndpoint:
    """Where Milvus is meant to answer without TLS; `address` is None while the Service has none."""

    service: str
    address: str | None
    port: int


class ServiceAnnotations(Protocol):
    """What the frontend needs of the Service's annotations, wherever they are set."""

    def merged(self, existing: Mapping[str, str]) -> Mapping[str, str]:
        """Return what the annotations must be, merged into those there. Raises `Permanent`."""
        ...

    def restored(
        self, existing: Mapping[str, str], before: Mapping[str, str | None]
    ) -> Mapping[str, str | None]:
        """Return those annotations that change on the way back to `before`; None: removed."""
        ...


class Unannotated:
    """Implements `ServiceAnnotations` for whom they do not concern."""

    def merged(self, existing: Mapping[str, str]) -> Mapping[str, str]:
        """Return them as they are."""
        return existing

    def restored(
        self,
        existing: Mapping[str, str],  # noqa: ARG002  (nothing changes)
        before: Mapping[str, str | None],  # noqa: ARG002
    ) -> Mapping[str, str | None]:
        """Return that nothing changes."""
        return {}


Annotating = Callable[[ServiceFacts], ServiceAnnotations]


def unannotated(_service: ServiceFacts) -> ServiceAnnotations:
    """Return what asks for no annotations."""
    return Unannotated()


class MilvusDeployment(Protocol):
    """The Milvus of one setup as it is deployed, ready to be changed. Raises what the cluster raises."""

    def service(self) -> ServiceFacts:
        """Return the Service that clients talk to. Raises `Permanent(SERVICE_NOT_FOUND)` and the like."""
        ...

    def refuse_unsuitable(self) -> None:
        """Raise `Permanent` if what is deployed is no Milvus that can be changed."""
        ...

    def before(self, known: ReleaseBefore | None) -> ReleaseBefore | None:
        """Return what our first change replaces, or has replaced if its result was lost; None: nothing.

        `known` is what was recorded earlier; only what is live and not ours replaces a value of it.
        """
        ...

    def unrestored(self, before: ReleaseBefore | None) -> tuple[str, ...]:
        """Return which live or configured fields are not as they were before; empty: all are."""
        ...

    def secure(self, domain: str, before_write: BeforeWrite = proceed) -> None:
        """Let Milvus serve TLS behind a Service of type ClusterIP; writes only what differs.

        Annotations of the Service that the deployment's own configuration sets are changed there.
        `domain` is named in the deployment's history. Raises `Permanent` for all that the cluster, or what is
        live, would refuse, before anything is written; `before_write` is called if Milvus restarts.
        """
        ...

    def restore(self, before: ReleaseBefore | None, before_write: BeforeWrite = proceed) -> None:
        """Bring back what was there before (None: as far as the deployment itself tells); see `secure`."""
        ...

    def unfinished(self, now: datetime) -> Waiting | None:
        """Return what the roll-out of the present configuration waits for; None if it is complete."""
        ...

    def plaintext(self) -> PlaintextEndpoint | None:
        """Return where Milvus answers in plaintext at a load balancer of its own; None: it is not to."""
        ...


class Deployments(Protocol):
    """The deployments of setups."""

    def open(
        self, desired: Desired, now: datetime, annotating: Annotating = unannotated
    ) -> MilvusDeployment | Waiting | Failed:
        """Return the deployment, ready to be changed, or why it is not.

        `annotating` tells what the Service's annotations must be, and were before.
        An interrupted change is repaired, and nothing else done in the same execution: `Waiting`.
        """
        ...


class Rollouts(Protocol):
    """The roll-outs of setups' deployments, whoever began them. Writes nothing, and needs no right to."""

    def check(self, desired: Desired, service: ServiceFacts, now: datetime) -> Check:
        """Return the checklist's item: whether every Pod runs the present configuration, and if not, why.

        `service` is the Service that clients talk to. Raises what the cluster raises.
        """
        ...
