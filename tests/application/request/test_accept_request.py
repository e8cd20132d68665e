"""Accepting and rejecting requests."""

from __future__ import annotations

from datetime import timedelta

import pytest

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import StateUnavailable
from milvus_l7.domain.request.registration import Effect
from milvus_l7.domain.request.rejection import Rejection
from tests.builders import request
from tests.fakes.engine import FakeEngine


@pytest.fixture
def cloud() -> FakeEngine:
    return FakeEngine()


def test_request_makes_a_setup_and_starts_the_chain(cloud: FakeEngine) -> None:
    assert cloud.submit("m1", request()) is Effect.CREATED
    assert cloud.only().setup_id == "milvus-testing-nonprod.us-central1-a.milvus.default.my-release"
    assert cloud.topics() == ["l7-setup-accepted"]


def test_defaults_are_filled_in(cloud: FakeEngine) -> None:
    cloud.submit("m1", request())
    wanted = cloud.only().desired
    assert (wanted.namespace, wanted.certificate.type, wanted.certificate.validity_days) == (
        "default",
        "self-managed",
        99999,
    )


def test_redelivered_request_publishes_nothing_more(cloud: FakeEngine) -> None:
    cloud.submit("m1", request())
    assert cloud.submit("m1", request()) is Effect.NONE
    assert cloud.topics() == ["l7-setup-accepted"]


def test_same_request_published_again_makes_no_second_setup(cloud: FakeEngine) -> None:
    cloud.submit("m1", request())
    cloud.submit("m2", request())
    assert cloud.only().generation == 1


def test_changed_request_makes_a_new_generation(cloud: FakeEngine) -> None:
    cloud.submit("m1", request())
    assert cloud.submit("m2", request(domain="other.example.com")) is Effect.CHANGED
    assert cloud.only().generation == 2


def test_refused_request_is_announced_and_makes_no_setup(cloud: FakeEngine) -> None:
    assert isinstance(cloud.submit("m1", request(domain="UPPER.example.com")), Rejection)
    (rejection,) = cloud.events.rejected
    assert rejection.payload()["problems"] == [
        {"field": "domain", "value": '"UPPER.example.com"', "rule": "must be lower case"}
    ]
    assert cloud.setups.stored == {}


def test_rejection_that_cannot_be_announced_is_retried(cloud: FakeEngine) -> None:
    cloud.events.failure = StateUnavailable("bus down")
    with pytest.raises(StateUnavailable):
        cloud.submit("m1", b"not json")


def test_event_of_a_request_that_could_not_be_published_is_found_by_repoll(cloud: FakeEngine) -> None:
    cloud.events.failure = StateUnavailable("bus down")
    with pytest.raises(StateUnavailable):
        cloud.submit("m1", request())
    cloud.events.failure = None
    cloud.clock.advance(seconds=31)
    assert cloud.repoll.handle().published == 1
    assert cloud.topics() == ["l7-setup-accepted"]


def test_older_request_is_announced_as_superseded_and_changes_nothing(cloud: FakeEngine) -> None:
    earlier = cloud.clock.now()
    cloud.clock.advance(minutes=5)
    cloud.submit("m2", request(domain="other.example.com"))
    before = (cloud.only(), cloud.topics(), list(cloud.setups.history))
    assert cloud.submit("m1", request(), earlier) is Effect.SUPERSEDED
    assert (cloud.only(), cloud.topics(), cloud.setups.history) == before
    (rejection,) = cloud.events.rejected
    assert (rejection.request_id, rejection.reason) == ("m1", Reason.SUPERSEDED)
    assert rejection.problems[0].rule == f"superseded by g1 of {cloud.only().setup_id}"


def test_redelivery_of_a_request_that_was_accepted_before_the_last_is_silent(cloud: FakeEngine) -> None:
    first = cloud.clock.now()
    cloud.submit("m1", request())
    cloud.clock.advance(minutes=5)
    cloud.submit("m2", request(domain="other.example.com"))
    published = cloud.topics()
    assert cloud.submit("m1", request(), first) is Effect.SUPERSEDED
    assert (cloud.events.rejected, cloud.topics(), cloud.only().generation) == ([], published, 2)


def test_superseded_request_that_cannot_be_announced_is_retried(cloud: FakeEngine) -> None:
    cloud.submit("m1", request())
    cloud.events.failure = StateUnavailable("bus down")
    with pytest.raises(StateUnavailable):
        cloud.submit("m0", request(), cloud.clock.now() - timedelta(minutes=1))


def test_each_accepted_request_is_kept_in_the_history_once(cloud: FakeEngine) -> None:
    for _ in range(2):
        cloud.submit("m1", request())
        cloud.submit("m2", request(domain="other.example.com"))
    entries = [(entry.entry_id, entry.outcome) for entry in cloud.setups.history]
    assert entries == [("accept_request.m1", "created"), ("accept_request.m2", "changed")]


def test_same_request_published_again_wakes_the_chain_by_an_event_of_its_own(cloud: FakeEngine) -> None:
    cloud.submit("m1", request())
    assert cloud.submit("m2", request()) is Effect.WOKEN
    assert cloud.topics() == ["l7-setup-accepted"] * 2
    assert len({event.event_id for event in cloud.events.published}) == 2
