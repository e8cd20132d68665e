"""`milvus-l7 check`: what it publishes, waits for and exits with."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.document import Setup, StageRecord, StageState, TearDown
from milvus_l7.domain.setup.drift_report import DriftReport, Unobserved, Verdict
from milvus_l7.domain.setup.supervision import Supervision
from tests.cli.setups import ACCEPTED, SETUP, TORN_DOWN, changed, operator_of, refused, verified
from tests.fakes.state import START

PAUSED = verified(supervision=Supervision(paused=True))


def reported(verdict: Verdict, seconds: float) -> DriftReport:
    unseen = (Unobserved(Stage.PREPARE_TLS, Reason.CLUSTER_UNAVAILABLE, "503"),)
    return DriftReport(START + timedelta(seconds=seconds), verdict, unobserved=unseen)


@pytest.mark.parametrize(
    ("verdict", "code"), [(Verdict.HEALTHY, 0), (Verdict.DRIFTED, 6), (Verdict.UNKNOWN, 7)]
)
def test_check_waits_for_a_newer_report(verdict: Verdict, code: int) -> None:
    old = reported(Verdict.DRIFTED, -5)
    operator = operator_of(verified(), drift=old)
    operator.later = [lambda: None, lambda: operator.has(replace(verified(), drift=reported(verdict, 2)))]
    answer = operator.run("check", "my-release")
    assert operator.published == [("l7-drift-check-due", {"setup_id": SETUP.setup_id})]
    assert answer.code == code
    assert f"drift check  {verdict}" in answer.out
    assert "prepare_tls could not be checked" in answer.out


def test_check_that_is_not_made_in_time_is_an_error() -> None:
    operator = operator_of(verified(), drift=reported(Verdict.HEALTHY, -5))
    answer = operator.run("check", "my-release")
    assert answer.code == 4
    assert operator.engine.clock.now() - START == timedelta(seconds=120)


@pytest.mark.parametrize(
    ("setup", "why"),
    [
        (ACCEPTED, "is accepted"),
        (SETUP, "is running"),
        (verified(verified_at=None, teardown=TearDown(), stages=TORN_DOWN), "is torn-down"),
        (PAUSED, "is paused"),
    ],
)
def test_check_is_refused_for_what_is_not_checked(setup: Setup, why: str) -> None:
    operator = operator_of(setup)
    answer = operator.run("check", "my-release")
    assert (answer.code, operator.published) == (1, [])
    assert why in answer.err


FAILED = verified(stages={**SETUP.stages, Stage.PREPARE_TLS: StageRecord(StageState.FAILED)})


@pytest.mark.parametrize(
    "setup",
    [FAILED, changed(verified()), refused(verified())],
    ids=["failed", "to be planned", "refused"],
)
def test_whatever_was_verified_before_is_checked_and_not_said_to_be_repaired(setup: Setup) -> None:
    operator = operator_of(setup)
    operator.later = [
        lambda: None,
        lambda: operator.has(replace(setup, drift=reported(Verdict.HEALTHY, 2))),
    ]
    answer = operator.run("check", "my-release")
    assert (answer.code, len(operator.published)) == (0, 1)
    assert "repaired" not in answer.out
