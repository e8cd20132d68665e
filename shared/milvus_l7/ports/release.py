"""How Milvus is deployed: the deployment of one setup, and the Helm releases of a namespace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from milvus_l7.domain.kubernetes.change import Plan
from milvus_l7.domain.kubernetes.manifests import Manifest


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

    def render_upgrade(self, release: Release, change: ValuesChange) -> Rendering:
        """What `upgrade` would render, by a server-side dry run. Refused as it would be; writes nothing."""
        ...

    def recover(self, release: Release) -> None:
        """Roll a release that was left in a pending state back to its last deployed revision.

        Raises `Permanent(RELEASE_NOT_DEPLOYED)` if there is none.
        """
        ...
