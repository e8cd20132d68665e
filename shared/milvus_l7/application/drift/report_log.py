"""Log drift reports: where the findings are, and why, but no value of the cluster's."""

from __future__ import annotations

from milvus_l7.application.engine import log
from milvus_l7.domain.setup.document import Setup
from milvus_l7.domain.setup.drift_report import DriftReport, Finding
from milvus_l7.domain.text.excerpt import excerpt

# Cloud Logging refuses entries above 256 KiB, and a line must stay readable.
MOST_FINDINGS = 20
LONGEST_NAME = 200


def write(report: DriftReport, setup: Setup, *, is_repairing: bool) -> None:
    """Write one line: the verdict, the count of findings, the first of them, and what was not observed."""
    log.write(
        "WARNING" if report.findings else "INFO",
        f"drift check: {report.verdict}{', repairing' if is_repairing else ''}",
        setup,
        finding_count=len(report.findings),
        findings=[_named(finding) for finding in report.findings[:MOST_FINDINGS]],
        unobserved=[{"stage": each.stage, "reason": each.reason} for each in report.unobserved],
    )


def _named(finding: Finding) -> dict[str, str]:
    """Return what tells findings apart. Expected and found values stay out, as they may hold credentials."""
    return {
        "stage": finding.stage,
        "target": excerpt(finding.target, LONGEST_NAME),
        "field": excerpt(finding.field, LONGEST_NAME),
        "reason": finding.reason,
    }
