"""What the Ingress and its events say about the load balancer."""

from __future__ import annotations

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
KEYS = ["type", "reason", "message", "involvedObject", "metadata", "status"]
ODD = st.dictionaries(st.sampled_from(KEYS), JSON | st.just("Warning") | st.just("XPN"))


@given(ODD, st.lists(ODD, max_size=4))
def test_no_content_of_ingress_or_events_makes_a_look_crash(ingress: Any, events: list[Any]) -> None:
    ingress_status.waiting(ingress, events)
    ingress_status.firewall_change(events)
    ingress_status.unusable_secret(ingress, events)
