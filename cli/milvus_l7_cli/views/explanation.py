"""Explain a setup in words: what it does or waits for, since when, why, and what to do. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.document import Cause, Setup, StageRecord, StageState, Status
from milvus_l7.domain.setup.facts import CheckState
from milvus_l7.domain.setup.schedule import is_paused
from milvus_l7.domain.text.excerpt import excerpt
from milvus_l7_cli.views import drift_explanation
from milvus_l7_cli.views.durations import ago, clock, until

LONGEST_MESSAGE = 600


def explanation(setup: Setup, now: datetime) -> list[str]:
    """Return paragraphs, the most important first."""
    return list(_paragraphs(setup, now))


def _paragraphs(setup: Setup, now: datetime) -> Iterator[str]:
    paused = " It is paused." if is_paused(setup) else ""
    yield f"{setup.setup_id} is {setup.status}, generation {setup.generation}, run {setup.run}.{paused}"
    yield from _refused(setup, now)
    yield from _teardown(setup)
    if is_paused(setup):
        yield 'Nothing runs until a request without "paused" is published: milvus-l7 request -f FILE.'
    stage = setup.current
    if stage is None:
        yield from _ended(setup, now)
        return
    yield from _stage(setup, stage, now)
    yield from _checks(setup)


def _teardown(setup: Setup) -> Iterator[str]:
    """Explain why a setup is being, or was, torn down."""
    if setup.teardown is None or setup.requested is not None:
        return
    verb = "It was" if setup.status is Status.TORN_DOWN else "It is being"
    how = "torn down and the release restored" if setup.teardown.restore_l4 else "torn down"
    cause = setup.teardown.cause
    if cause is None:
        yield f"{verb} {how} as requested."
        return
    yield f'{verb} {how}, because the first set-up failed and the request says "on_failure": "restore".'
    yield from _cause(cause)
    if setup.status is Status.TORN_DOWN:
        yield f"After that, try again: milvus-l7 retry {setup.setup_id}"


def _refused(setup: Setup, now: datetime) -> Iterator[str]:
    """Explain why the plan refused what was requested last, if the setup goes on without it."""
    refusal = setup.refusal
    if refusal is None or not setup.desired_generation:
        return
    when = f"{clock(refusal.at)} ({ago(refusal.at, now)})"
    yield f"The plan refused generation {refusal.generation} at {when}, with {_reason(refusal.reason)}"
    yield from _message(refusal.message)
    yield f"What to do: {refusal.reason.remedy}"
    yield "Then request it again: milvus-l7 request -f FILE. Until then the setup goes on as it was."


def _cause(cause: Cause) -> Iterator[str]:
    yield f"What failed: {cause.stage}, with {_reason(cause.reason)}"
    yield from _message(cause.message)
    yield f"What to do: {cause.reason.remedy}"


def _reason(reason: Reason) -> str:
    return f"{reason}: {reason.meaning}"


def _message(message: str) -> Iterator[str]:
    if message:
        yield f"What was found: {excerpt(message, LONGEST_MESSAGE)}"


def _ended(setup: Setup, now: datetime) -> Iterator[str]:
    if setup.status is Status.TORN_DOWN:
        return
    version = f", Milvus {excerpt(setup.facts.milvus_version)}" if setup.facts.milvus_version else ""
    address = excerpt(setup.facts.address or "an unknown address")
    yield f"It serves https://{excerpt(setup.desired.domain)}:443 at {address}{version}."
    if setup.verified_at is not None:
        yield f"Verified at {clock(setup.verified_at)}, {ago(setup.verified_at, now)}."
    yield from drift_explanation.paragraphs(setup, now)


def _stage(setup: Setup, stage: Stage, now: datetime) -> Iterator[str]:
    record = setup.record(stage)
    state = record.state
    if setup.effect is stage:
        yield f"{stage} was interrupted while it changed the release; that is taken back before all else."
    if state is StageState.FAILED:
        yield from _failed(setup, stage, record, now)
    elif state is StageState.WAITING:
        yield from _waiting(setup, stage, record, now)
    elif state is StageState.RUNNING:
        since = f" since {clock(record.started_at)}" if record.started_at else ""
        yield f"{stage} runs{since}."
        if record.reason is not None:
            yield f"It waited before for {_reason(record.reason)}"
        if setup.lease is not None:
            yield f"If it dies, it is restarted at {clock(setup.lease.ends_at(setup.updated_at))}."
    else:
        yield from _pending(setup, stage, now)


def _pending(setup: Setup, stage: Stage, now: datetime) -> Iterator[str]:
    last = f"{clock(setup.updated_at)} ({ago(setup.updated_at, now)})"
    yield f"{stage} has not begun; the last change was at {last}."
    if setup.lease is not None:
        end = clock(setup.lease.ends_at(setup.updated_at))
        yield f"It begins when {setup.lease.stage}, which is under way, has ended; at {end} at the latest."
    elif setup.poll_at is not None:
        yield f"Its event is published. If nothing starts, it is published again {until(setup.poll_at, now)}."


def _waiting(setup: Setup, stage: Stage, record: StageRecord, now: datetime) -> Iterator[str]:
    reason, since = record.reason or Reason.INTERNAL_ERROR, record.waiting_since
    lasting = f" since {clock(since)} ({ago(since, now)})" if since else ""
    yield f"{stage} waits{lasting}, for {_reason(reason)}"
    yield from _message(record.message)
    yield f"What to do: {reason.remedy}"
    if setup.wake_at is not None:
        yield _next_check(setup.wake_at, reason, now) + f" Attempts so far: {record.attempts}."
    if since is not None:
        end = since + reason.pace.deadline
        yield f"It gives up at {clock(end)} ({until(end, now)})."


def _next_check(wake_at: datetime, reason: Reason, now: datetime) -> str:
    moment = until(wake_at, now)
    if reason.pace.is_scheduled:
        return f"It begins at {clock(wake_at)} ({moment}), at the scheduler's tick, and nothing before."
    return f"Next check: {moment}, at the scheduler's tick."


def _failed(setup: Setup, stage: Stage, record: StageRecord, now: datetime) -> Iterator[str]:
    reason, at = record.reason or Reason.INTERNAL_ERROR, record.finished_at
    when = f" at {clock(at)} ({ago(at, now)})" if at else ""
    yield f"{stage} failed{when}, with {_reason(reason)}"
    yield from _message(record.message)
    yield f"What to do: {reason.remedy}"
    yield f"Then try again: {_retry_command(setup)}"


def _retry_command(setup: Setup) -> str:
    """Return the command that runs a failed chain again."""
    if setup.teardown is None:
        return f"milvus-l7 retry {setup.setup_id}"
    restore = " --restore-l4" if setup.teardown.restore_l4 else ""
    return f"milvus-l7 teardown {setup.setup_id}{restore}"


def _checks(setup: Setup) -> Iterator[str]:
    """Yield the checklist's items that have not passed."""
    for check in setup.facts.checklist:
        if check.state is not CheckState.PASSED:
            optional = "" if check.required else " (optional)"
            remedy = f" {check.reason.remedy}" if check.reason else ""
            message = excerpt(check.message, LONGEST_MESSAGE)
            yield f"Check {check.name}{optional} {check.state}: {message}.{remedy}".replace("..", ".")
