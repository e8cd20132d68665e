"""When a roll-out is complete, and what is said while it is not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.release.rollout import judge

Json = dict[str, Any]


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


def test_complete_roll_out_is_no_reason_to_wait() -> None:
    assert judge([deployment(), deployment(replicas=0)], lambda: []) is None


@pytest.mark.parametrize(
    ("workload", "message"),
    [
        (deployment(generation=5), "Deployment m-proxy: the change has not been taken up yet"),
        (deployment(updatedReplicas=1), "Deployment m-proxy: 1 of 2 Pods updated"),
        (deployment(replicas=2, updatedReplicas=None), "Deployment m-proxy: 0 of 2 Pods updated"),
        (deployment(replicas=2) | {"spec": {"replicas": 3}}, "Deployment m-proxy: 2 of 3 Pods updated"),
        (deployment(availableReplicas=0), "Deployment m-proxy: 0 of 2 updated Pods available"),
        (
            deployment(updatedReplicas=1, conditions=[{"reason": "ProgressDeadlineExceeded"}]),
            "Deployment m-proxy: 1 of 2 Pods updated (ProgressDeadlineExceeded)",
        ),
        (deployment() | {"kind": "StatefulSet", "status": {}}, "StatefulSet m-proxy: the change has not"),
    ],
)
def test_incomplete_roll_out_says_what_is_missing(workload: Json, message: str) -> None:
    waiting = judge([deployment(), workload], lambda: [])
    assert waiting is not None
    assert waiting.reason is Reason.ROLLOUT_IN_PROGRESS
    assert waiting.message.startswith(message)


def test_old_pods_still_running_are_counted() -> None:
    surplus = deployment()
    surplus["status"]["replicas"] = 3
    waiting = judge([surplus], lambda: [])
    assert waiting is not None
    assert waiting.message == "Deployment m-proxy: 1 old Pods still running"


def test_no_workload_is_no_evidence_of_completion() -> None:
    waiting = judge([], lambda: [])
    assert waiting is not None
    assert waiting.reason is Reason.ROLLOUT_IN_PROGRESS


def test_crash_loop_names_pod_container_and_exit_code() -> None:
    crashing = pod(
        state={"waiting": {"reason": "CrashLoopBackOff"}},
        lastState={"terminated": {"exitCode": 134, "reason": "Error"}},
        restartCount=3,
    )
    waiting = judge([deployment(availableReplicas=1)], lambda: [pod(state={"running": {}}), crashing])
    assert waiting is not None
    assert waiting.reason is Reason.PODS_CRASHING
    assert waiting.message == (
        "Pod m-proxy-1, container proxy: CrashLoopBackOff; last ended with exit code 134 (Error), 3 restarts"
    )


@pytest.mark.parametrize(
    "state", [{"waiting": {"reason": "ImagePullBackOff"}}, {"terminated": {"exitCode": 1}}]
)
def test_container_that_cannot_run_counts_as_crashing(state: Json) -> None:
    waiting = judge([deployment(updatedReplicas=0)], lambda: [pod(state=state)])
    assert waiting is not None
    assert waiting.reason is Reason.PODS_CRASHING


@pytest.mark.parametrize(
    "state", [{"waiting": {"reason": "ContainerCreating"}}, {"running": {}}, {"terminated": {"exitCode": 0}}]
)
def test_container_that_starts_or_has_ended_well_is_no_crash(state: Json) -> None:
    waiting = judge([deployment(updatedReplicas=0)], lambda: [pod(state=state)])
    assert waiting is not None
    assert waiting.reason is Reason.ROLLOUT_IN_PROGRESS


def test_crash_after_a_complete_roll_out_does_not_undo_it() -> None:
    assert judge([deployment()], lambda: [pod(state={"waiting": {"reason": "CrashLoopBackOff"}})]) is None


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["spec", "status", "replicas", "state", "waiting"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)
OBJECTS = st.lists(st.dictionaries(st.sampled_from(["metadata", "spec", "status"]), JUNK), max_size=2)


@given(OBJECTS, OBJECTS)
def test_odd_objects_do_not_crash_the_judgement(workloads: list[Json], pods: list[Json]) -> None:
    judge(workloads, lambda: pods)
