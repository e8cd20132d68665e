"""Accepting and rejecting requests."""

from __future__ import annotations

import pytest

from milvus_l7.domain.reasons.errors import StateUnavailable
from milvus_l7.domain.request.registration import Effect
from milvus_l7.domain.request.rejection import Rejection
from tests.builders import request
from tests.fakes.engine import FakeEngine


@pytest.fixture
def cloud() -> FakeEngine:
    return FakeEngine()


def test_request_makes_a_setup_and_starts_the_chain(cloud: FakeEngine) -> None:
    assert cloud.accept.handle("m1", request()) is Effect.CREATED
    assert cloud.only().setup_id == "milvus-testing-nonprod.us-central1-a.milvus.default.my-release"
    assert cloud.topics() == ["l7-setup-accepted"]


def test_defaults_are_filled_in(cloud: FakeEngine) -> None:
    cloud.accept.handle("m1", request())
    wanted = cloud.only().desired
    assert (wanted.namespace, wanted.certificate.type, wanted.certificate.validity_days) == (
        "default",
        "self-managed",
        99999,
    )


def test_redelivered_request_publishes_nothing_more(cloud: FakeEngine) -> None:
    cloud.accept.handle("m1", request())
    assert cloud.accept.handle("m1", request()) is Effect.NONE
    assert cloud.topics() == ["l7-setup-accepted"]


def test_same_request_published_again_makes_no_second_setup(cloud: FakeEngine) -> None:
    cloud.accept.handle("m1", request())
    cloud.accept.handle("m2", request())
    assert cloud.only().generation == 1


def test_changed_request_makes_a_new_generation(cloud: FakeEngine) -> None:
    cloud.accept.handle("m1", request())
    assert cloud.accept.handle("m2", request(domain="other.example.com")) is Effect.CHANGED
    assert cloud.only().generation == 2


def test_refused_request_is_announced_and_makes_no_setup(cloud: FakeEngine) -> None:
    assert isinstance(cloud.accept.handle("m1", request(domain="UPPER.example.com")), Rejection)
    (rejection,) = cloud.events.rejected
    assert rejection.payload()["problems"] == [
        {"field": "domain", "value": '"UPPER.example.com"', "rule": "must be lower case"}
    ]
    assert cloud.setups.stored == {}


def test_rejection_that_cannot_be_announced_is_retried(cloud: FakeEngine) -> None:
    cloud.events.failure = StateUnavailable("bus down")
    with pytest.raises(StateUnavailable):
        cloud.accept.handle("m1", b"not json")


def test_event_of_a_request_that_could_not_be_published_is_found_by_repoll(cloud: FakeEngine) -> None:
    cloud.events.failure = StateUnavailable("bus down")
    with pytest.raises(StateUnavailable):
        cloud.accept.handle("m1", request())
    cloud.events.failure = None
    cloud.clock.advance(seconds=31)
    assert cloud.repoll.handle().published == 1
    assert cloud.topics() == ["l7-setup-accepted"]
