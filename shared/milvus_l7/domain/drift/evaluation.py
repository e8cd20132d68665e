"""Evaluate what a drift check observed, and plan the repair. Pure.

stage would change a field  -> a finding that can be repaired
stage ends with an error    -> a finding that cannot be repaired
stage cannot be observed    -> unobserved: neither a finding nor health
stage would tell its user   -> a finding beside the fields that it would change for it
checklist                   -> a finding for each required item that has failed
certificate ends            -> a finding ahead of time
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from milvus_l7.domain.drift import wording
from milvus_l7.domain.kubernetes.change import Change, Plan
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.condition import Condition
from milvus_l7.domain.setup.chain import SETUP_STAGES, Stage
from milvus_l7.domain.setup.drift_report import DriftReport, Finding, Repair, Unobserved, Verdict
from milvus_l7.domain.setup.facts import Check, CheckState
from milvus_l7.domain.text import excerpt

# What is checked besides the fields of objects: the checklist's items, how a stage's dry run ends, and what
# it tells besides.
CHECKLIST = "checklist"
DRY_RUN = "dry run"
NOTICE = "notice"

# Another writer undoes our repairs: after so many of the same within such a time, repairing stops.
MOST_REPAIRS = 3
REPAIR_CONFLICT_WINDOW = timedelta(hours=24)
# Repairs of one setup within such a time, whatever they mend.
MOST_REPAIRS_IN_ALL = 12

# Reasons that tell of the observation, not of the setup. That nothing was listed is among them: it is
# no evidence that there is nothing.
_INCONCLUSIVE = frozenset(
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
_LONGEST_TEXT = 240


@dataclass(frozen=True, slots=True)
class StageObservation:
    """What the dry run of one stage observed."""

    stage: Stage
    changes: Plan = ()
    fault: Condition | None = None  # why it ended with an error, or could not observe anything
    is_waiting: bool = False  # something is under way, which is no fault
    writers: Mapping[tuple[str, str], str] | None = None  # by target and field
    missing: frozenset[str] = frozenset()  # targets that are not there at all
    notice: str = ""  # what explains its changes, and somebody else should mend


def is_inconclusive(observation: StageObservation) -> bool:
    """Return whether the stage could not be observed, so that nothing is known of it, good or bad."""
    return observation.fault is not None and observation.fault.reason in _INCONCLUSIVE


def evaluate(
    observations: Sequence[StageObservation],
    checks: Sequence[Check],
    previous: DriftReport | None,
    now: datetime,
) -> DriftReport:
    """Return the report of a check. A finding that the previous one had too keeps its `since`."""
    known = {finding.key: finding.since for finding in previous.findings} if previous else {}
    found = [*_drifted(observations, now), *_failed(checks, now)]
    findings = tuple(replace(each, since=known.get(each.key, now)) for each in found)
    unobserved = tuple(_unobserved(observations, checks))
    verdict = Verdict.DRIFTED if findings else Verdict.UNKNOWN if unobserved else Verdict.HEALTHY
    report = DriftReport(now, verdict, findings, unobserved)
    return replace(report, repairs=previous.repairs, repaired_at=previous.repaired_at) if previous else report


def with_unmended(
    report: DriftReport, previous: DriftReport | None, observed: Collection[str]
) -> DriftReport:
    """Return the report with what the previous one found of stages that were not observed since.

    A run that is to mend them is under way, and may wait for days.
    """
    found = previous.findings if previous else ()
    planned = [stage for stage in SETUP_STAGES if stage is not Stage.VERIFY_ENDPOINT]
    left = tuple(each for each in found if each.stage in planned and each.stage not in observed)
    if not left:
        return report
    return replace(report, findings=(*left, *report.findings), verdict=Verdict.DRIFTED)


def expiring(secret: str, not_after: datetime, notice: timedelta, now: datetime) -> Finding | None:
    """Return the finding that a certificate ends within `notice`; None if it does not."""
    if not_after - now >= notice:
        return None
    found = f"valid until {not_after:%Y-%m-%d %H:%M} UTC"
    stage, reason = Stage.PROVISION_CERTIFICATE, Reason.CERTIFICATE_EXPIRING
    expected = f"valid for {notice.days} days or more"
    return Finding(stage, f"Secret {secret}", "data[tls.crt]", expected, found, reason, now)


def with_finding(report: DriftReport, more: Finding | None) -> DriftReport:
    """Return the report with one more finding, unless the same field is in it already."""
    if more is None or any(each.target == more.target for each in report.findings):
        return report
    return replace(report, findings=(*report.findings, more), verdict=Verdict.DRIFTED)


@dataclass(frozen=True, slots=True)
class Decision:
    """What is done about a report. `first`: the stage from which the chain runs again; None: nothing."""

    report: DriftReport
    first: Stage | None = None


def plan_repair(report: DriftReport, now: datetime, *, is_allowed: bool = True) -> Decision:
    """Plan the repair of what is ours; none if another writer keeps undoing one, who is then named.

    None either, which the findings say, if there were too many within a day, or one that is not allowed
    because it would interrupt somebody.
    """
    recent = {each.key: each for each in report.repairs if now - each.at < REPAIR_CONFLICT_WINDOW}
    contested = {key for key, each in recent.items() if each.count >= MOST_REPAIRS}
    findings = tuple(_mark_contested(each) if each.key in contested else each for each in report.findings)
    ours = [each for each in findings if each.is_repairable]
    lately = tuple(at for at in report.repaired_at if now - at < REPAIR_CONFLICT_WINDOW)
    kept = replace(report, findings=findings, repairs=tuple(recent.values()), repaired_at=lately)
    if not ours or any(each.reason is Reason.REPAIR_UNDONE for each in findings):
        return Decision(kept)
    if len(lately) >= MOST_REPAIRS_IN_ALL:
        return Decision(_withheld(kept, Reason.REPAIR_LIMIT_REACHED))
    if not is_allowed:
        return Decision(_withheld(kept, Reason.REPAIR_NEEDS_LEAVE))
    counts = {each.key: recent[each.key].count + 1 if each.key in recent else 1 for each in ours}
    repairs = {**recent, **{key: Repair(key, count, now) for key, count in counts.items()}}
    first = min((Stage(each.stage) for each in ours), key=SETUP_STAGES.index)
    return Decision(replace(kept, repairs=tuple(repairs.values()), repaired_at=(*lately, now)), first)


def is_news(report: DriftReport, previous: DriftReport | None) -> bool:
    """Return whether the report has a finding that the previous one had not, or not for this reason."""
    known = {(each.key, each.reason) for each in previous.findings} if previous else set()
    return any((each.key, each.reason) not in known for each in report.findings)


def _withheld(report: DriftReport, reason: Reason) -> DriftReport:
    findings = tuple(replace(each, reason=reason) if each.is_repairable else each for each in report.findings)
    return replace(report, findings=findings)


def _mark_contested(finding: Finding) -> Finding:
    by = finding.by or "an unknown writer"
    return replace(finding, reason=Reason.REPAIR_UNDONE, is_repairable=False, by=by)


def _drifted(observations: Sequence[StageObservation], now: datetime) -> Iterator[Finding]:
    for observation in observations:
        targets = {change.target for change in observation.changes}
        missing = observation.missing & targets
        for target in sorted(missing):
            difference = (target, "", "present", "missing")
            yield Finding(observation.stage, *difference, Reason.DRIFTED, now, is_repairable=True)
        for change in observation.changes:
            if change.target not in missing:
                yield _changed(observation, change, now)
        yield from _noticed(observation, now)
        yield from _ended(observation, now)


def _changed(observation: StageObservation, change: Change, now: datetime) -> Finding:
    """Return the finding of one field: the stage would change what was found into what is expected."""
    by = (observation.writers or {}).get((change.target, change.field), "")
    difference = (change.target, change.field, _shown(change.after), _shown(change.before))
    return Finding(observation.stage, *difference, Reason.DRIFTED, now, by, is_repairable=True)


def _noticed(observation: StageObservation, now: datetime) -> Iterator[Finding]:
    """Yield the finding of what explains the changes; without any it is nothing that has drifted."""
    stage, notice = observation.stage, observation.notice
    if notice and observation.changes:
        found = excerpt.excerpt(notice, _LONGEST_TEXT)
        yield Finding(stage, stage, NOTICE, "", found, Reason.DRIFTED, now)


def _ended(observation: StageObservation, now: datetime) -> Iterator[Finding]:
    """Yield the finding of a dry run that ended with an error, which no field stands for."""
    stage, fault = observation.stage, observation.fault
    is_told_by_checklist = stage is Stage.VERIFY_ENDPOINT or observation.is_waiting
    if fault is not None and not is_inconclusive(observation) and not is_told_by_checklist:
        found = excerpt.excerpt(fault.message, _LONGEST_TEXT)
        yield Finding(stage, stage, DRY_RUN, "no error", found, fault.reason, now)


def _failed(checks: Sequence[Check], now: datetime) -> Iterator[Finding]:
    for check in checks:
        if check.required and check.state is CheckState.FAILED:
            reason = check.reason or Reason.INTERNAL_ERROR
            found = excerpt.excerpt(f"failed: {check.message}" if check.message else "failed", _LONGEST_TEXT)
            yield Finding(Stage.VERIFY_ENDPOINT, CHECKLIST, check.name, "passed", found, reason, now)


def _unobserved(observations: Sequence[StageObservation], checks: Sequence[Check]) -> Iterator[Unobserved]:
    for each in observations:
        is_idle = each.is_waiting and not each.changes
        # A verification that ended before its checklist has shown nothing, good or bad.
        is_unverified = each.stage is Stage.VERIFY_ENDPOINT and not checks
        if each.fault is not None and (is_inconclusive(each) or is_idle or is_unverified):
            message = excerpt.excerpt(each.fault.message, _LONGEST_TEXT)
            yield Unobserved(each.stage, each.fault.reason, message)
    if any(check.state is CheckState.FAILED and check.required for check in checks):
        return
    pending = next((c for c in checks if c.required and c.state is CheckState.PENDING), None)
    if pending is not None:
        message = excerpt.excerpt(f"{pending.name}: {pending.message}", _LONGEST_TEXT)
        yield Unobserved(Stage.VERIFY_ENDPOINT, pending.reason or Reason.INTERNAL_ERROR, message)


def _shown(value: Any) -> str:
    """Return a value of a change for people: a text that has content as it is, anything else as JSON."""
    if value is None:
        return wording.NOT_SET
    text = value if isinstance(value, str) and value else json.dumps(value, default=str)
    return excerpt.excerpt(text, _LONGEST_TEXT)
