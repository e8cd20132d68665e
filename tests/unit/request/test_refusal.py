"""A request that its plan refuses harms nothing: the setup goes on with what it had."""

from __future__ import annotations

import pytest

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.request.registration import Effect, register, tear_down
from milvus_l7.domain.request.request import SetupSpec, TearDownSpec
from milvus_l7.domain.setup.admission import Admission
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.document import Refusal, Setup, StageState, Status
from milvus_l7.domain.setup.outcome import Failed, Waiting
from milvus_l7.domain.setup.supervision import OnFailure, Supervision
from tests.builders import (
    admission,
    after,
    arrival,
    desired,
    finished,
    new_setup,
    requested_setup,
    trigger,
    wish,
)
from tests.fakes.state import START

PLAN, FIRST, SECOND = Stage.PLAN_SETUP, Stage.PREPARE_TLS, Stage.CONFIGURE_HEALTH_CHECK
REFUSED = Failed(Reason.MUTUAL_TLS, "tlsMode 2")
OTHER = wish(domain="other.example.com")


def refused(setup: Setup, message_id: str = "m2", **later: float) -> Setup:
    changed, _ = register(setup, OTHER, arrival(message_id, **{"seconds": 1, **later}))
    return after(changed, PLAN, REFUSED)


def test_verified_setup_stays_verified_as_it_was_and_is_still_checked() -> None:
    verified = finished(new_setup())
    setup = refused(verified)
    assert (setup.status, setup.desired, setup.desired_generation) == (Status.VERIFIED, verified.desired, 1)
    assert (setup.check_at, setup.poll_at) == (verified.check_at, None)
    assert setup.refusal == Refusal(2, Reason.MUTUAL_TLS, "tlsMode 2", START)


def test_first_request_that_is_refused_leaves_a_failed_setup() -> None:
    setup = after(requested_setup(), PLAN, REFUSED)
    assert (setup.status, setup.current, setup.poll_at) == (Status.FAILED, PLAN, None)
    record = setup.record(PLAN)
    assert (record.state, record.reason, record.message) == (
        StageState.FAILED,
        Reason.MUTUAL_TLS,
        "tlsMode 2",
    )


def test_first_request_that_is_refused_has_nothing_to_be_restored() -> None:
    setup = requested_setup(supervision=Supervision(on_failure=OnFailure.RESTORE))
    assert after(setup, PLAN, REFUSED).status is Status.FAILED


def test_setup_in_the_middle_of_its_chain_goes_on_with_it() -> None:
    setup = refused(after(new_setup(), FIRST))
    assert (setup.current, setup.generation, setup.desired_generation) == (SECOND, 2, 1)
    assert setup.poll_at is not None
    assert admission(setup, trigger(setup, SECOND), SECOND) is Admission.RUN
    assert finished(setup).status is Status.VERIFIED


def test_setup_that_waited_goes_on_waiting_in_the_same_run() -> None:
    waiting = after(new_setup(), FIRST, Waiting(Reason.ROLLOUT_IN_PROGRESS, "1 of 2"))
    setup = refused(waiting)
    assert (setup.record(FIRST), setup.budgets[FIRST]) == (waiting.record(FIRST), waiting.budgets[FIRST])


def test_same_request_that_is_refused_while_a_stage_waits_leaves_that_waiting() -> None:
    waiting = after(new_setup(), FIRST, Waiting(Reason.ROLLOUT_IN_PROGRESS, "1 of 2"))
    again, _ = register(waiting, wish(), arrival("m2", seconds=1))
    setup = after(again, PLAN, Failed(Reason.MUTUAL_TLS, "tlsMode 2"))
    assert (setup.current, setup.record(FIRST)) == (FIRST, waiting.record(FIRST))
    assert (setup.desired, setup.refusal and setup.refusal.reason) == (waiting.desired, Reason.MUTUAL_TLS)


def test_tear_down_under_way_goes_on() -> None:
    down, _ = tear_down(
        finished(new_setup()), TearDownSpec(desired(), restore_l4=False), arrival("t1", seconds=1)
    )
    setup = refused(down, seconds=2)
    assert (setup.current, setup.status) == (Stage.TEAR_DOWN, Status.ACCEPTED)
    assert after(setup, Stage.TEAR_DOWN).status is Status.TORN_DOWN


@pytest.mark.parametrize("wanted", [wish(), OTHER, wish(domain="third.example.com")])
def test_next_request_after_a_refused_one_works(wanted: SetupSpec) -> None:
    setup = refused(finished(new_setup()))
    again, effect = register(setup, wanted, arrival("m3", seconds=2))
    assert effect in (Effect.CHANGED, Effect.RESTARTED)
    assert admission(again, trigger(again, PLAN), PLAN) is Admission.RUN
    verified = finished(again)
    assert (verified.status, verified.desired, verified.refusal) == (
        Status.VERIFIED,
        wanted.desired,
        None,
    )


def test_same_request_after_a_refused_first_one_is_planned_again() -> None:
    setup = after(requested_setup(), PLAN, REFUSED)
    again, effect = register(setup, wish(), arrival("m2", seconds=1))
    assert (effect, again.current) == (Effect.RESTARTED, PLAN)
    assert finished(again).status is Status.VERIFIED


@pytest.mark.parametrize("spec", [wish(Supervision(interval_s=600)), wish(), OTHER])
def test_refusal_is_told_until_another_request_is_accepted(spec: SetupSpec) -> None:
    setup = refused(after(new_setup(), FIRST))
    again, _ = register(setup, spec, arrival("m3", seconds=2))
    assert (setup.refusal is None, again.refusal) == (False, None)
    same, _ = register(setup, spec, arrival("m2", seconds=1))
    assert same.refusal == setup.refusal


def test_transient_fault_of_a_plan_is_waited_for_and_refuses_nothing() -> None:
    changed, _ = register(finished(new_setup()), OTHER, arrival("m2", seconds=1))
    waiting = after(changed, PLAN, Waiting(Reason.CLUSTER_UNAVAILABLE, "503"))
    assert (waiting.status, waiting.refusal, waiting.record(PLAN).state) == (
        Status.WAITING,
        None,
        StageState.WAITING,
    )
    assert finished(waiting).desired.domain == "other.example.com"
