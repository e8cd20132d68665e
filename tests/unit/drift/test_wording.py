"""How findings read: every kind of finding goes through the same sentence."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from milvus_l7.domain.drift import evaluation, wording
from milvus_l7.domain.drift.evaluation import StageObservation, evaluate
from milvus_l7.domain.kubernetes.change import Change
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.condition import Condition
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.drift_report import Finding
from milvus_l7.domain.setup.facts import Check, CheckState
from tests.fakes.state import START

CUSTOM_CONFIG_MAP = Condition(Reason.CUSTOM_CONFIG_MAP, "Release default/my-release sets customConfigMap")
TYPE = Change("Release default/my-release", "service.type", "LoadBalancer", "ClusterIP")
RULES = Change("Ingress default/x", "spec.rules", None, [])


def observed(stage: Stage, *changes: Change, fault: Condition | None = None) -> Finding:
    missing = frozenset({RULES.target})
    (finding,) = evaluate(
        [StageObservation(stage, changes, fault, missing=missing)], (), None, START
    ).findings
    return finding


def failed(message: str) -> Finding:
    check = Check("tls", CheckState.FAILED, message, Reason.OTHER_CERTIFICATE_SERVED)
    (finding,) = evaluate([], (check,), None, START).findings
    return finding


def ending() -> Finding:
    not_after, notice = START + timedelta(days=29), timedelta(days=30)
    finding = evaluation.expiring("ns/x-tls", not_after, notice, START)
    assert finding is not None
    return finding


@pytest.mark.parametrize(
    ("finding", "line"),
    [
        (
            observed(Stage.PREPARE_TLS, fault=CUSTOM_CONFIG_MAP),
            "prepare_tls dry run: expected no error, found Release default/my-release sets customConfigMap",
        ),
        (
            observed(Stage.PREPARE_TLS, TYPE),
            "Release default/my-release service.type: expected ClusterIP, found LoadBalancer",
        ),
        (
            observed(Stage.PREPARE_TLS, replace(TYPE, before=None)),
            "Release default/my-release service.type: expected ClusterIP, found not set",
        ),
        (
            observed(Stage.PREPARE_TLS, replace(TYPE, before="", after=None)),
            'Release default/my-release service.type: expected not set, found ""',
        ),
        (observed(Stage.CREATE_INGRESS, RULES), "Ingress default/x: expected present, found missing"),
        (failed("serves b.io"), "checklist tls: expected passed, found failed: serves b.io"),
        (failed(""), "checklist tls: expected passed, found failed"),
        (
            ending(),
            "Secret ns/x-tls data[tls.crt]: expected valid for 30 days or more, "
            "found valid until 2026-01-30 00:00 UTC",
        ),
    ],
)
def test_finding_says_what_was_expected_and_what_was_found(finding: Finding, line: str) -> None:
    assert wording.described(finding) == line


def test_long_values_are_cut() -> None:
    finding = observed(Stage.PREPARE_TLS, replace(TYPE, before="x" * 999, after="y" * 999))
    assert len(wording.described(finding, 20)) < 80


def test_summary_names_the_first_findings_and_counts_the_others() -> None:
    findings = [observed(Stage.PREPARE_TLS, replace(TYPE, field=f"f{number}")) for number in range(7)]
    summary = wording.summary(findings)
    assert summary.count("expected ClusterIP, found LoadBalancer") == 5
    assert summary.endswith("; and 2 more")
    assert wording.summary(()) == ""


def test_longest_summary_is_one_that_a_history_list_can_show() -> None:
    change = replace(TYPE, target="t" * 999, before="x" * 999, after="y" * 999)
    findings = [observed(Stage.PREPARE_TLS, replace(change, field=f"f{number}")) for number in range(99)]
    assert len(wording.summary(findings)) < 1500
