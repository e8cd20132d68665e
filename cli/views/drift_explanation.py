"""What is known of drift, in words. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from cli import freshness
from cli.views.drift import differs, named, unseen_words
from cli.views.durations import ago, clock, until
from shared.domain.checklist import excerpt
from shared.domain.drift import DriftReport, Finding, Verdict
from shared.domain.setup import Setup
from shared.domain.supervision import DriftPolicy

VERDICTS = {
    Verdict.HEALTHY: "everything is as it should be",
    Verdict.DRIFTED: "not everything is as it should be",
    Verdict.UNKNOWN: "what could be looked at is as it should be, but not everything could",
}


def paragraphs(setup: Setup, now: datetime) -> Iterator[str]:
    """The last report, how much it is still worth, and when the next is due."""
    report = setup.drift
    if report is None:
        yield "No drift check has run since it was verified."
    else:
        yield from report_words(report, setup, now)
    if freshness.is_stale(setup, now):
        yield (
            "That is stale: the last look is older than two intervals "
            f"({2 * setup.supervision.interval_s} s), or there was none. "
            f"Look now: milvus-l7 check {setup.setup_id}"
        )
    if setup.check_at is not None:
        yield f"Next drift check: {until(setup.check_at, now)}, every {setup.supervision.interval_s} s."


def report_words(report: DriftReport, setup: Setup, now: datetime) -> Iterator[str]:
    """One report: the verdict, then each finding, then what could not be looked at."""
    verdict = VERDICTS[report.verdict]
    yield f"Drift check of {clock(report.checked_at)} ({ago(report.checked_at, now)}): {verdict}."
    for finding in report.findings:
        yield _finding(finding, setup, now)
    for unseen in report.unseen:
        yield f"{unseen_words(unseen)}. {unseen.reason.remedy}".replace("..", ".")
    for repair in report.repairs:
        yield f"{excerpt(repair.key)} was repaired {repair.count} times, last at {clock(repair.at)}."


def _finding(finding: Finding, setup: Setup, now: datetime) -> str:
    by = f", changed by {excerpt(finding.by)}" if finding.by else ""
    since = f"seen since {clock(finding.since)} ({ago(finding.since, now)})"
    return f"{named(finding)} {differs(finding)}; {since}{by}. {finding.reason}: {_remedy(finding, setup)}"


def _remedy(finding: Finding, setup: Setup) -> str:
    if finding.is_repairable and setup.supervision.policy is DriftPolicy.REPAIR:
        return f"{finding.reason.meaning} It is ours, and will be repaired."
    return finding.reason.remedy
