"""What the Ingress and its events say about the load balancer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milvus_l7.domain.frontend import ingress_status
from milvus_l7.domain.reasons import Reason

INGRESS = {"metadata": {"uid": "this"}}


def event(kind: str, reason: str, message: str = "", uid: str | None = "this") -> dict[str, Any]:
    about = {"name": "milvus"} | ({"uid": uid} if uid else {})
    return {"type": kind, "reason": reason, "message": message, "involvedObject": about}


SCHEDULED = event("Normal", "Sync", "Scheduled for sync")
FAILED = event("Warning", "Sync", "Error syncing to GCP: something")
ADDRESSED = event("Normal", "IPChanged", "IP is now 203.0.113.9")
CREATED = event("Normal", "Sync", 'UrlMap "k8s2-um" created')
XPN = event("Normal", "XPN", "Firewall change required by security admin")


@pytest.mark.parametrize(
    ("events", "reason"),
    [
        ([], Reason.ADDRESS_PENDING),
        ([SCHEDULED], Reason.ADDRESS_PENDING),
        ([SCHEDULED, CREATED], Reason.ADDRESS_PENDING),
        ([SCHEDULED, FAILED], Reason.INGRESS_SYNC_FAILING),
        ([FAILED, SCHEDULED], Reason.INGRESS_SYNC_FAILING),
        ([FAILED, XPN], Reason.INGRESS_SYNC_FAILING),
        ([FAILED, CREATED], Reason.ADDRESS_PENDING),
        ([FAILED, ADDRESSED], Reason.ADDRESS_PENDING),
        ([ADDRESSED, FAILED], Reason.INGRESS_SYNC_FAILING),
    ],
)
def test_a_warning_counts_until_a_success_follows(events: list[dict[str, Any]], reason: Reason) -> None:
    assert ingress_status.waiting(INGRESS, events).reason is reason


def test_the_controllers_own_words_are_passed_on() -> None:
    assert ingress_status.waiting(INGRESS, [FAILED]).message == "Sync: Error syncing to GCP: something"


def test_a_misleading_prefix_is_left_out() -> None:
    message = (
        "Error syncing to GCP: error running load balancer syncing routine: "
        "loadbalancer abc-default-milvus does not exist: googleapi: Error 409: IP_IN_USE_BY_ANOTHER_RESOURCE"
    )
    found = ingress_status.waiting(INGRESS, [event("Warning", "Sync", message)])
    assert found.message == "Sync: googleapi: Error 409: IP_IN_USE_BY_ANOTHER_RESOURCE"
    assert found.reason is Reason.STATIC_IP_UNUSABLE


def test_an_earlier_ingress_of_the_same_name_does_not_count() -> None:
    old = event("Warning", "Sync", "old trouble", uid="earlier")
    assert ingress_status.waiting(INGRESS, [old]).reason is Reason.ADDRESS_PENDING
    assert ingress_status.waiting(INGRESS, [event("Warning", "Sync", uid=None)]).reason is not None


def test_long_or_odd_words_are_made_presentable() -> None:
    found = ingress_status.waiting(INGRESS, [event("Warning", "R" * 99, "a\n\x1b[31m\tb" + "x" * 999)])
    assert found.message.startswith("R" * 40 + ": a [31m bxx")
    assert len(found.message) <= 342
    assert found.message.isprintable()


def test_an_event_without_words_is_still_a_warning() -> None:
    assert ingress_status.waiting(INGRESS, [{"type": "Warning"}]).reason is Reason.INGRESS_SYNC_FAILING


MISSING = event("Warning", "MissingCertificate", "ManagedCertificate default:other missing")


def naming(*certificates: str) -> dict[str, Any]:
    annotations = {"networking.gke.io/managed-certificates": ",".join(certificates)}
    return {"metadata": {"uid": "this", "annotations": annotations}}


def test_missing_certificate_counts_while_the_ingress_names_it() -> None:
    assert (
        ingress_status.waiting(naming("one", "other"), [MISSING]).reason is Reason.MANAGED_CERTIFICATE_MISSING
    )


def test_missing_certificate_that_is_named_no_more_is_old() -> None:
    assert ingress_status.warning(naming("one"), [MISSING]) is None


def test_missing_certificate_that_is_there_by_now_is_old() -> None:
    assert ingress_status.warning(naming("other"), [MISSING], present={"other"}) is None


def test_old_warning_does_not_hide_an_earlier_one_that_still_counts() -> None:
    found = ingress_status.warning(naming("one"), [FAILED, MISSING])
    assert found is not None
    assert found.reason is Reason.INGRESS_SYNC_FAILING


def test_load_balancers_success_says_nothing_of_a_missing_certificate() -> None:
    found = ingress_status.warning(naming("other"), [MISSING, CREATED, ADDRESSED])
    assert found is not None
    assert found.reason is Reason.MANAGED_CERTIFICATE_MISSING


# Age

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def ago(event: dict[str, Any], **span: float) -> dict[str, Any]:
    then = NOW - timedelta(**span)
    return event | {"lastTimestamp": then.strftime("%Y-%m-%dT%H:%M:%SZ")}


def reason_now(*events: dict[str, Any]) -> Reason:
    return ingress_status.waiting(INGRESS, events, NOW).reason


def test_sync_that_had_nothing_to_complain_about_settles_the_warnings_before_it() -> None:
    older = ago(event("Warning", "Translate", "older"), minutes=40)
    assert reason_now(older, ago(FAILED, minutes=30), ago(SCHEDULED, minutes=20)) is Reason.ADDRESS_PENDING


def test_sync_that_has_only_begun_settles_nothing() -> None:
    for span in ({"seconds": 0}, {"seconds": 30}, {"minutes": 2}):
        assert reason_now(ago(FAILED, minutes=30), ago(SCHEDULED, **span)) is Reason.INGRESS_SYNC_FAILING


@pytest.mark.parametrize("later_s", [0, 5, 600])
def test_sync_that_failed_settles_nothing_however_long_ago(later_s: float) -> None:
    """Events tell whole seconds, and come in any order within one."""
    begun, failed = ago(SCHEDULED, seconds=1200), ago(FAILED, seconds=1200 - later_s)
    assert reason_now(begun, failed) is Reason.INGRESS_SYNC_FAILING
    assert reason_now(failed, begun) is Reason.INGRESS_SYNC_FAILING


def test_resync_every_ten_minutes_settles_what_was_corrected_meanwhile() -> None:
    events = [ago(SCHEDULED, minutes=25), ago(FAILED, minutes=24), ago(SCHEDULED, minutes=14)]
    assert reason_now(*events) is Reason.ADDRESS_PENDING
    assert reason_now(*events, ago(FAILED, minutes=13)) is Reason.INGRESS_SYNC_FAILING


def test_events_that_do_not_tell_their_time_are_settled_by_success_alone() -> None:
    assert reason_now(FAILED, SCHEDULED) is Reason.INGRESS_SYNC_FAILING
    assert reason_now(FAILED, ago(SCHEDULED, minutes=20)) is Reason.INGRESS_SYNC_FAILING


def test_sync_settles_no_missing_certificate() -> None:
    events = [ago(MISSING, minutes=30), ago(SCHEDULED, minutes=20)]
    found = ingress_status.warning(naming("other"), events, now=NOW)
    assert found is not None
    assert found.reason is Reason.MANAGED_CERTIFICATE_MISSING


@pytest.mark.parametrize(
    ("span", "words"),
    [({"seconds": 20}, "20 s ago"), ({"minutes": 12}, "12 min ago"), ({"seconds": -9}, "0 s ago")],
)
def test_message_says_how_old_the_warning_is(span: dict[str, float], words: str) -> None:
    found = ingress_status.waiting(INGRESS, [ago(FAILED, **span)], NOW)
    assert found.message == f"Sync ({words}): Error syncing to GCP: something"


def test_warning_that_holds_nothing_back_is_none() -> None:
    harmless = event("Warning", "THCAnnotationWithoutFlag", "THC annotation present")
    assert ingress_status.waiting(INGRESS, [harmless]).reason is Reason.ADDRESS_PENDING


def test_words_of_combined_events_are_the_newest_ones() -> None:
    combined = event("Warning", "MissingCertificate", f"(combined from similar events): {MISSING['message']}")
    assert ingress_status.warning(naming("one"), [combined]) is None
    success = event("Normal", "Sync", "(combined from similar events): Scheduled for sync")
    assert ingress_status.waiting(INGRESS, [FAILED, success]).reason is Reason.INGRESS_SYNC_FAILING


NO_SECRET = event("Warning", "Sync", 'error initializing translator env: secrets "s" not found')


@pytest.mark.parametrize(
    ("events", "name"),
    [
        ([], None),
        ([NO_SECRET], "s"),
        ([NO_SECRET, SCHEDULED], "s"),
        ([NO_SECRET, MISSING], "s"),  # of another controller
        ([NO_SECRET, CREATED], None),
        ([NO_SECRET, FAILED], None),  # something else holds it back now
    ],
)
def test_secret_that_holds_the_controller_back_is_the_one_of_the_newest_warning(
    events: list[dict[str, Any]], name: str | None
) -> None:
    assert ingress_status.unusable_secret(naming("other"), events) == name


@pytest.mark.parametrize(
    ("text", "names"),
    [("a", ("a",)), (" a , b,", ("a", "b")), ("", ()), (",", ()), (7, ()), (["a"], ()), (None, ())],
)
def test_list_in_an_annotation_is_read(text: Any, names: tuple[str, ...]) -> None:
    assert ingress_status.names({"metadata": {"annotations": {"key": text}}}, "key") == names


def test_annotation_of_nothing_is_empty() -> None:
    assert ingress_status.names(None, "key") == ()
    assert ingress_status.names({"metadata": {"annotations": None}}, "key") == ()


def test_newest_firewall_change_that_is_asked_for_is_found() -> None:
    newer = event("Normal", "XPN", "Firewall change required by security admin: `gcloud x`")
    assert ingress_status.firewall_change([XPN, newer, SCHEDULED]) == newer["message"]
    assert ingress_status.firewall_change([SCHEDULED]) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
KEYS = [
    "type",
    "reason",
    "message",
    "involvedObject",
    "metadata",
    "status",
    "lastTimestamp",
    "series",
    "spec",
]
ODD = st.dictionaries(st.sampled_from(KEYS), JSON | st.just("Warning") | st.just("XPN"))


@given(ODD, st.lists(ODD, max_size=4))
def test_no_content_of_ingress_or_events_makes_a_look_crash(ingress: Any, events: list[Any]) -> None:
    ingress_status.waiting(ingress, events, NOW)
    ingress_status.missed_certificates(ingress, events)
    ingress_status.firewall_change(events)
    ingress_status.unusable_secret(ingress, events)
