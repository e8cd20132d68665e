"""What the log says of a drift check."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from milvus_l7.application.drift import report_log
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.drift_report import DriftReport, Finding, Unobserved, Verdict
from tests.builders import new_setup
from tests.fakes.state import START

FINDING = Finding(
    Stage.CREATE_INGRESS,
    "Ingress default/x",
    "spec.rules",
    "EXPECTED",
    "FOUND",
    Reason.DRIFTED,
    START,
    "RIVAL",
)
UNOBSERVED = Unobserved(Stage.PREPARE_TLS, Reason.CLUSTER_UNAVAILABLE, "MESSAGE")
Capture = pytest.CaptureFixture[str]


def logged(capsys: Capture, report: DriftReport, *, is_repairing: bool = False) -> dict[str, Any]:
    report_log.write(report, new_setup(), is_repairing=is_repairing)
    (line,) = capsys.readouterr().out.splitlines()
    entry = json.loads(line)
    assert isinstance(entry, dict)
    return entry


def drifted(*findings: Finding) -> DriftReport:
    return DriftReport(START, Verdict.DRIFTED, findings, (UNOBSERVED,))


def test_each_finding_is_logged_by_stage_target_field_and_reason(capsys: Capture) -> None:
    line = logged(capsys, drifted(FINDING), is_repairing=True)
    assert (line["severity"], line["message"]) == ("WARNING", "drift check: drifted, repairing")
    assert (line["setup_id"], line["finding_count"]) == (new_setup().setup_id, 1)
    assert line["findings"] == [
        {"stage": "create_ingress", "target": "Ingress default/x", "field": "spec.rules", "reason": "Drifted"}
    ]


def test_stage_that_was_not_observed_is_logged_with_its_reason(capsys: Capture) -> None:
    line = logged(capsys, DriftReport(START, Verdict.UNKNOWN, unobserved=(UNOBSERVED,)))
    assert (line["severity"], line["message"]) == ("INFO", "drift check: unknown")
    assert line["unobserved"] == [{"stage": "prepare_tls", "reason": "ClusterUnavailable"}]
    assert line["findings"] == []


def test_no_value_nor_message_of_the_cluster_is_logged(capsys: Capture) -> None:
    text = json.dumps(logged(capsys, drifted(FINDING)))
    assert not [word for word in ("EXPECTED", "FOUND", "RIVAL", "MESSAGE") if word in text]


def test_line_of_many_long_findings_stays_short(capsys: Capture) -> None:
    findings = [replace(FINDING, target="t" * 9999, field=f"{number}" * 9999) for number in range(500)]
    line = logged(capsys, drifted(*findings))
    assert (line["finding_count"], len(line["findings"])) == (500, 20)
    assert len(json.dumps(line)) < 20_000
