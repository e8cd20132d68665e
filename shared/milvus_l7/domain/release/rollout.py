"""Is a release's new configuration running? Judged from workloads and Pods, as `kubectl rollout status`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from milvus_l7.domain.kubernetes.manifests import Manifest
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.setup.outcome import Waiting
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


def judge(workloads: Sequence[Manifest], pods: Callable[[], Sequence[Manifest]]) -> Waiting | None:
    """Return what the roll-out waits for, most telling first; None when it is complete.

    Every Deployment and StatefulSet runs its present template then; no workload at all is no evidence of
    that. `pods` is called only when something is behind.
    """
    if not workloads:
        return Waiting(Reason.ROLLOUT_IN_PROGRESS, "the release has no Deployment or StatefulSet (yet)")
    behind = [state for workload in workloads if (state := _state(workload))]
    if not behind:
        return None
    crash = next((crash for pod in pods() for crash in _crashes(pod)), None)
    if crash:
        return Waiting(Reason.PODS_CRASHING, crash)
    return Waiting(Reason.ROLLOUT_IN_PROGRESS, "; ".join(behind[:3]))


def _state(workload: Manifest) -> str | None:
    """Return what is missing in one workload, or None. Absent counts are 0: the API server omits zeros."""
    status = mapping(workload, "status")
    wanted = integer(mapping(workload, "spec").get("replicas"), 1)
    updated, total = integer(status.get("updatedReplicas")), integer(status.get("replicas"))
    available = integer(status.get("availableReplicas"))
    generation = integer(mapping(workload, "metadata").get("generation"))
    name = f"{text(workload.get('kind')) or 'Deployment'} {_name(workload)}"
    if generation > integer(status.get("observedGeneration")):
        return f"{name}: the change has not been taken up yet"
    if updated < wanted:
        return f"{name}: {updated} of {wanted} Pods updated{_stalled(status)}"
    if total > updated:
        return f"{name}: {total - updated} old Pods still running"
    if available < wanted:
        return f"{name}: {available} of {wanted} updated Pods available{_stalled(status)}"
    return None


def _stalled(status: Manifest) -> str:
    reasons = [text(c.get("reason")) for c in objects(status.get("conditions"))]
    stalled = next((r for r in reasons if r in {"ProgressDeadlineExceeded", "FailedCreate"}), None)
    return f" ({stalled})" if stalled else ""


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
