"""Draw what the last drift check found."""

from __future__ import annotations

from datetime import datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from milvus_l7.domain.drift import wording
from milvus_l7.domain.setup.document import Setup, Status
from milvus_l7.domain.setup.drift_report import DriftReport, Finding, Unobserved, Verdict
from milvus_l7.domain.text.excerpt import excerpt
from milvus_l7_cli import freshness
from milvus_l7_cli.views.durations import ago, clock

VERDICTS = {Verdict.HEALTHY: "green", Verdict.DRIFTED: "red", Verdict.UNKNOWN: "yellow"}
LONGEST_MESSAGE = 300


def summary(setup: Setup, now: datetime) -> Text:
    """Return verdict and age in a few words; empty for a setup that is not verified and was never checked."""
    is_verified = setup.status is Status.VERIFIED
    report = setup.drift
    if report is None:
        if not is_verified:
            return Text("")
        return Text("never (stale)" if freshness.is_stale(setup, now) else "never", "dim")
    said = Text(str(report.verdict), VERDICTS[report.verdict])
    if report.findings:
        said.append(f" ({len(report.findings)})")
    said.append(f", {ago(report.checked_at, now)}")
    if is_verified and freshness.is_stale(setup, now):
        said.append(" (stale)", "yellow")
    return said


def report_view(report: DriftReport, now: datetime) -> RenderableType:
    """Draw every finding, and every stage that could not be checked."""
    title = Text("drift check  ").append(str(report.verdict), VERDICTS[report.verdict])
    title.append(f"  {ago(report.checked_at, now)}", "dim")
    parts: list[RenderableType] = [title]
    if report.findings or report.unobserved:
        parts.append(_rows(report, now))
    return Group(*parts)


def _rows(report: DriftReport, now: datetime) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    for finding in report.findings:
        table.add_row(Text("✗", "red"), _finding(finding, now))
    for unseen in report.unobserved:
        table.add_row(Text("?", "yellow"), Text(unobserved_words(unseen)))
    return table


def _finding(finding: Finding, now: datetime) -> Text:
    said = Text(wording.described(finding))
    said.append(f"\nsince {clock(finding.since)} ({ago(finding.since, now)})", "dim")
    if finding.by:
        said.append(f", by {excerpt(finding.by)}", "dim")
    return said.append(f"\n{finding.reason}: {finding.reason.remedy}", "dim")


def unobserved_words(unseen: Unobserved) -> str:
    """Return which stage could not be checked, and why."""
    return f"{unseen.stage} could not be checked: {unseen.reason}: {excerpt(unseen.message, LONGEST_MESSAGE)}"
