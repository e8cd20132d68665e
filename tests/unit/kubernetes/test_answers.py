"""Every answer of the Kubernetes API means one of our errors, and says no more than it may."""

from __future__ import annotations

from typing import Any

import pytest

from milvus_l7.adapters.kubernetes.answers import Answer, content
from milvus_l7.domain.kubernetes.events import last_seen
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Conflict, Permanent, Transient, Unanswered


def status(code: int, reason: str = "", message: str = "", **details: Any) -> Answer:
    body = {"kind": "Status", "code": code, "reason": reason, "message": message, "details": details}
    return Answer(code, body)


def error(answer: Answer, kind: str = "Service") -> Permanent | Transient:
    with pytest.raises((Permanent, Transient)) as refused:
        content(answer, kind)
    return refused.value


@pytest.mark.parametrize(
    ("code", "kind", "reason"),
    [
        (400, Permanent, Reason.REFUSED_BY_CLUSTER),
        (401, Permanent, Reason.CLUSTER_ACCESS_DENIED),
        (403, Permanent, Reason.CLUSTER_ACCESS_DENIED),
        (404, Permanent, Reason.REFUSED_BY_CLUSTER),
        (405, Permanent, Reason.REFUSED_BY_CLUSTER),
        (408, Transient, Reason.CLUSTER_UNAVAILABLE),
        (409, Conflict, Reason.CLUSTER_UNAVAILABLE),
        (410, Transient, Reason.CLUSTER_UNAVAILABLE),
        (413, Permanent, Reason.REFUSED_BY_CLUSTER),
        (422, Permanent, Reason.REFUSED_BY_CLUSTER),
        (429, Transient, Reason.CLUSTER_UNAVAILABLE),
        (500, Transient, Reason.CLUSTER_UNAVAILABLE),
        (503, Transient, Reason.CLUSTER_UNAVAILABLE),
        (504, Transient, Reason.CLUSTER_UNAVAILABLE),
    ],
)
def test_every_status_has_its_error(code: int, kind: type, reason: Reason) -> None:
    found = error(status(code, message="the words"))
    assert (type(found), found.reason) == (kind, reason)
    assert "the words" in found.message


@pytest.mark.parametrize("code", [408, 500, 502, 503, 504, 200])
def test_write_whose_answer_tells_nothing_may_still_be_made(code: int) -> None:
    with pytest.raises(Unanswered):
        content(Answer(code, {}), "Service", is_write=True)


@pytest.mark.parametrize("code", [400, 401, 403, 404, 409, 410, 422, 429])
def test_write_that_was_refused_is_not_made(code: int) -> None:
    with pytest.raises((Permanent, Transient)) as refused:
        content(status(code), "Service", is_write=True)
    assert not isinstance(refused.value, Unanswered)


def test_a_field_conflict_names_every_manager_and_field() -> None:
    causes = [
        {"reason": "FieldManagerConflict", "message": 'conflict with "helm"', "field": ".spec.a"},
        {"reason": "FieldManagerConflict", "message": 'conflict with "kubectl"', "field": ".spec.b"},
    ]
    found = error(status(409, "Conflict", causes=causes))
    assert found.reason is Reason.FIELD_CONFLICT
    assert found.message == 'Service: .spec.a: conflict with "helm"; .spec.b: conflict with "kubectl"'


def test_a_success_that_is_no_object_is_a_proxy_in_the_way() -> None:
    assert error(Answer(200, {})).reason is Reason.CLUSTER_UNAVAILABLE


def test_long_words_are_cut() -> None:
    assert len(error(status(400, message="x" * 5000)).message) == 300
    clash = {"reason": "FieldManagerConflict", "message": "x" * 5000, "field": ".spec"}
    assert len(error(status(409, causes=[clash])).message) == 300


def test_of_a_secret_only_the_kind_of_error_is_told() -> None:
    found = error(status(422, "Invalid", 'data: Invalid value: "c2VjcmV0"'), "Secret")
    assert "c2VjcmV0" not in found.message
    assert "422 for a Secret: Invalid" in found.message


def test_a_missing_right_is_told_of_secrets_too() -> None:
    words = 'secrets "x" is forbidden: User "me" cannot get resource "secrets"'
    assert words in error(status(403, "Forbidden", words), "Secret").message


def test_only_the_object_itself_can_be_missing() -> None:
    assert status(404, "NotFound", name="x").says_missing("x")
    assert not status(404, "NotFound").says_missing("x")
    assert not Answer(404, {}).says_missing("x")


def test_the_newest_time_of_an_event_counts() -> None:
    old = {"lastTimestamp": "2026-01-01T00:00:01Z", "eventTime": None}
    new = {"eventTime": "2026-01-01T00:00:01.5Z", "lastTimestamp": None}
    series = {"eventTime": "2026-01-01T00:00:00Z", "series": {"lastObservedTime": "2026-01-01T00:00:09Z"}}
    odd, early = {"lastTimestamp": "yesterday"}, {"lastTimestamp": "0001-01-01T00:00:00+14:00"}
    ordered = [{}, old, new, series]
    shuffled = [series, old, {}, new]
    assert sorted(shuffled, key=last_seen) == ordered
    assert last_seen(odd) == last_seen(early) == last_seen({})
