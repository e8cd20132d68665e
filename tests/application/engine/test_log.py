"""Log lines: one line, of bounded length, whatever is told."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from milvus_l7.application.engine import log
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.setup.desired import SetupId
from milvus_l7.domain.setup.event import Event


def written(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    (line,) = capsys.readouterr().out.splitlines()
    assert len(line.encode()) < log.LONGEST_LINE
    return json.loads(line)  # type: ignore[no-any-return]


def test_a_short_line_is_written_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    told = {"reason": Reason.HELM_FAILED, "work_ms": 1.5, "woken": 3, "nothing": None, "is_full": True}
    log.write("INFO", "stage done", **told)
    assert written(capsys) == {
        "severity": "INFO",
        "message": "stage done",
        "reason": "HelmFailed",
        "work_ms": 1.5,
        "woken": 3,
        "is_full": True,
    }


@pytest.mark.parametrize("character", ["x", "\N{GRINNING FACE}", "\ud800", "\n", '"', "\x00"])
def test_a_forged_event_of_nine_megabytes_writes_a_short_line(
    character: str, capsys: pytest.CaptureFixture[str]
) -> None:
    forged = character * 9_900_000
    log.write("ERROR", forged, event=Event(forged, "topic", SetupId(forged), 1, "stage"), other=forged)
    assert written(capsys)["severity"] == "ERROR"


def test_many_long_frames_of_a_traceback_are_cut(capsys: pytest.CaptureFixture[str]) -> None:
    log.write("ERROR", "failed", frames=["\N{GRINNING FACE}" * 500] * 2000)
    assert written(capsys)["frames"]


def test_a_number_of_thousands_of_digits_is_told_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    log.write("ERROR", "failed", generation=10**5000)
    assert written(capsys)["generation"] == "a number out of range"


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3000)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    message=st.text(max_size=5000),
    more=st.dictionaries(st.sampled_from("abcdefgh"), scalars | st.lists(scalars, max_size=4)),
)
def test_any_values_make_one_short_line(
    message: str, more: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    log.write("INFO", message, **more)
    assert "severity" in written(capsys)
