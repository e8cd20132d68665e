"""What a drift check makes of what it saw. Pure.

stage's changes    -> findings that are ours to mend
stage refuses      -> a finding that is not ours to mend
stage cannot look  -> unseen: neither a finding nor health
checklist          -> a finding for each required item that has failed
certificate ends   -> a finding ahead of time
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from milvus_l7.domain.drift import wording
from milvus_l7.domain.kubernetes.change import Plan
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.condition import Condition
from milvus_l7.domain.setup.chain import SETUP_STAGES, Stage
from milvus_l7.domain.setup.drift_report import DriftReport, Finding, Repair, Unobserved, Verdict
from milvus_l7.domain.setup.facts import Check, CheckState
from milvus_l7.domain.text import excerpt

# What is checked besides the fields of objects: the checklist's items, and how a stage's dry run ends.
CHECKLIST = "checklist"
DRY_RUN = "dry run"

# Somebody undoes our repairs: after so many of the same within such a time we stop.
MOST_REPAIRS = 3
REPAIR_CONFLICT_WINDOW = timedelta(hours=24)

# Reasons that tell of our view, not of the setup. Lists in which nothing was found are among them: that is no
# evidence that there is nothing.
_UNSEEN = frozenset(
    {
        Reason.CLUSTER_NOT_FOUND,
        Reason.CLUSTER_ACCESS_DENIED,
        Reason.CLUSTER_UNAVAILABLE,
        Reason.RELEASE_NOT_FOUND,
        Reason.RELEASE_BUSY,
        Reason.SERVICE_NOT_FOUND,
        Reason.DNS_ZONE_UNAVAILABLE,
        Reason.OBJECT_BEING_DELETED,
        Reason.INTERNAL_ERROR,
    }
)
_SHOWN = 240


@dataclass(frozen=True, slots=True)
class StageObservation:
    """What the dry run of one stage saw."""

    stage: Stage
    changes: Plan = ()
    fault: Condition | None = None  # why it refused, or could not look
    is_waiting: bool = False  # something is under way, which is no fault
    writers: Mapping[tuple[str, str], str] | None = None  # by target and field
    missing: frozenset[str] = frozenset()  # targets that are not there at all


def is_inconclusive(look: StageObservation) -> bool:
    """Whether the stage could not look, so that nothing is known of it, good or bad."""
    return look.fault is not None and look.fault.reason in _UNSEEN


def evaluate(
    looks: Sequence[StageObservation], checks: Sequence[Check], previous: DriftReport | None, now: datetime
) -> DriftReport:
    """The report of a check. A finding that the previous one had too keeps its `since`."""
    known = {finding.key: finding.since for finding in previous.findings} if previous else {}
    found = [*_drifted(looks, now), *_failed(checks, now)]
    findings = tuple(replace(each, since=known.get(each.key, now)) for each in found)
    unseen = tuple(_unseen(looks, checks))
    verdict = Verdict.DRIFTED if findings else Verdict.UNKNOWN if unseen else Verdict.HEALTHY
    return DriftReport(now, verdict, findings, unseen, previous.repairs if previous else ())


def expiring(secret: str, not_after: datetime, notice: timedelta, now: datetime) -> Finding | None:
    """The finding that a certificate ends within `notice`; None if it does not."""
    if not_after - now >= notice:
        return None
    found = f"valid until {not_after:%Y-%m-%d %H:%M} UTC"
    stage, reason = Stage.PROVISION_CERTIFICATE, Reason.CERTIFICATE_EXPIRING
    expected = f"valid for {notice.days} days or more"
    return Finding(stage, f"Secret {secret}", "data[tls.crt]", expected, found, reason, now)


def with_finding(report: DriftReport, more: Finding | None) -> DriftReport:
    """The report with one more finding, unless the same field is in it already."""
    if more is None or any(each.target == more.target for each in report.findings):
        return report
    return replace(report, findings=(*report.findings, more), verdict=Verdict.DRIFTED)


@dataclass(frozen=True, slots=True)
class Decision:
    """What is done about a report. `first`: the stage from which the chain runs again; None: nothing."""

    report: DriftReport
    first: Stage | None = None


def plan_repair(report: DriftReport, now: datetime) -> Decision:
    """Repair what is ours, unless somebody keeps undoing it: then nothing is repaired, and it is said who."""
    recent = {each.key: each for each in report.repairs if now - each.at < REPAIR_CONFLICT_WINDOW}
    fought = {key for key, each in recent.items() if each.count >= MOST_REPAIRS}
    findings = tuple(_mark_contested(each) if each.key in fought else each for each in report.findings)
    ours = [each for each in findings if each.is_repairable]
    kept = replace(report, findings=findings, repairs=tuple(recent.values()))
    if not ours or any(each.reason is Reason.REPAIR_UNDONE for each in findings):
        return Decision(kept)
    counts = {each.key: recent[each.key].count + 1 if each.key in recent else 1 for each in ours}
    repairs = {**recent, **{key: Repair(key, count, now) for key, count in counts.items()}}
    first = min((Stage(each.stage) for each in ours), key=SETUP_STAGES.index)
    return Decision(replace(kept, repairs=tuple(repairs.values())), first)


def is_news(report: DriftReport, previous: DriftReport | None) -> bool:
    """Whether the report has a finding that the previous one had not, or not for this reason."""
    known = {(each.key, each.reason) for each in previous.findings} if previous else set()
    return any((each.key, each.reason) not in known for each in report.findings)


def _mark_contested(finding: Finding) -> Finding:
    by = finding.by or "somebody whom the cluster does not name"
    return replace(finding, reason=Reason.REPAIR_UNDONE, is_repairable=False, by=by)


def _drifted(looks: Sequence[StageObservation], now: datetime) -> Iterator[Finding]:
    for look in looks:
        missing = dict.fromkeys(each.target for each in look.changes if each.target in look.missing)
        for target in missing:
            yield Finding(
                look.stage, target, "", "present", "missing", Reason.DRIFTED, now, is_repairable=True
            )
        for change in look.changes:
            if change.target not in missing:
                by = (look.writers or {}).get((change.target, change.field), "")
                texts = (_shown(change.after), _shown(change.before))
                yield Finding(
                    look.stage,
                    change.target,
                    change.field,
                    *texts,
                    Reason.DRIFTED,
                    now,
                    by,
                    is_repairable=True,
                )
        is_told_by_checklist = look.stage is SETUP_STAGES[-1] or look.is_waiting
        if look.fault is not None and not is_inconclusive(look) and not is_told_by_checklist:
            found = excerpt.excerpt(look.fault.message, _SHOWN)
            yield Finding(look.stage, look.stage, DRY_RUN, "no error", found, look.fault.reason, now)


def _failed(checks: Sequence[Check], now: datetime) -> Iterator[Finding]:
    for check in checks:
        if check.required and check.state is CheckState.FAILED:
            reason = check.reason or Reason.INTERNAL_ERROR
            found = excerpt.excerpt(f"failed: {check.message}" if check.message else "failed", _SHOWN)
            yield Finding(SETUP_STAGES[-1], CHECKLIST, check.name, "passed", found, reason, now)


def _unseen(looks: Sequence[StageObservation], checks: Sequence[Check]) -> Iterator[Unobserved]:
    for look in looks:
        is_idle = look.is_waiting and not look.changes
        if look.fault is not None and (is_inconclusive(look) or is_idle):
            yield Unobserved(look.stage, look.fault.reason, excerpt.excerpt(look.fault.message, _SHOWN))
    if any(check.state is CheckState.FAILED and check.required for check in checks):
        return
    pending = next((c for c in checks if c.required and c.state is CheckState.PENDING), None)
    if pending is not None:
        message = excerpt.excerpt(f"{pending.name}: {pending.message}", _SHOWN)
        yield Unobserved(SETUP_STAGES[-1], pending.reason or Reason.INTERNAL_ERROR, message)


def _shown(value: Any) -> str:
    """Return a value of a change for people: a text that has content as it is, anything else as JSON."""
    if value is None:
        return wording.NOT_SET
    text = value if isinstance(value, str) and value else json.dumps(value, default=str)
    return excerpt.excerpt(text, _SHOWN)
