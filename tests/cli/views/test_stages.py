"""The view of a setup: how long things take, and when it is checked next."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import timedelta

import pytest
from rich.console import Console

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.document import Setup, StageRecord, StageState
from milvus_l7_cli.views import stages
from tests.builders import new_setup
from tests.fakes.state import START

RECORD = StageRecord(StageState.WAITING, Reason.ADDRESS_PENDING, "no address yet", started_at=START)


def waiting(wake_after_s: float) -> Setup:
    stages = {Stage.PREPARE_TLS: RECORD}
    return replace(new_setup(), stages=stages, wake_at=START + timedelta(seconds=wake_after_s))


def shown(setup: Setup, after_s: float) -> str:
    text = io.StringIO()
    Console(file=text, width=200).print(stages.stage_table(setup, START + timedelta(seconds=after_s)))
    return text.getvalue()


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0.0 s"), (119.9, "119.9 s"), (120, "2 min 00 s"), (754.9, "12 min 34 s")],
)
def test_long_times_are_told_in_minutes(seconds: float, said: str) -> None:
    assert stages.elapsed(RECORD, START + timedelta(seconds=seconds)) == said


def test_countdown_to_the_next_check_is_shown() -> None:
    assert "(next check in 50 s)" in shown(waiting(60), 10)
    assert "(next check in 9 min 50 s)" in shown(waiting(600), 10)


def test_check_that_is_due_waits_for_the_scheduler() -> None:
    for after_s in (60, 90):
        assert "next check at the scheduler's next tick" in shown(waiting(60), after_s)


def test_stage_that_does_not_wait_has_no_next_check() -> None:
    done = replace(waiting(60), stages={Stage.PREPARE_TLS: StageRecord(StageState.DONE)})
    assert "next check" not in shown(done, 10)


def test_what_a_done_stage_tells_is_shown() -> None:
    record = StageRecord(StageState.DONE, message="its address is another now")
    done = replace(waiting(60), stages={Stage.PREPARE_TLS: record})
    assert "its address is another now" in shown(done, 10)
    text = io.StringIO()
    stages.Lines(Console(file=text)).show(done)
    assert "prepare_tls done   its address is another now" in text.getvalue()
