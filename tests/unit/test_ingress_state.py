"""What the Ingress and its events say about the load balancer."""

from __future__ import annotations

from typing import Any

import pytest

from shared.domain import ingress_state
from shared.domain.reasons import Reason

INGRESS = {"metadata": {"uid": "this"}}


def event(kind: str, reason: str, message: str = "", uid: str | None = "this") -> dict[str, Any]:
    about = {"name": "milvus"} | ({"uid": uid} if uid else {})
    return {"type": kind, "reason": reason, "message": message, "involvedObject": about}


SCHEDULED = event("Normal", "Sync", "Scheduled for sync")
FAILED = event("Warning", "Sync", "Error syncing to GCP: quota")
ADDRESSED = event("Normal", "IPChanged", "IP is now 203.0.113.9")
CREATED = event("Normal", "Sync", 'UrlMap "k8s2-um" created')
XPN = event("Normal", "XPN", "Firewall change required by security admin")


@pytest.mark.parametrize(
    "status",
    [
        None,
        {},
        {"loadBalancer": None},
        {"loadBalancer": {}},
        {"loadBalancer": {"ingress": None}},
        {"loadBalancer": {"ingress": [{}]}},
        {"loadBalancer": {"ingress": [{"ip": ""}]}},
    ],
)
def test_no_address_is_none(status: Any) -> None:
    assert ingress_state.address({"status": status}) is None
    assert ingress_state.address(None) is None


def test_the_first_ip_is_the_address() -> None:
    status = {"loadBalancer": {"ingress": [{"ip": "203.0.113.9"}]}}
    assert ingress_state.address({"status": status}) == "203.0.113.9"


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
    assert ingress_state.waiting(INGRESS, events).reason is reason


def test_the_controllers_own_words_are_passed_on() -> None:
    assert ingress_state.waiting(INGRESS, [FAILED]).message == "Sync: Error syncing to GCP: quota"


def test_a_misleading_prefix_is_left_out() -> None:
    message = (
        "Error syncing to GCP: error running load balancer syncing routine: "
        "loadbalancer abc-default-milvus does not exist: googleapi: Error 409: IP_IN_USE_BY_ANOTHER_RESOURCE"
    )
    found = ingress_state.waiting(INGRESS, [event("Warning", "Sync", message)])
    assert found.message == "Sync: googleapi: Error 409: IP_IN_USE_BY_ANOTHER_RESOURCE"


def test_an_earlier_ingress_of_the_same_name_does_not_count() -> None:
    old = event("Warning", "Sync", "old trouble", uid="earlier")
    assert ingress_state.waiting(INGRESS, [old]).reason is Reason.ADDRESS_PENDING
    assert ingress_state.waiting(INGRESS, [event("Warning", "Sync", uid=None)]).reason is not None


def test_long_or_odd_words_are_made_presentable() -> None:
    found = ingress_state.waiting(INGRESS, [event("Warning", "R" * 99, "a\n\x1b[31m\tb" + "x" * 999)])
    assert found.message.startswith("R" * 40 + ": a [31m bxx")
    assert len(found.message) <= 342
    assert found.message.isprintable()


def test_an_event_without_words_is_still_a_warning() -> None:
    assert ingress_state.waiting(INGRESS, [{"type": "Warning"}]).reason is Reason.INGRESS_SYNC_FAILING
