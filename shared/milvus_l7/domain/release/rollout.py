"""Is a release's new configuration running? Judged from workloads and Pods, as `kubectl rollout status`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from milvus_l7.domain.kubernetes import manifests
from milvus_l7.domain.kubernetes.manifests import Manifest
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.setup import checks
from milvus_l7.domain.setup.facts import Check
from milvus_l7.domain.text.excerpt import excerpt
from milvus_l7.domain.text.untrusted import integer, mapping, objects, text

# Why a container does not run although the kubelet has tried (kubernetes/kubernetes pkg/kubelet).
_BROKEN = frozenset(
    {
        "CrashLoopBackOff",
        "CreateContainerConfigError",
        "CreateContainerError",
        "ErrImageNeverPull",
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "RunContainerError",
    }
)
_ENDED = ("Failed", "Succeeded")  # phases of a Pod; one that was evicted has failed, and is replaced
_STALLED = frozenset({"ProgressDeadlineExceeded", "FailedCreate"})
# A Pod that is not ready for so long does not just start; as long as a Deployment's own deadline by default.
STALLED_AFTER = timedelta(minutes=10)


def judge(workloads: Sequence[Manifest], pods: Callable[[], Sequence[Manifest]], now: datetime) -> Check:
    """Return the checklist's item: whether every Deployment and StatefulSet runs its present template.

    It is pending while that may still come about by itself, and has failed when a Pod crashes or nothing has
    moved for ten minutes; the most telling cause is told. No workload at all is no evidence of a complete
    roll-out. `pods` is called only when something is behind.
    """
    if not workloads:
        message = "the release has no Deployment or StatefulSet"
        return checks.failed(checks.ROLLOUT, Reason.ROLLOUT_IN_PROGRESS, message)
    behind = [state for workload in workloads if (state := _state(workload))]
    if not behind:
        return checks.passed(
            checks.ROLLOUT, f"every Pod runs the present configuration: {_counted(workloads)}"
        )
    return _unfinished(behind, [pod for pod in pods() if _is_wanted(pod)], now)


def _unfinished(behind: Sequence[_Behind], pods: Sequence[Manifest], now: datetime) -> Check:
    crash = next((crash for pod in pods for crash in _crashes(pod)), None)
    if crash:
        return checks.failed(checks.ROLLOUT, Reason.PODS_CRASHING, crash)
    held = [hold for pod in pods if (hold := _hold(pod))]
    unscheduled = [hold.words for hold in held if hold.words]
    words = "; ".join([*unscheduled[:1], *(each.words for each in behind[:3])])
    has_stalled = any(each.is_stalled for each in behind) or any(hold.has_lasted(now) for hold in held)
    state = checks.failed if has_stalled else checks.pending
    return state(checks.ROLLOUT, Reason.ROLLOUT_IN_PROGRESS, words)


@dataclass(frozen=True, slots=True)
class _Behind:
    """What is missing in one workload."""

    words: str
    is_stalled: bool = False  # Kubernetes itself says that it does not get on


@dataclass(frozen=True, slots=True)
class _Hold:
    """Why a Pod is not ready, and since when."""

    words: str  # "" for a Pod that may just be starting
    since: datetime | None

    def has_lasted(self, now: datetime) -> bool:
        """Return whether it has lasted longer than starting takes."""
        return self.since is not None and now - self.since >= STALLED_AFTER


def _counted(workloads: Sequence[Manifest]) -> str:
    counts = Counter(text(workload.get("kind")) or "Deployment" for workload in workloads)
    return ", ".join(f"{count} {kind}{'' if count == 1 else 's'}" for kind, count in sorted(counts.items()))


def _is_wanted(pod: Manifest) -> bool:
    """Return whether the Pod is to run on: not if it is being deleted, was evicted or has done its work."""
    has_ended = mapping(pod, "status").get("phase") in _ENDED
    return not has_ended and not manifests.is_terminating(pod)


def _hold(pod: Manifest) -> _Hold | None:
    """Return what holds the Pod up: it cannot be scheduled, or is not ready; None if nothing does."""
    conditions = objects(mapping(pod, "status").get("conditions"))
    unmet = {text(c.get("type")): c for c in conditions if c.get("status") == "False"}
    if (unscheduled := unmet.get("PodScheduled")) is not None:
        message = excerpt(text(unscheduled.get("message")), 200)
        why = f": {message}" if message else ""
        return _Hold(
            f"Pod {_name(pod)} cannot be scheduled{why}",
            manifests.moment(unscheduled.get("lastTransitionTime")),
        )
    unready = unmet.get("Ready")
    return _Hold("", manifests.moment(unready.get("lastTransitionTime"))) if unready is not None else None


def _state(workload: Manifest) -> _Behind | None:
    """Return what is missing in one workload, or None. Absent counts are 0: the API server omits zeros."""
    status = mapping(workload, "status")
    wanted = integer(mapping(workload, "spec").get("replicas"), 1)
    updated, total = integer(status.get("updatedReplicas")), integer(status.get("replicas"))
    available = integer(status.get("availableReplicas"))
    generation = integer(mapping(workload, "metadata").get("generation"))
    name = f"{text(workload.get('kind')) or 'Deployment'} {_name(workload)}"
    if generation > integer(status.get("observedGeneration")):
        return _Behind(f"{name}: the change has not been taken up yet")
    if updated < wanted:
        return _stalled(f"{name}: {updated} of {wanted} Pods updated", status)
    if total > updated:
        return _stalled(f"{name}: {total - updated} old Pods still running", status)
    if available < wanted:
        return _stalled(f"{name}: {available} of {wanted} updated Pods available", status)
    return None


def _stalled(words: str, status: Manifest) -> _Behind:
    reasons = [text(c.get("reason")) for c in objects(status.get("conditions"))]
    stalled = next((r for r in reasons if r in _STALLED), None)
    return _Behind(f"{words} ({stalled})", is_stalled=True) if stalled else _Behind(words)


def _crashes(pod: Manifest) -> Iterator[str]:
    status = mapping(pod, "status")
    containers = [*objects(status.get("initContainerStatuses")), *objects(status.get("containerStatuses"))]
    for container in containers:
        waiting = text(mapping(container, "state", "waiting").get("reason"))
        ended = mapping(container, "state", "terminated") or mapping(container, "lastState", "terminated")
        code = integer(ended.get("exitCode"))
        if waiting in _BROKEN or (code and "terminated" in mapping(container, "state")):
            how = f"; last ended with exit code {code} ({text(ended.get('reason'))})" if ended else ""
            restarts = integer(container.get("restartCount"))
            state = waiting or "terminated"
            where = f"Pod {_name(pod)}, container {text(container.get('name'))}"
            yield f"{where}: {state}{how}, {restarts} restarts"


def _name(manifest: Manifest) -> str:
    return text(mapping(manifest, "metadata").get("name"))
