"""Explain in words what is known of drift. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from milvus_l7.domain.drift import wording
from milvus_l7.domain.setup.document import Setup
from milvus_l7.domain.setup.drift_report import DriftReport, Finding, Verdict
from milvus_l7.domain.setup.supervision import DriftPolicy
from milvus_l7.domain.text.excerpt import excerpt
from milvus_l7_cli import freshness
from milvus_l7_cli.views.drift import unobserved_words
from milvus_l7_cli.views.durations import ago, clock, until

VERDICTS = {
    Verdict.HEALTHY: "everything is as requested",
    Verdict.DRIFTED: "something differs from the request",
    Verdict.UNKNOWN: "what could be checked is as requested, but not everything could be checked",
}


def paragraphs(setup: Setup, now: datetime) -> Iterator[str]:
    """Yield the last report in words, whether it is stale, and when the next check is due."""
    report = setup.drift
    if report is None:
        yield "No drift check has run since it was verified."
    else:
        yield from report_words(report, setup, now)
    if freshness.is_stale(setup, now):
        yield (
            "That is stale: the last check is older than two intervals "
            f"({2 * setup.supervision.interval_s} s), or there was none. "
            f"Check now: milvus-l7 check {setup.setup_id}"
        )
    if setup.check_at is not None:
        yield f"Next drift check: {until(setup.check_at, now)}, every {setup.supervision.interval_s} s."


def report_words(report: DriftReport, setup: Setup, now: datetime) -> Iterator[str]:
    """Yield one report in words: the verdict, each finding, then what could not be checked."""
    verdict = VERDICTS[report.verdict]
    yield f"Drift check of {clock(report.checked_at)} ({ago(report.checked_at, now)}): {verdict}."
    for finding in report.findings:
        yield _finding(finding, setup, now)
    for unseen in report.unobserved:
        yield f"{unobserved_words(unseen)}. {unseen.reason.remedy}".replace("..", ".")
    for repair in report.repairs:
        yield f"{excerpt(repair.key)} was repaired {repair.count} times, last at {clock(repair.at)}."


def _finding(finding: Finding, setup: Setup, now: datetime) -> str:
    by = f", changed by {excerpt(finding.by)}" if finding.by else ""
    since = f"seen since {clock(finding.since)} ({ago(finding.since, now)})"
    return f"{wording.described(finding)}; {since}{by}. {finding.reason}: {_remedy(finding, setup)}"


def _remedy(finding: Finding, setup: Setup) -> str:
    if finding.is_repairable and setup.supervision.policy is DriftPolicy.REPAIR:
        return f"{finding.reason.meaning} milvus-l7 will repair it."
    return finding.reason.remedy
