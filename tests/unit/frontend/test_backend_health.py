from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milvus_l7.domain.frontend import backend_health, service_annotations
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.setup.facts import CheckState, ServiceFacts

PORT = ServiceFacts("my-release-milvus", "milvus", 19530)
NEG = "k8s1-0123abcd-default-my-release-milvus-19530-89abcdef"


def annotated(**annotations: object) -> dict[str, Any]:
    """A manifest with annotations; those that are not text are written as JSON."""
    texts = {
        key: value if isinstance(value, str) else json.dumps(value) for key, value in annotations.items()
    }
    return {"metadata": {"annotations": texts}}


def service(neg_status: object = ...) -> dict[str, Any]:
    status = {"network_endpoint_groups": {"19530": NEG, "9091": "other"}} if neg_status is ... else neg_status
    return annotated(**{backend_health.NEG_STATUS: status})


def ingress(report: object) -> dict[str, Any]:
    return annotated(**{backend_health.REPORT: report})


def test_healthy_group_passes() -> None:
    check = backend_health.backends(ingress({NEG: "HEALTHY", "other": "UNHEALTHY"}), service(), PORT)
    assert check.state is CheckState.PASSED


CLASS = "kubernetes.io/ingress.class"


def test_report_that_was_left_behind_by_a_change_of_class_is_no_health() -> None:
    stale = annotated(**{backend_health.REPORT: {NEG: "HEALTHY"}, CLASS: "nginx"})
    check = backend_health.backends(stale, service(), PORT)
    assert (check.state, check.reason) == (CheckState.FAILED, Reason.INGRESS_CLASS_CHANGED)
    back = annotated(**{backend_health.REPORT: {NEG: "HEALTHY"}, CLASS: "gce"})
    check = backend_health.backends(back, service(), PORT, "made anew")
    assert (check.state, check.reason) == (CheckState.PENDING, Reason.LOAD_BALANCER_REPLACED)
    assert check.message == "made anew"


@pytest.mark.parametrize("state", ["UNHEALTHY", "DRAINING", "x\ny" * 500])
def test_group_that_is_reported_otherwise_fails_with_that_word(state: str) -> None:
    check = backend_health.backends(ingress({NEG: state, "other": "HEALTHY"}), service(), PORT)
    assert (check.state, check.reason) == (CheckState.FAILED, Reason.BACKENDS_UNHEALTHY)
    assert state[:1] in check.message
    assert len(check.message) < 300
    assert "\n" not in check.message


@pytest.mark.parametrize(
    "report",
    [{NEG: "Unknown"}, {}, {"other": "HEALTHY"}, {NEG: 7}, {NEG: None}, [], "", "{", "[" * 100_000, 7],
)
def test_group_without_a_report_is_pending_not_unhealthy(report: object) -> None:
    check = backend_health.backends(ingress(report), service(), PORT)
    assert (check.state, check.reason) == (CheckState.PENDING, Reason.BACKENDS_UNHEALTHY)


@pytest.mark.parametrize(
    "status",
    [
        {},
        [],
        "{",
        None,
        {"network_endpoint_groups": None},
        {"network_endpoint_groups": {"9091": NEG}},
        {"network_endpoint_groups": {"19530": ""}},
        {"network_endpoint_groups": {"19530": [NEG]}},
    ],
)
def test_service_without_a_group_for_the_port_is_pending(status: object) -> None:
    check = backend_health.backends(ingress({NEG: "HEALTHY"}), service(status), PORT)
    assert check.state is CheckState.PENDING
    assert "19530" in check.message


@pytest.mark.parametrize("odd", [{}, {"metadata": None}, {"metadata": {"annotations": None}}])
def test_objects_without_annotations_are_pending(odd: dict[str, Any]) -> None:
    assert backend_health.backends(odd, service(), PORT).state is CheckState.PENDING
    assert backend_health.backends(odd, odd, PORT).state is CheckState.PENDING


def test_objects_that_are_gone_are_told_by_name() -> None:
    without_service = backend_health.backends(ingress({}), None, PORT)
    without_ingress = backend_health.backends(None, service(), PORT)
    assert without_service.reason is Reason.SERVICE_NOT_FOUND
    assert without_ingress.reason is Reason.INGRESS_NOT_FOUND
    assert PORT.name in without_service.message
    assert PORT.name in without_ingress.message


ALPHA, GA = service_annotations.ALPHA_APP_PROTOCOLS, service_annotations.APP_PROTOCOLS


@pytest.mark.parametrize(
    "annotations",
    [
        {GA: {"milvus": "HTTP2"}},
        {GA: {"milvus": "HTTP2", "other": "HTTP"}},
        {ALPHA: {"milvus": "HTTP2"}, GA: {"milvus": "HTTP"}},
    ],
)
def test_port_named_as_http2_has_no_problem(annotations: dict[str, object]) -> None:
    assert backend_health.protocol_problem(annotated(**annotations), PORT) is None


def test_unnamed_port_is_named_by_the_empty_key() -> None:
    unnamed = ServiceFacts("s", "", 19530)
    assert backend_health.protocol_problem(annotated(**{GA: {"": "HTTP2"}}), unnamed) is None
    assert backend_health.protocol_problem(annotated(**{GA: {"19530": "HTTP2"}}), unnamed) is not None


@pytest.mark.parametrize(
    ("annotations", "words"),
    [
        ({}, f"no annotation {GA}"),
        ({GA: {"grpc": "HTTP2"}}, '{"grpc": "HTTP2"}; port "milvus" needs HTTP2'),
        ({GA: {"milvus": "http2"}}, '{"milvus": "http2"}'),
        ({GA: {"19530": "HTTP2"}}, '{"19530": "HTTP2"}'),
        ({GA: "{broken"}, "{broken"),
        ({ALPHA: {"milvus": "HTTP"}, GA: {"milvus": "HTTP2"}}, f"{ALPHA}: "),
    ],
)
def test_port_that_is_not_named_as_http2_is_told_with_what_is_there(
    annotations: dict[str, object], words: str
) -> None:
    problem = backend_health.protocol_problem(annotated(**annotations), PORT)
    assert problem is not None
    assert words in problem


@given(st.text(max_size=50), st.text(max_size=50))
def test_no_annotation_text_makes_a_check_crash(report: str, neg_status: str) -> None:
    backend_health.backends(ingress(report), service(neg_status), PORT)
    backend_health.protocol_problem(annotated(**{GA: report, ALPHA: neg_status}), PORT)


UNHEALTHY = backend_health.backends(ingress({NEG: "UNHEALTHY"}), service(), PORT)


def pod(ready: object, **metadata: object) -> dict[str, Any]:
    return {"metadata": metadata, "status": {"conditions": [{"type": "Ready", "status": ready}]}}


def test_unhealthy_backend_with_ready_pods_has_something_else_in_the_way() -> None:
    check = backend_health.explained(UNHEALTHY, [pod("True"), pod("False")], None)
    assert (check.state, check.reason) == (CheckState.FAILED, Reason.BACKENDS_UNHEALTHY_PODS_READY)
    assert f"reports {NEG} UNHEALTHY, although 1 of 2 Pods are ready" in check.message


def test_firewall_rule_that_an_admin_must_create_is_shown() -> None:
    asked = "Firewall change required by security admin: `gcloud compute firewall-rules create x`"
    assert asked in backend_health.explained(UNHEALTHY, [pod("True")], asked).message


@pytest.mark.parametrize(
    "odd",
    [{}, {"status": None}, pod("False"), pod(True), pod("True", deletionTimestamp="2026-01-01T00:00:00Z")],
)
def test_unhealthy_backend_without_ready_pods_is_the_pods_matter(odd: dict[str, Any]) -> None:
    check = backend_health.explained(UNHEALTHY, [odd], None)
    assert check.reason is Reason.BACKENDS_UNHEALTHY
    assert "none of 1 Pods is ready" in check.message


def test_only_unhealthy_backends_need_the_pods() -> None:
    for report in ({NEG: "HEALTHY"}, {}):
        check = backend_health.backends(ingress(report), service(), PORT)
        assert backend_health.explained(check, [pod("True")], None) is check


@pytest.mark.parametrize(
    ("spec", "labels"),
    [
        ({"selector": {"app": "milvus", "component": "proxy"}}, {"app": "milvus", "component": "proxy"}),
        ({"selector": {"app": 7}}, {}),
        ({"selector": None}, {}),
        ({}, {}),
    ],
)
def test_selector_of_the_service_is_read(spec: dict[str, Any], labels: dict[str, str]) -> None:
    assert backend_health.selector({"spec": spec}) == labels
    assert backend_health.selector(None) == {}
