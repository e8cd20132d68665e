"""Prepare the release through its Helm values: a ClusterIP Service, Milvus serving TLS; then the roll-out.

    release --> recover if interrupted --> plan values --> upgrade if they differ --> rolled out?

Killed after the upgrade and before its result is committed, the next run finds nothing to upgrade, and takes
what was there before from the revision that Helm kept.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.domain import release_service, release_values, rollout
from shared.domain.outcome import Done, Failed, Outcome, Waiting
from shared.domain.reasons import Reason
from shared.domain.release_values import ReleaseValues, ValuesPlan
from shared.domain.setup import Desired, Facts, ReleaseBefore, ServiceFacts, Setup
from shared.domain.untrusted import mapping, text
from shared.ports import Connections, KubeObjects, Manifest, ObjectRef, Release, Releases, ValuesChange

# Helm has no lease on a release: a pending revision may belong to a client that is alive. Its hooks and waits
# time out after five minutes by default, so after twice that time it has been killed.
ABANDONED_AFTER = timedelta(minutes=10)
SETTLED = frozenset({"deployed", "failed"})


@dataclass(frozen=True, slots=True)
class PrepareTls:
    """The stage `prepare_tls`."""

    connections: Connections

    def __call__(self, setup: Setup, now: datetime) -> Outcome:
        """Upgrade the release if its values differ, then wait until the new configuration runs.

        A second run writes nothing. Facts: `service`, and `before` from the first upgrade on.
        """
        desired = setup.desired
        releases = self.connections.releases(desired.cluster, desired.namespace)
        release = _usable(releases, desired, now)
        if not isinstance(release, Release):
            return release
        plan = release_values.plan(_values(release))
        kube = self.connections.objects(desired.cluster)
        service = _service(kube, release)
        before = setup.facts.before or _before(releases, release, plan)
        if plan.changes:
            description = f"milvus-l7: TLS and ClusterIP for {desired.domain}"
            release = releases.upgrade(release, ValuesChange(plan.overlay, description))
        facts = replace(setup.facts, service=service, before=before)
        return _rolled_out(kube, release, facts)


def _usable(releases: Releases, desired: Desired, now: datetime) -> Release | Outcome:
    """The release, ready to be upgraded, or why it is not."""
    release = releases.get(desired.release)
    if release is not None and release.status.startswith("pending-"):
        age = now - release.updated_at
        # We hold the setup's lease, so an upgrade of ours that is still pending was killed.
        if release.upgraded_from is None and age < ABANDONED_AFTER:
            message = (
                f"revision {release.revision} is {release.status} since {release.updated_at:%H:%M:%S} UTC"
            )
            return Waiting(Reason.RELEASE_BUSY, message)
        releases.recover(release)
        release = releases.get(desired.release)
    if release is None:
        there = ", ".join(releases.names()) or "none"
        message = f"no release {desired.release} in namespace {desired.namespace}; there: {there}"
        return Failed(Reason.RELEASE_NOT_FOUND, message)
    if release.status not in SETTLED:
        message = f"revision {release.revision} of release {release.name} is {release.status}"
        return Failed(Reason.RELEASE_NOT_DEPLOYED, message)
    return release


def _values(release: Release) -> ReleaseValues:
    target = f"Release {release.namespace}/{release.name}"
    return ReleaseValues(target, release.revision, release.values, release.chart_values)


def _before(releases: Releases, release: Release, plan: ValuesPlan) -> ReleaseBefore | None:
    """What our first upgrade replaces, or has replaced if its result was lost; None if we change nothing."""
    if plan.changes:
        return plan.before
    if release.upgraded_from is None:
        return None
    earlier = releases.get(release.name, release.upgraded_from)
    return release_values.plan(_values(earlier)).before if earlier else None


def _service(kube: KubeObjects, release: Release) -> ServiceFacts:
    effective = _values(release).effective
    services = _objects(kube, release, "v1", "Service")
    fullname = release_values.fullname(release.name, release.chart_name, effective)
    return release_service.find(services, fullname, text(mapping(effective, "service").get("portName")))


def _rolled_out(kube: KubeObjects, release: Release, facts: Facts) -> Outcome:
    workloads = [
        *_objects(kube, release, "apps/v1", "Deployment"),
        *_objects(kube, release, "apps/v1", "StatefulSet"),
    ]
    waiting = rollout.judge(workloads, _objects(kube, release, "v1", "Pod"))
    return replace(waiting, facts=facts) if waiting else Done(facts)


def _objects(kube: KubeObjects, release: Release, api_version: str, kind: str) -> list[Manifest]:
    """The release's own objects of a kind; those of its subcharts carry another name label."""
    labels = {
        "app.kubernetes.io/instance": release.name,
        "app.kubernetes.io/name": release_values.name_label(release.chart_name, _values(release).effective),
    }
    return list(kube.list(ObjectRef(api_version, kind, release.namespace), labels))
