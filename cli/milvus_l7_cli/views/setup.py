"""Draw one setup: its stages, the checklist, and the last drift check."""

from __future__ import annotations

from datetime import datetime

from rich.console import Group, RenderableType
from rich.text import Text

from milvus_l7.domain.setup.document import Refusal, Setup, Status
from milvus_l7.domain.setup.schedule import is_paused
from milvus_l7.domain.text.excerpt import excerpt
from milvus_l7_cli.views import drift
from milvus_l7_cli.views.checklist import checklist_table
from milvus_l7_cli.views.durations import duration
from milvus_l7_cli.views.stages import LONGEST_MESSAGE, stage_table

STATUSES = {
    Status.ACCEPTED: "cyan",
    Status.RUNNING: "cyan",
    Status.WAITING: "yellow",
    Status.FAILED: "red",
    Status.VERIFIED: "green",
    Status.TORN_DOWN: "dim",
}


def status_words(setup: Setup) -> Text:
    """Return the setup's status, whether it is paused, and whether what was requested last is refused."""
    said = Text(str(setup.status), STATUSES[setup.status])
    if is_paused(setup):
        said.append(", paused", "yellow")
    return said.append(", last request refused", "yellow") if setup.refusal is not None else said


def next_check(setup: Setup, now: datetime) -> str:
    """Return when the setup is checked next, for a wait or for drift; "" if no check is planned."""
    moment = setup.wake_at or setup.check_at
    if moment is None:
        return ""
    return f"in {duration(moment - now)}" if moment > now else "next tick"


def setup_view(setup: Setup, now: datetime, *, bars: bool = False) -> RenderableType:
    """Draw stages, facts, checklist and drift of one setup."""
    parts: list[RenderableType] = [stage_table(setup, now, bars=bars), _facts(setup, now)]
    if setup.refusal is not None:
        parts.append(refusal_words(setup.refusal))
    if setup.facts.checklist:
        parts += [Text(""), checklist_table(setup.facts.checklist)]
    if setup.drift is not None:
        parts += [Text(""), drift.report_view(setup.drift, now)]
    return Group(*parts)


def refusal_words(refusal: Refusal) -> Text:
    """Return what the plan refused, and why."""
    said = f"✗ generation {refusal.generation} is refused: {refusal.reason}: "
    return Text(said, "red").append(excerpt(refusal.message, LONGEST_MESSAGE))


def _facts(setup: Setup, now: datetime) -> Text:
    """Return status, endpoint and next check in one paragraph."""
    said = Text("\n").append_text(status_words(setup))
    said.append(f"  {excerpt(setup.desired.domain)}")
    if setup.facts.address:
        said.append(f" at {excerpt(setup.facts.address)}")
    if setup.status is Status.VERIFIED:
        said.append("  drift: ").append_text(drift.summary(setup, now))
        moment = next_check(setup, now)
        said.append(f", next check {moment}" if moment else "", "dim")
    return said
