"""`--watch` of a setup that has changed since its last drift check: the old verdict is no answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from milvus_l7.domain.request import registration
from milvus_l7.domain.setup.chain import SETUP_STAGES, Stage
from milvus_l7.domain.setup.document import Setup, StageRecord, StageState
from milvus_l7.domain.setup.drift_report import DriftReport, Verdict
from milvus_l7_cli.errors import CliError
from tests.builders import request, trigger
from tests.cli.setups import SETUP, operator_of, verified
from tests.fakes.operator import Answer, Operator
from tests.fakes.state import START

OLD = DriftReport(START - timedelta(seconds=5), Verdict.DRIFTED)
VERIFIED_AT = START - timedelta(seconds=60)
CHECK = ("l7-drift-check-due", {"setup_id": SETUP.setup_id})


def checked(operator: Operator, verdict: Verdict, *, repairs: bool = False) -> Callable[[], None]:
    """A drift check, which starts a repair if it is to."""

    def check() -> None:
        now, setup = operator.engine.clock.now(), operator.engine.only()
        setup = replace(setup, drift=DriftReport(now, verdict))
        operator.has(registration.repair(setup, now) if repairs else setup)

    return check


def repaired(operator: Operator) -> Callable[[], object]:
    """The run of a repair, which ends well."""

    def run() -> object:
        for stage in SETUP_STAGES:
            operator.engine.runner(stage).handle(trigger(operator.engine.only(), stage))
        return operator.engine.only()

    return run


def watched(operator: Operator, **drift: Any) -> Answer:
    body = request(drift=drift or {"policy": "repair"}).decode()
    return operator.run("request", "-f", "-", "--watch", typed=body)


def test_repair_that_the_request_allows_is_waited_for_and_checked() -> None:
    operator = operator_of(verified(verified_at=VERIFIED_AT, drift=OLD))
    operator.later = [
        operator.deliver,
        lambda: None,
        checked(operator, Verdict.DRIFTED, repairs=True),
        repaired(operator),
        lambda: None,
        checked(operator, Verdict.HEALTHY),
    ]
    answer = watched(operator)
    assert answer.code == 0
    assert "drift check  healthy" in answer.out
    assert operator.published[1:] == [CHECK]


@pytest.mark.parametrize("before", [OLD, None])
@pytest.mark.parametrize(
    ("verdict", "code"), [(Verdict.DRIFTED, 6), (Verdict.HEALTHY, 0), (Verdict.UNKNOWN, 7)]
)
def test_next_verdict_is_the_answer(before: DriftReport | None, verdict: Verdict, code: int) -> None:
    operator = operator_of(verified(verified_at=VERIFIED_AT, drift=before))
    operator.later = [operator.deliver, lambda: None, checked(operator, verdict)]
    answer = watched(operator, interval_s=600)
    assert answer.code == code
    assert f"drift check  {verdict}" in answer.out
    assert "waiting for the next drift check" in answer.err
    assert len(operator.published) == 1


def test_scheduled_check_is_waited_for_if_none_can_be_requested() -> None:
    operator = operator_of(verified(verified_at=VERIFIED_AT, drift=OLD))
    publish = operator.publish

    def only_requests(topic: str, body: dict[str, Any]) -> str:
        if topic == CHECK[0]:
            raise CliError("No permission")
        return publish(topic, body)

    operator.backend = replace(operator.backend, publish=only_requests)
    operator.later = [
        operator.deliver,
        checked(operator, Verdict.DRIFTED, repairs=True),
        repaired(operator),
        *[lambda: None] * 60,
        checked(operator, Verdict.HEALTHY),
    ]
    assert watched(operator).code == 0


def test_failed_setup_has_no_verdict_to_wait_for() -> None:
    stages = {**SETUP.stages, Stage.PREPARE_TLS: StageRecord(StageState.FAILED)}
    operator = operator_of(verified(stages=stages))
    operator.later = [operator.deliver]
    assert watched(operator).code == 3


def watched_status(setup: Setup, *options: str) -> tuple[Answer, Operator]:
    operator = operator_of(setup)
    operator.later = [lambda: None, checked(operator, Verdict.HEALTHY)]
    return operator.run("status", "my-release", "--watch", *options), operator


@pytest.mark.parametrize("options", [(), ("-o", "json")])
def test_status_after_a_repair_waits_for_the_next_check_and_publishes_nothing(
    options: tuple[str, ...],
) -> None:
    answer, operator = watched_status(verified(drift=OLD), *options)
    assert (answer.code, operator.published) == (0, [])
