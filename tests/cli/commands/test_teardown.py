"""`milvus-l7 check`, `retry`, `teardown` and `certificate`."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.domain.chain import ORDER, WAY_BACK, Stage
from shared.domain.drift import DriftReport, Unseen, Verdict
from shared.domain.reasons import Reason
from shared.domain.setup import (
    Cause,
    CertificateSpec,
    CertificateType,
    Setup,
    StageRecord,
    StageState,
    TearDown,
)
from shared.domain.supervision import Supervision
from tests.builders import CLUSTER, new_setup
from tests.fakes.finished_setup import FACTS, PEM
from tests.fakes.operator import Operator
from tests.fakes.state import START

SETUP = new_setup()
VERIFIED = replace(SETUP, stages={stage: StageRecord(StageState.DONE) for stage in ORDER}, verified_at=START)
PAUSED = replace(VERIFIED, supervision=Supervision(paused=True))
GONE = {stage: StageRecord(StageState.DONE) for stage in WAY_BACK}
CAUSE = Cause(Stage.PREPARE_TLS, Reason.MUTUAL_TLS, "tlsMode is 2")
NAMES = {"cluster": CLUSTER, "release": "my-release", "namespace": "default"}


def operator_of(setup: Setup, **changes: Any) -> Operator:
    operator = Operator()
    operator.has(replace(setup, **changes))
    return operator


def reported(verdict: Verdict, seconds: float) -> DriftReport:
    unseen = (Unseen(Stage.PREPARE_TLS, Reason.CLUSTER_UNAVAILABLE, "503"),)
    return DriftReport(START + timedelta(seconds=seconds), verdict, unseen=unseen)


@pytest.mark.parametrize(
    ("verdict", "code"), [(Verdict.HEALTHY, 0), (Verdict.DRIFTED, 6), (Verdict.UNKNOWN, 7)]
)
def test_check_waits_for_a_newer_report(verdict: Verdict, code: int) -> None:
    old = reported(Verdict.DRIFTED, -5)
    operator = operator_of(VERIFIED, drift=old)
    operator.later = [lambda: None, lambda: operator.has(replace(VERIFIED, drift=reported(verdict, 2)))]
    answer = operator.run("check", "my-release")
    assert operator.published == [("l7-drift-check-due", {"setup_id": SETUP.setup_id})]
    assert answer.code == code
    assert f"drift check  {verdict}" in answer.out
    assert "prepare_tls could not be checked" in answer.out


def test_check_that_is_not_made_in_time_is_an_error() -> None:
    operator = operator_of(VERIFIED, drift=reported(Verdict.HEALTHY, -5))
    answer = operator.run("check", "my-release")
    assert answer.code == 4
    assert operator.engine.clock.now() - START == timedelta(seconds=120)


@pytest.mark.parametrize(("setup", "why"), [(SETUP, "is accepted"), (PAUSED, "is paused")])
def test_check_is_refused_for_what_is_not_checked(setup: Setup, why: str) -> None:
    operator = operator_of(setup)
    answer = operator.run("check", "my-release")
    assert (answer.code, operator.published) == (1, [])
    assert why in answer.err


@pytest.mark.parametrize(
    "changes", [{}, {"teardown": TearDown(restore_l4=True, cause=CAUSE), "stages": GONE}]
)
def test_retry_publishes_the_stored_request(changes: dict[str, Any]) -> None:
    operator = operator_of(SETUP, **changes)
    answer = operator.run("retry", "my-release")
    (published,) = operator.published
    assert published == (
        "l7-setup-requested",
        {k: v for k, v in NAMES.items() if k != "namespace"} | {"domain": SETUP.desired.domain},
    )
    assert answer.code == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"teardown": TearDown(), "stages": GONE},
        {"teardown": TearDown(restore_l4=True, cause=CAUSE)},
        {"supervision": Supervision(paused=True)},
    ],
)
def test_retry_turns_nothing_round(changes: dict[str, Any]) -> None:
    operator = operator_of(SETUP, **changes)
    answer = operator.run("retry", "my-release")
    assert (answer.code, operator.published) == (1, [])
    assert "milvus-l7" in answer.err


@pytest.mark.parametrize("restore_l4", [True, False])
def test_teardown_says_what_goes_and_publishes(restore_l4: bool) -> None:
    operator = operator_of(VERIFIED, facts=FACTS)
    answer = operator.run("teardown", "my-release", "--yes", *(["--restore-l4"] if restore_l4 else []))
    assert operator.published == [("l7-teardown-requested", NAMES | {"restore_l4": restore_l4})]
    assert f"This deletes from {SETUP.setup_id}:" in answer.err
    assert "https://my-release.milvus.io at 192.0.2.1" in answer.err
    assert ("restarts into plaintext" in answer.err) == restore_l4
    assert answer.code == 0


def test_teardown_without_a_terminal_needs_yes() -> None:
    operator = operator_of(VERIFIED)
    answer = operator.run("teardown", "my-release", typed="y\n")
    assert (answer.code, operator.published) == (64, [])
    assert "Not a terminal; pass --yes to confirm." in answer.err


def test_teardown_of_a_given_up_setup_is_watched_to_its_good_end() -> None:
    operator = operator_of(SETUP)
    gone = TearDown(restore_l4=True, cause=CAUSE)
    operator.later = [
        lambda: operator.has(replace(SETUP, request_id="published-1", teardown=gone, stages=GONE))
    ]
    answer = operator.run("teardown", "my-release", "--yes", "--watch")
    assert answer.code == 0
    assert "✓ tear_down done" in answer.out


def test_certificate_is_the_pem_and_nothing_else() -> None:
    answer = operator_of(VERIFIED, facts=FACTS).run("certificate", "my-release")
    assert (answer.code, answer.out, answer.err) == (0, PEM, "")


def test_clients_of_a_google_managed_certificate_need_none() -> None:
    spec = CertificateSpec(type=CertificateType.GOOGLE_MANAGED)
    answer = operator_of(new_setup(certificate=spec)).run("certificate", "my-release")
    assert (answer.code, answer.out) == (1, "")
    assert "need no file" in answer.err


def test_setup_without_a_certificate_says_so() -> None:
    answer = operator_of(SETUP).run("certificate", "my-release")
    assert (answer.code, answer.out) == (1, "")
    assert "has no certificate" in answer.err
