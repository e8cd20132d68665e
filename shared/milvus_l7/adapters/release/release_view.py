"""What there is of a Helm release: is it usable, its own objects, its Service, its roll-out."""

from __future__ import annotations

from datetime import datetime, timedelta

from milvus_l7.adapters.release import workloads
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.release import helm_values, milvus_service
from milvus_l7.domain.release.annotation_values import Merge
from milvus_l7.domain.release.helm_values import ReleaseValues
from milvus_l7.domain.setup.desired import Desired
from milvus_l7.domain.setup.facts import CheckState, ReleaseBefore, ServiceFacts
from milvus_l7.domain.setup.outcome import Failed, Waiting
from milvus_l7.domain.text.untrusted import mapping, text
from milvus_l7.ports import KubeObjects, Manifest, ObjectRef, Release, Releases

# Helm has no lease on a release: a pending revision may belong to a client that is alive. Its hooks and waits
# time out after five minutes by default, so after twice that time it has been killed.
ABANDONED_AFTER = timedelta(minutes=10)
SETTLED = frozenset({"deployed", "failed"})


def usable(releases: Releases, desired: Desired, now: datetime) -> Release | Waiting | Failed:
    """Return the release, ready to be upgraded, or why it is not; rolls an interrupted upgrade back.

    We hold the setup's lease, so an upgrade of ours that is still pending, or failed, and every attempt to
    roll it back that did not succeed, is half-way: what it has changed is taken back before anything else.
    """
    release = releases.get(desired.release)
    is_pending = release is not None and release.status.startswith("pending-")
    if release is not None and (is_pending or release.is_half_way):
        age = now - release.updated_at
        if not release.is_half_way and age < ABANDONED_AFTER:
            message = (
                f"revision {release.revision} is {release.status} since {release.updated_at:%H:%M:%S} UTC"
            )
            return Waiting(Reason.RELEASE_BUSY, message)
        interrupted, release = release, releases.recover(release)
        if release is None:
            return _rolled_back(interrupted)
    if release is None:
        there = ", ".join(releases.names()) or "none"
        message = f"no release {desired.release} in namespace {desired.namespace}; there: {there}"
        if found := releases.elsewhere(desired.release):
            message += f"; {found}"
        return Failed(Reason.RELEASE_NOT_FOUND, message)
    if release.status not in SETTLED:
        message = f"revision {release.revision} of release {release.name} is {release.status}"
        return Failed(Reason.RELEASE_NOT_DEPLOYED, message)
    return release


def _rolled_back(release: Release) -> Waiting:
    """A roll-back has an execution, and so a lease, of its own."""
    message = f"revision {release.revision} was left {release.status} and has been rolled back"
    return Waiting(Reason.RELEASE_ROLLED_BACK, message)


def values(release: Release) -> ReleaseValues:
    """Return the release's values, the user's and the chart's."""
    target = f"Release {release.namespace}/{release.name}"
    return ReleaseValues(target, release.revision, release.values, release.chart_values)


def lost_before(releases: Releases, release: Release, merge: Merge) -> ReleaseBefore | None:
    """Return what our last upgrade has replaced, if its result was lost; None if it is not ours.

    `merge` tells what the Service's annotations must be.
    """
    if release.upgraded_from is None:
        return None
    earlier = releases.get(release.name, release.upgraded_from)
    return helm_values.plan(values(earlier), merge=merge).before if earlier else None


def service(kube: KubeObjects, release: Release) -> tuple[Manifest, ServiceFacts]:
    """Return the release's Service, and what the setup needs of it. Raises as `milvus_service.find`."""
    port_name = text(mapping(values(release).effective, "service").get("portName"))
    services = objects(kube, release, "v1", "Service")
    facts = milvus_service.find(services, fullname(release), port_name)
    return next(each for each in services if each["metadata"]["name"] == facts.name), facts


def fullname(release: Release) -> str:
    """Return the name of the release's Service and ConfigMap."""
    return helm_values.fullname(release.name, release.chart_name, values(release).effective)


def unfinished(kube: KubeObjects, release: Release, now: datetime) -> Waiting | None:
    """Return what the roll-out of the release's present configuration waits for; None if it is complete."""
    found = workloads.check(kube, release.namespace, _labels(release), now)
    if found.state is CheckState.PASSED:
        return None
    return Waiting(found.reason or Reason.ROLLOUT_IN_PROGRESS, found.message)


def objects(kube: KubeObjects, release: Release, api_version: str, kind: str) -> list[Manifest]:
    """Return the release's own objects of a kind; those of its subcharts carry another name label."""
    return list(kube.list(ObjectRef(api_version, kind, release.namespace), _labels(release)))


def _labels(release: Release) -> dict[str, str]:
    name = helm_values.name_label(release.chart_name, values(release).effective)
    return {workloads.INSTANCE: release.name, workloads.NAME: name}
