"""How the observations of a drift check are evaluated, and which repair is planned."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from milvus_l7.domain.drift import evaluation
from milvus_l7.domain.drift.evaluation import (
    MOST_REPAIRS_IN_ALL,
    StageObservation,
    evaluate,
    is_news,
    plan_repair,
)
from milvus_l7.domain.kubernetes.change import Change
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.condition import Condition
from milvus_l7.domain.setup.chain import SETUP_STAGES, Stage
from milvus_l7.domain.setup.drift_report import DriftReport, Finding, Repair, Unobserved, Verdict
from milvus_l7.domain.setup.facts import Check, CheckState
from tests.fakes.state import START

SERVICE = "Service default/my-release-milvus"
NEG = Change(SERVICE, "metadata.annotations[cloud.google.com/neg]", '{"ingress": false}', '{"ingress": true}')
HEALTH = Stage.CONFIGURE_HEALTH_CHECK
LATER = START + timedelta(minutes=15)


def drifted(*changes: Change, stage: Stage = HEALTH, by: str = "kubectl-edit") -> DriftReport:
    observation = StageObservation(
        stage, changes, writers={(each.target, each.field): by for each in changes}
    )
    return evaluate([observation], (), None, START)


def test_nothing_different_is_healthy() -> None:
    passed = Check("milvus", CheckState.PASSED)
    assert evaluate([StageObservation(HEALTH)], (passed,), None, START) == DriftReport(START, Verdict.HEALTHY)


def test_changed_field_is_found_with_both_values_and_its_writer() -> None:
    (finding,) = drifted(NEG).findings
    assert (finding.target, finding.field) == (NEG.target, NEG.field)
    assert (finding.expected, finding.found) == ('{"ingress": true}', '{"ingress": false}')
    assert (finding.by, finding.since, finding.is_repairable) == ("kubectl-edit", START, True)


def test_what_explains_a_change_is_a_finding_beside_it_that_is_not_ours_to_mend() -> None:
    told = "left off the Ingress: Secret theirs: expired (its owner must correct it)"
    changed, explained = evaluate([StageObservation(HEALTH, (NEG,), notice=told)], (), None, START).findings
    assert (changed.field, changed.is_repairable) == (NEG.field, True)
    assert (explained.key, explained.found, explained.is_repairable) == (f"{HEALTH} notice", told, False)
    assert evaluate([StageObservation(HEALTH, notice=told)], (), None, START).verdict is Verdict.HEALTHY


def test_object_that_is_missing_is_one_finding() -> None:
    changes = (
        Change("Ingress default/x", "spec.rules", None, []),
        Change("Ingress default/x", "spec.tls", None, []),
    )
    observation = StageObservation(Stage.CREATE_INGRESS, changes, missing=frozenset({"Ingress default/x"}))
    (finding,) = evaluate([observation], (), None, START).findings
    assert (finding.field, finding.expected, finding.found) == ("", "present", "missing")


def test_finding_that_lasts_keeps_its_beginning() -> None:
    again = evaluate([StageObservation(HEALTH, (NEG,))], (), drifted(NEG), LATER)
    assert (again.checked_at, again.findings[0].since) == (LATER, START)


@pytest.mark.parametrize(
    "reason", [Reason.CLUSTER_UNAVAILABLE, Reason.CLUSTER_ACCESS_DENIED, Reason.RELEASE_NOT_FOUND]
)
def test_stage_that_could_not_be_observed_is_unknown_and_no_finding(reason: Reason) -> None:
    report = evaluate([StageObservation(Stage.PREPARE_TLS, fault=Condition(reason, "500"))], (), None, START)
    assert (report.verdict, report.findings) == (Verdict.UNKNOWN, ())
    assert report.unobserved[0].reason is reason


def test_finding_outranks_a_stage_that_could_not_be_observed() -> None:
    inconclusive = StageObservation(Stage.PREPARE_TLS, fault=Condition(Reason.CLUSTER_UNAVAILABLE, "500"))
    report = evaluate([inconclusive, StageObservation(HEALTH, (NEG,))], (), None, START)
    assert report.verdict is Verdict.DRIFTED
    assert len(report.unobserved) == 1


def test_what_is_not_ours_is_reported_and_not_repaired() -> None:
    observation = StageObservation(
        Stage.CREATE_INGRESS, fault=Condition(Reason.OBJECT_NOT_OURS, "Ingress lacks the label")
    )
    report = evaluate([observation], (), None, START)
    assert (report.findings[0].reason, report.findings[0].is_repairable) == (Reason.OBJECT_NOT_OURS, False)
    assert plan_repair(report, START).first is None


def test_required_item_that_failed_is_a_finding_and_an_optional_one_is_not() -> None:
    tls = Check("tls", CheckState.FAILED, "other", Reason.OTHER_CERTIFICATE_SERVED)
    dns = Check("dns", CheckState.FAILED, "elsewhere", Reason.DNS_MISMATCH, required=False)
    report = evaluate([], (dns, tls), None, START)
    assert [(each.field, each.is_repairable) for each in report.findings] == [("tls", False)]


def test_verification_that_ended_before_its_checklist_is_unknown_and_not_healthy() -> None:
    fault = Condition(Reason.SECRET_NOT_FOUND, "no certificate is known for the setup")
    report = evaluate([StageObservation(SETUP_STAGES[-1], fault=fault)], (), None, START)
    assert (report.verdict, report.findings) == (Verdict.UNKNOWN, ())
    assert report.unobserved == (Unobserved(SETUP_STAGES[-1], fault.reason, fault.message),)


def test_verification_that_failed_is_found_by_its_checklist_alone() -> None:
    fault = Condition(Reason.OTHER_CERTIFICATE_SERVED, "other")
    tls = Check("tls", CheckState.FAILED, "other", Reason.OTHER_CERTIFICATE_SERVED)
    report = evaluate([StageObservation(SETUP_STAGES[-1], fault=fault)], (tls,), None, START)
    assert ([each.field for each in report.findings], report.unobserved) == (["tls"], ())


def test_pending_item_makes_the_verdict_unknown() -> None:
    item = Check("backends", CheckState.PENDING, "no report", Reason.BACKENDS_UNHEALTHY)
    assert evaluate([], (item,), None, START).verdict is Verdict.UNKNOWN


def test_certificate_is_reported_a_month_before_it_ends() -> None:
    notice = timedelta(days=30)
    assert evaluation.expiring("ns/x", START + notice, notice, START) is None
    finding = evaluation.expiring("ns/x", START + timedelta(days=29), notice, START)
    report = evaluation.with_finding(DriftReport(START, Verdict.HEALTHY), finding)
    assert (report.verdict, report.findings[0].reason) == (Verdict.DRIFTED, Reason.CERTIFICATE_EXPIRING)


def test_repair_begins_at_the_first_stage_that_has_drifted() -> None:
    observations = (
        StageObservation(Stage.CREATE_INGRESS, (NEG,)),
        StageObservation(HEALTH, (replace(NEG, field="x"),)),
    )
    decision = plan_repair(evaluate(observations, (), None, START), START)
    assert decision.first is HEALTH
    assert {each.count for each in decision.report.repairs} == {1}


def test_repair_that_is_undone_three_times_in_a_row_stops_and_says_who() -> None:
    report, now = drifted(NEG), START
    for count in (1, 2, 3):
        decision = plan_repair(report, now)
        assert decision.first is HEALTH
        assert decision.report.repairs[0].count == count
        now += timedelta(minutes=15)
        report = replace(drifted(NEG), repairs=decision.report.repairs)
    decision = plan_repair(report, now)
    assert decision.first is None
    (finding,) = decision.report.findings
    assert (finding.reason, finding.by, finding.is_repairable) == (
        Reason.REPAIR_UNDONE,
        "kubectl-edit",
        False,
    )


def test_repairs_of_a_day_are_limited_whatever_they_mend() -> None:
    now, report = START, None
    for number in range(MOST_REPAIRS_IN_ALL):
        decision = plan_repair(_again(replace(NEG, field=f"field{number}"), report), now)
        assert decision.first is HEALTH
        report, now = decision.report, now + timedelta(hours=1)
    decision = plan_repair(_again(replace(NEG, field="another"), report), now)
    assert (decision.first, decision.report.findings[0].reason) == (None, Reason.REPAIR_LIMIT_REACHED)
    assert plan_repair(decision.report, START + timedelta(hours=24)).first is HEALTH


def _again(change: Change, previous: DriftReport | None) -> DriftReport:
    return evaluate((StageObservation(HEALTH, (change,)),), (), previous, START)


def test_repair_that_is_not_allowed_is_said_and_not_begun() -> None:
    decision = plan_repair(drifted(NEG), START, is_allowed=False)
    assert (decision.first, decision.report.repairs) == (None, ())
    assert decision.report.findings[0].reason is Reason.REPAIR_NEEDS_LEAVE


def test_one_contested_field_stops_every_repair() -> None:
    contested = Repair(Finding(HEALTH, NEG.target, NEG.field, "", "", Reason.DRIFTED, START).key, 3, START)
    report = replace(drifted(NEG, replace(NEG, field="other")), repairs=(contested,))
    assert plan_repair(report, LATER).first is None


def test_repair_of_a_day_ago_is_forgotten() -> None:
    contested = Repair(f"{NEG.target} {NEG.field}", 3, START)
    report = replace(drifted(NEG), repairs=(contested,))
    assert plan_repair(report, START + timedelta(hours=25)).first is HEALTH


def test_only_what_is_new_is_announced() -> None:
    report = drifted(NEG)
    assert is_news(report, None)
    assert not is_news(report, report)
    assert is_news(drifted(NEG, replace(NEG, field="other")), report)
    assert not is_news(DriftReport(LATER, Verdict.HEALTHY), report)
