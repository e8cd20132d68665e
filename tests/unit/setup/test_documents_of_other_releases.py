"""Setups survive releases that add a stage or remove one: each present stage in turn plays that part."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milvus_l7.adapters.setup import documents
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import LeaseLost
from milvus_l7.domain.setup.admission import Admission
from milvus_l7.domain.setup.chain import SETUP_STAGES, TEARDOWN_STAGES, Stage
from milvus_l7.domain.setup.document import Cause, Setup, StageRecord, StageState, Status, TearDown
from milvus_l7.domain.setup.lease import LEASE_MARGIN
from milvus_l7.domain.setup.outcome import Done
from milvus_l7.domain.setup.transitions import Result, Timing, settle
from tests.builders import admission, begun, new_setup, requested_setup, trigger
from tests.fakes.state import START

LATER = START + timedelta(minutes=15)
DONE = StageRecord(StageState.DONE, finished_at=START)
UNDER_WAY = (StageState.RUNNING, StageState.WAITING, StageState.FAILED)

added_stages = st.sampled_from(SETUP_STAGES)
each_added_stage = pytest.mark.parametrize("added", SETUP_STAGES)


def verified() -> Setup:
    done = dict.fromkeys(SETUP_STAGES, DONE)
    return replace(new_setup(), stages=done, poll_at=None, check_at=LATER, verified_at=START)


def without(added: Stage, setup: Setup) -> dict[str, Any]:
    """The document of a release that had all stages but one."""
    document = documents.to_document(setup)
    document["stages"].pop(added, None)
    return document


def renamed(stage: Stage, document: dict[str, Any]) -> dict[str, Any]:
    """The document of a release that had the stage under a name that is not known."""
    stages = {("gone" if name == stage else name): record for name, record in document["stages"].items()}
    return document | {"stages": stages}


@st.composite
def in_flight(draw: st.DrawFn, added: Stage) -> Setup:
    """A run through all stages but one: some are done, and the next may be under way."""
    others = [stage for stage in SETUP_STAGES if stage is not added]
    done = draw(st.integers(0, len(others) - 1))
    stages = dict.fromkeys(others[:done], DONE)
    standing = draw(st.none() | st.sampled_from(UNDER_WAY))
    if standing:
        stages[others[done]] = StageRecord(standing, Reason.ROLLOUT_IN_PROGRESS, "1 of 2 Pods")
    return replace(new_setup(), stages=stages)


@each_added_stage
def test_verified_setup_stays_verified_and_watched_when_a_stage_is_added(added: Stage) -> None:
    setup = documents.from_document(without(added, verified()))
    assert (setup.status, setup.check_at, setup.poll_at) == (Status.VERIFIED, LATER, None)


@each_added_stage
def test_setup_that_stays_verified_is_stored_so_that_it_is_read_the_same_way(added: Stage) -> None:
    setup = documents.from_document(without(added, verified()))
    assert documents.from_document(documents.to_document(setup)) == setup


def test_torn_down_setup_stays_torn_down_when_a_stage_is_added_to_the_way_back() -> None:
    done = replace(new_setup(), teardown=TearDown(), stages=dict.fromkeys(TEARDOWN_STAGES, DONE))
    assert documents.from_document(without(Stage.TEAR_DOWN, done)).status is Status.TORN_DOWN


@given(st.data(), added_stages)
def test_run_in_flight_goes_on_when_a_stage_is_added(data: st.DataObject, added: Stage) -> None:
    run = data.draw(in_flight(added))
    others = [stage for stage in SETUP_STAGES if stage is not added]
    stood = next(stage for stage in others if run.record(stage).state is not StageState.DONE)
    setup = documents.from_document(without(added, run))
    if SETUP_STAGES.index(added) < SETUP_STAGES.index(stood) and run.record(stood).state in UNDER_WAY:
        assert setup.record(added).state is StageState.DONE
    elif added in stood.earlier and added.following is stood:
        assert (setup.current, setup.record(added)) == (added, StageRecord())
        return
    assert (setup.current, setup.record(stood)) == (stood, run.record(stood))


@given(st.data(), added_stages)
def test_run_in_flight_keeps_its_times_and_is_not_taken_for_verified(
    data: st.DataObject, added: Stage
) -> None:
    run = data.draw(in_flight(added))
    setup = documents.from_document(without(added, run))
    assert setup.poll_at == run.poll_at
    assert setup.status is not Status.VERIFIED
    if run.record(SETUP_STAGES[0]).state in UNDER_WAY:
        assert setup.status is run.status


@each_added_stage
def test_run_that_has_not_begun_includes_the_added_stage(added: Stage) -> None:
    setup = documents.from_document(without(added, requested_setup()))
    assert (setup.status, setup.stages) == (Status.ACCEPTED, {})


@pytest.mark.parametrize("gone", SETUP_STAGES)
def test_verified_setup_stays_verified_when_a_stage_is_removed_or_its_release_rolled_back(
    gone: Stage,
) -> None:
    document = documents.to_document(verified())
    document["stages"]["gone"] = document["stages"][gone]
    setup = documents.from_document(document)
    assert (setup.status, setup.stages) == (Status.VERIFIED, dict.fromkeys(SETUP_STAGES, DONE))


def test_wait_in_a_stage_that_is_not_known_goes_on_in_the_one_that_comes_next() -> None:
    waiting = StageRecord(StageState.WAITING, Reason.ROLLOUT_IN_PROGRESS, "1 of 2 Pods")
    stages = {Stage.PREPARE_TLS: DONE, Stage.CONFIGURE_HEALTH_CHECK: waiting}
    run = replace(new_setup(), stages=stages, wake_at=LATER, poll_at=LATER)
    setup = documents.from_document(renamed(Stage.CONFIGURE_HEALTH_CHECK, documents.to_document(run)))
    assert (setup.status, setup.current, setup.poll_at) == (
        Status.WAITING,
        Stage.CONFIGURE_HEALTH_CHECK,
        LATER,
    )


def leased_by_a_stage_not_known() -> tuple[Setup, Setup]:
    """The setup as the other release has it, and as this one reads it."""
    theirs = begun(new_setup(), Stage.PREPARE_TLS, "theirs")
    document = renamed(Stage.PREPARE_TLS, documents.to_document(theirs))
    return theirs, documents.from_document(document | {"lease": document["lease"] | {"stage": "gone"}})


def test_lease_on_a_stage_that_is_not_known_is_left_to_run_out() -> None:
    _, setup = leased_by_a_stage_not_known()
    event = trigger(setup, Stage.PREPARE_TLS)
    end = START + timedelta(seconds=60) + LEASE_MARGIN
    assert admission(setup, event, Stage.PREPARE_TLS, end) is Admission.BUSY
    assert admission(setup, event, Stage.PREPARE_TLS, end + timedelta(seconds=1)) is Admission.RUN


def test_execution_of_a_stage_that_is_not_known_settles_no_other_stage() -> None:
    _, setup = leased_by_a_stage_not_known()
    with pytest.raises(LeaseLost):
        settle(setup, "theirs", Result(Done()), Timing(START))


def test_cause_of_a_tear_down_may_be_a_stage_that_is_not_known() -> None:
    cause = Cause("gone", Reason.PODS_CRASHING, "pod x")
    setup = replace(new_setup(), teardown=TearDown(restore_l4=True, cause=cause))
    assert documents.from_document(documents.to_document(setup)) == setup
