"""Whether address and annotations of an Ingress are those of the load balancer that there is now."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milvus_l7.domain.frontend import ingress_freshness
from milvus_l7.domain.frontend.ingress_freshness import LET_GO, REPLACED, Look

CLASS, URL_MAP = "kubernetes.io/ingress.class", "ingress.kubernetes.io/url-map"
FINALIZER = "networking.gke.io/ingress-finalizer-V2"
THEN = datetime(2026, 1, 1, 12, tzinfo=UTC)
NOW = THEN + timedelta(seconds=60)


def ingress(annotations: dict[str, Any], finalizers: list[str] | None = None, **spec: Any) -> dict[str, Any]:
    metadata = {"annotations": annotations} | ({"finalizers": finalizers} if finalizers else {})
    status = {"loadBalancer": {"ingress": [{"ip": "203.0.113.9"}]}}
    return {"metadata": metadata, "spec": spec, "status": status}


@pytest.mark.parametrize(
    ("live", "is_fresh"),
    [
        (ingress({CLASS: "gce", URL_MAP: "x"}, [FINALIZER]), True),
        (ingress({URL_MAP: "x"}, ["networking.gke.io/ingress-finalizer"]), True),
        (ingress({CLASS: "gce"}), True),
        (ingress({CLASS: "nginx", URL_MAP: "x"}), False),
        (ingress({CLASS: "nginx", URL_MAP: "x"}, [FINALIZER]), False),  # the controller has yet to see it
        (ingress({CLASS: "gce-internal", URL_MAP: "x"}, [FINALIZER]), False),
        (ingress({URL_MAP: "x"}, [FINALIZER], ingressClassName="gce"), False),
        (ingress({CLASS: "gce", URL_MAP: "x"}), False),  # changed back, and not taken up yet
        (ingress({CLASS: "gce", URL_MAP: "x"}, ["somebody.io/else"]), False),
    ],
)
def test_what_the_controller_left_behind_is_stale(live: dict[str, Any], is_fresh: bool) -> None:
    assert ingress_freshness.stale(live, list, Look(NOW)) == ("" if is_fresh else LET_GO)


def written(manager: str, seconds: float, fields: dict[str, Any], **more: str) -> dict[str, Any]:
    """An entry of managedFields, so many seconds after the class became ours again."""
    time = (THEN + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"manager": manager, "time": time, "fieldsV1": fields, **more}


def returned(classed: float = 0, taken_up: float = 5, addressed: float = -9000) -> dict[str, Any]:
    live = ingress({CLASS: "gce", URL_MAP: "x"}, [FINALIZER])
    own = {"f:metadata": {"f:annotations": {f"f:{CLASS}": {}}}}
    theirs = {
        "f:metadata": {
            "f:annotations": {".": {}, f"f:{URL_MAP}": {}},
            "f:finalizers": {".": {}, f'v:"{FINALIZER}"': {}},
        }
    }
    status = {"f:status": {"f:loadBalancer": {"f:ingress": {}}}}
    live["metadata"]["managedFields"] = [
        written("milvus-l7", classed, own, operation="Apply"),
        written("glbc", taken_up, theirs, operation="Update"),
        written("glbc", addressed, status, operation="Update", subresource="status"),
    ]
    return live


def says(message: str, seconds: float, kind: str = "Normal") -> dict[str, Any]:
    time = (THEN + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"type": kind, "reason": "Sync", "message": message, "lastTimestamp": time}


FRONT_END = 'ForwardingRule "k8s2-fs" created'
UPDATED = says('TargetProxy "k8s2-ts" certs updated', 4)


@pytest.mark.parametrize(
    ("live", "events", "is_fresh"),
    [
        (returned(), [], False),
        (returned(addressed=30), [], True),  # the new address
        (returned(addressed=0), [], True),  # an Ingress that is made, addressed in the same second
        (returned(), [says('UrlMap "k8s2-um" created', 20)], False),  # anew
        (returned(), [says('UrlMap "k8s2-um" created', 20), says(FRONT_END, 21)], False),
        (returned(), [UPDATED], True),  # an update of ours, and no other class
        (returned(), [says(FRONT_END, 4)], True),  # HTTPS comes to a load balancer that had HTTP
        (returned(), [says("Scheduled for sync", 4)], False),
        (returned(), [says(UPDATED["message"], -4)], False),
        (returned(), [UPDATED | {"type": "Warning"}], False),
        (returned(taken_up=-600), [], True),  # an update that the controller has not synced yet
        (returned(classed=-9000, taken_up=5), [], True),  # a report of health, long after an update
        (returned(classed=-150, taken_up=-119), [], False),  # without events, for the time of a sync
        (returned(classed=-150, taken_up=-120), [], True),
    ],
)
def test_what_was_left_behind_is_stale_until_the_controller_has_reported_again(
    live: dict[str, Any], events: list[dict[str, Any]], is_fresh: bool
) -> None:
    assert ingress_freshness.stale(live, lambda: events, Look(NOW)) == ("" if is_fresh else REPLACED)


def test_ingress_that_the_controller_may_be_letting_go_of_is_stale_for_the_time_of_a_sync() -> None:
    live = returned(taken_up=-600)
    assert ingress_freshness.stale(live, list, Look(NOW, was_away=True)) == REPLACED
    later = NOW + timedelta(minutes=2)
    assert ingress_freshness.stale(live, list, Look(later, was_away=True)) == ""


def test_events_are_read_only_if_nothing_else_can_tell() -> None:
    def refused() -> list[Any]:
        raise AssertionError

    for live in (returned(addressed=30), returned(taken_up=-600), ingress({CLASS: "gce"})):
        assert ingress_freshness.stale(live, refused, Look(NOW)) == ""


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9) | st.just("2026-01-01T12:00:00Z"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["f:metadata", "f:status", "f:annotations", "time"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["metadata", "finalizers", "annotations"]), JSON), JSON)
def test_no_content_of_an_ingress_makes_a_look_crash(odd: Any, rows: Any) -> None:
    ingress_freshness.stale(odd, list, Look(NOW))
    live = returned()
    live["metadata"]["managedFields"] = rows
    ingress_freshness.stale(live, list, Look(NOW))
