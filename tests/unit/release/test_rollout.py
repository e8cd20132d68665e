"""When a roll-out is complete, and what is said while it is not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.release.rollout import judge
from milvus_l7.domain.setup.facts import Check, CheckState
from tests.fakes.state import START

Json = dict[str, Any]
NOW = START


def deployment(replicas: int = 2, generation: int = 4, **status: Any) -> Json:
    counts = dict.fromkeys(("replicas", "updatedReplicas", "availableReplicas"), replicas)
    return {
        "kind": "Deployment",
        "metadata": {"name": "m-proxy", "generation": generation},
        "spec": {"replicas": replicas},
        "status": {"observedGeneration": 4, **counts, **status},
    }


def pod(**container: Any) -> Json:
    return {
        "metadata": {"name": "m-proxy-1"},
        "status": {"containerStatuses": [{"name": "proxy", **container}]},
    }


def held_up(**condition: Any) -> Json:
    return {"metadata": {"name": "m-proxy-1"}, "status": {"conditions": [condition]}}


def judged(*workloads: Json, pods: Sequence[Json] = ()) -> Check:
    return judge(workloads, lambda: pods, NOW)


def told(check: Check) -> tuple[CheckState, Reason | None]:
    return check.state, check.reason


def test_complete_roll_out_has_passed_whatever_its_pods_say() -> None:
    crashed = pod(state={"waiting": {"reason": "CrashLoopBackOff"}})
    check = judged(deployment(), deployment(replicas=0), pods=[crashed])
    assert check == Check(
        "rollout", CheckState.PASSED, "every Pod runs the present configuration: 2 Deployments"
    )


@pytest.mark.parametrize(
    ("workload", "message"),
    [
        (deployment(generation=5), "Deployment m-proxy: the change has not been taken up yet"),
        (deployment(updatedReplicas=1), "Deployment m-proxy: 1 of 2 Pods updated"),
        (deployment(replicas=2, updatedReplicas=None), "Deployment m-proxy: 0 of 2 Pods updated"),
        (deployment(replicas=2) | {"spec": {"replicas": 3}}, "Deployment m-proxy: 2 of 3 Pods updated"),
        (deployment(availableReplicas=0), "Deployment m-proxy: 0 of 2 updated Pods available"),
        (deployment() | {"kind": "StatefulSet", "status": {}}, "StatefulSet m-proxy: the change has not"),
    ],
)
def test_roll_out_in_progress_is_pending_and_says_what_is_missing(workload: Json, message: str) -> None:
    check = judged(deployment(), workload)
    assert told(check) == (CheckState.PENDING, Reason.ROLLOUT_IN_PROGRESS)
    assert check.message.startswith(message)


def test_old_pods_still_running_are_counted() -> None:
    surplus = deployment()
    surplus["status"]["replicas"] = 3
    assert judged(surplus).message == "Deployment m-proxy: 1 old Pods still running"


def test_no_workload_is_no_evidence_of_completion() -> None:
    assert told(judged()) == (CheckState.FAILED, Reason.ROLLOUT_IN_PROGRESS)


@pytest.mark.parametrize("reason", ["ProgressDeadlineExceeded", "FailedCreate"])
def test_roll_out_that_kubernetes_calls_stalled_has_failed(reason: str) -> None:
    check = judged(deployment(updatedReplicas=1, conditions=[{"reason": reason}]))
    assert told(check) == (CheckState.FAILED, Reason.ROLLOUT_IN_PROGRESS)
    assert check.message == f"Deployment m-proxy: 1 of 2 Pods updated ({reason})"


@pytest.mark.parametrize(("minutes", "state"), [(9, CheckState.PENDING), (10, CheckState.FAILED)])
@pytest.mark.parametrize("kind", ["PodScheduled", "Ready"])
def test_pod_that_is_not_ready_for_ten_minutes_does_not_just_start(
    kind: str, minutes: int, state: CheckState
) -> None:
    since = f"{NOW - timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%SZ}"
    held = held_up(type=kind, status="False", lastTransitionTime=since)
    check = judged(deployment(availableReplicas=1), pods=[pod(state={"running": {}}), held])
    assert told(check) == (state, Reason.ROLLOUT_IN_PROGRESS)


def test_pod_that_cannot_be_scheduled_is_told_with_the_scheduler_s_words() -> None:
    held = held_up(type="PodScheduled", status="False", message="0/3 nodes: Insufficient cpu.")
    check = judged(deployment(availableReplicas=1), pods=[held])
    assert check.state is CheckState.PENDING
    assert check.message == (
        "Pod m-proxy-1 cannot be scheduled: 0/3 nodes: Insufficient cpu.; "
        "Deployment m-proxy: 1 of 2 updated Pods available"
    )


def test_crash_loop_names_pod_container_and_exit_code() -> None:
    crashing = pod(
        state={"waiting": {"reason": "CrashLoopBackOff"}},
        lastState={"terminated": {"exitCode": 134, "reason": "Error"}},
        restartCount=3,
    )
    check = judged(deployment(availableReplicas=1), pods=[pod(state={"running": {}}), crashing])
    assert told(check) == (CheckState.FAILED, Reason.PODS_CRASHING)
    assert check.message == (
        "Pod m-proxy-1, container proxy: CrashLoopBackOff; last ended with exit code 134 (Error), 3 restarts"
    )


@pytest.mark.parametrize(
    "state", [{"waiting": {"reason": "ImagePullBackOff"}}, {"terminated": {"exitCode": 1}}]
)
def test_container_that_cannot_run_counts_as_crashing(state: Json) -> None:
    check = judged(deployment(updatedReplicas=0), pods=[pod(state=state)])
    assert told(check) == (CheckState.FAILED, Reason.PODS_CRASHING)


@pytest.mark.parametrize(
    "state", [{"waiting": {"reason": "ContainerCreating"}}, {"running": {}}, {"terminated": {"exitCode": 0}}]
)
def test_container_that_starts_or_has_ended_well_is_no_crash(state: Json) -> None:
    check = judged(deployment(updatedReplicas=0), pods=[pod(state=state)])
    assert told(check) == (CheckState.PENDING, Reason.ROLLOUT_IN_PROGRESS)


@pytest.mark.parametrize(
    "leaving",
    [
        {"metadata": {"name": "old", "deletionTimestamp": "2026-01-01T00:00:00Z"}},
        {"status": {"phase": "Failed", "reason": "Evicted"}},
        {"status": {"phase": "Succeeded"}},
    ],
    ids=["being deleted", "evicted", "done"],
)
def test_pod_that_a_drained_node_or_a_roll_out_leaves_behind_is_no_crash(leaving: Json) -> None:
    killed = pod(state={"terminated": {"exitCode": 137}})
    gone = {**killed, **leaving, "status": {**killed["status"], **leaving.get("status", {})}}
    assert judged(deployment(updatedReplicas=1), pods=[gone]).state is CheckState.PENDING


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                ["spec", "status", "replicas", "state", "waiting", "conditions", "lastTransitionTime", "type"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)
OBJECTS = st.lists(st.dictionaries(st.sampled_from(["metadata", "spec", "status"]), JUNK), max_size=2)


@given(OBJECTS, OBJECTS)
def test_odd_objects_do_not_crash_the_judgement(workloads: list[Json], pods: list[Json]) -> None:
    judge(workloads, lambda: pods, NOW)
