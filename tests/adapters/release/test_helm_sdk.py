"""What Helm's errors mean, by what became of its requests."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from milvus_l7.adapters.release.helm_sdk import sdk, translated
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import L7Error, Permanent, Transient, Unanswered

LOST = "upgrade failed: http2: client connection lost"
DENIED = 'secrets is forbidden: User "x" cannot create resource "secrets"'


@dataclass
class Requests:
    """Implements `Seen`."""

    refusal: Transient | Permanent | None = None
    denied: list[str] = field(default_factory=list)
    lost: list[L7Error] = field(default_factory=list)
    has_written: bool = False
    in_flight: int = 0


def meaning(said: str, seen: Requests) -> L7Error:
    with pytest.raises(L7Error) as caught, translated("my-release", seen):
        raise sdk().HelmReleaseError(said)
    return caught.value


def test_write_whose_answer_has_not_come_may_still_take_effect() -> None:
    assert isinstance(meaning(LOST, Requests(has_written=True, in_flight=1)), Unanswered)


def test_write_that_the_api_server_did_not_answer_may_still_take_effect() -> None:
    lost = Unanswered(Reason.CLUSTER_UNAVAILABLE, "no answer")
    assert meaning(LOST, Requests(has_written=True, lost=[lost])) is lost


def test_failure_with_every_request_answered_has_no_more_effect() -> None:
    for seen in (Requests(), Requests(has_written=True)):
        found = meaning(LOST, seen)
        assert isinstance(found, Transient)
        assert not isinstance(found, Unanswered)


def test_write_that_another_one_is_in_the_way_of_has_not_begun() -> None:
    found = meaning("another operation (install/upgrade/rollback) is in progress", Requests())
    assert isinstance(found, Transient)
    assert found.reason is Reason.RELEASE_BUSY


def test_missing_right_is_told_as_that_whatever_helm_makes_of_it() -> None:
    for said in ("error calling lookup", "kubernetes cluster unreachable: unknown"):
        found = meaning(said, Requests(denied=[DENIED]))
        assert isinstance(found, Permanent)
        assert (found.reason, found.message) == (Reason.CLUSTER_ACCESS_DENIED, DENIED)


def test_what_was_begun_is_taken_back_before_it_is_judged_again() -> None:
    found = meaning("no", Requests(has_written=True, denied=[DENIED]))
    assert isinstance(found, Transient)
    assert found.reason is Reason.HELM_FAILED


def test_what_a_template_says_when_it_fails_is_not_told() -> None:
    said = "execution error at (milvus/templates/x.yaml:3:4): the password is not-to-be-seen"
    found = meaning(said, Requests())
    assert isinstance(found, Permanent)
    assert found.message == "release my-release: the chart's own check at milvus/templates/x.yaml:3:4 failed"
