"""Times, progress and staleness, as the command line tells them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.setup.document import StageRecord, StageState
from milvus_l7.domain.setup.drift_report import DriftReport, Verdict
from milvus_l7_cli import freshness
from milvus_l7_cli.commands import local
from milvus_l7_cli.views import stages
from milvus_l7_cli.views.durations import ago, duration, until
from tests.builders import new_setup
from tests.fakes.state import START


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (119, "119 s"), (7199, "119 min 59 s"), (7200, "2 h 00 min"), (172800, "2 d 0 h")],
)
def test_long_spans_are_told_in_larger_units(seconds: float, words: str) -> None:
    assert duration(timedelta(seconds=seconds)) == words


def test_clocks_that_differ_make_no_negative_times() -> None:
    assert ago(START + timedelta(seconds=3), START) == "0 s ago"
    assert until(START - timedelta(seconds=3), START) == "now"


@pytest.mark.parametrize(("age_s", "is_stale"), [(1800, False), (1801, True)])
def test_report_is_stale_after_two_intervals(age_s: float, is_stale: bool) -> None:
    report = DriftReport(START, Verdict.HEALTHY)
    setup = replace(new_setup(), drift=report)
    assert freshness.is_stale(setup, START + timedelta(seconds=age_s)) == is_stale


@pytest.mark.parametrize(
    ("state", "waited", "progress"),
    [
        (StageState.PENDING, None, 0),
        (StageState.RUNNING, None, 0),
        (StageState.WAITING, 0, 0),
        (StageState.WAITING, 0.5, 0.5),
        (StageState.WAITING, 2, 1),
        (StageState.DONE, None, 1),
        (StageState.FAILED, None, 1),
    ],
)
def test_bar_of_a_wait_tells_how_much_of_its_patience_is_used_up(
    state: StageState, waited: float | None, progress: float
) -> None:
    reason = Reason.ADDRESS_PENDING
    since = START - reason.pace.deadline * waited if waited is not None else None
    record = StageRecord(state, reason, waiting_since=since)
    assert stages.progress(record, START) == progress


def test_stage_that_runs_has_no_next_check() -> None:
    record = StageRecord(StageState.RUNNING, Reason.ADDRESS_PENDING)
    setup = replace(new_setup(), wake_at=START + timedelta(seconds=9))
    assert stages.next_check(setup, record, START) == ""


def test_demo_is_started_with_its_own_options() -> None:
    arguments = local.demo_arguments(local.CertificateKind.GOOGLE_MANAGED, keep=True, real_time=False)
    assert arguments == ["demo", "--certificate", "google-managed", "--keep"]
