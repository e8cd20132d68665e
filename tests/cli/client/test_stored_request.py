"""A stored setup, as the request that it stands for."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.request import registration
from milvus_l7.domain.request.request import SetupSpec, parse, parse_tear_down
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.outcome import Failed
from milvus_l7_cli.client import stored_request
from tests.builders import CLUSTER, after, arrival, finished, new_setup, wish

DOMAINS = st.from_regex(r"[a-z]{1,8}(-[a-z]{1,3})?\.[a-z]{2,6}", fullmatch=True)
SELF_MANAGED = st.fixed_dictionaries(
    {}, optional={"secret": st.just("my-tls"), "validity_days": st.integers(1, 99999)}
)
GOOGLE_MANAGED = st.fixed_dictionaries(
    {"type": st.just("google-managed")},
    optional={"domains": st.lists(DOMAINS, max_size=4), "recreate_failed": st.booleans()},
)
DRIFT = st.fixed_dictionaries(
    {}, optional={"policy": st.sampled_from(["report", "repair"]), "interval_s": st.integers(60, 86400)}
)
REQUESTS = st.fixed_dictionaries(
    {
        "cluster": st.just(CLUSTER),
        "release": st.from_regex(r"[a-z][a-z0-9]{0,9}", fullmatch=True),
        "domain": DOMAINS,
    },
    optional={
        "namespace": st.sampled_from(["default", "search"]),
        "certificate": SELF_MANAGED | GOOGLE_MANAGED,
        "backend_timeout_s": st.integers(1, 86400),
        "adopt": st.booleans(),
        "verification": st.fixed_dictionaries({"deep": st.booleans()}),
        "dns": st.just({"managed_zone": "projects/milvus-testing/managedZones/milvus-io"}),
        "drift": DRIFT | st.just({"policy": "repair", "reissue_certificate": True}),
        "paused": st.booleans(),
        "on_failure": st.sampled_from(["keep", "restore"]),
        "maintenance_window": st.fixed_dictionaries(
            {"start_time": st.just("22:30"), "end_time": st.sampled_from(["02:00", "23:00"])},
            optional={
                "time_zone": st.sampled_from(["UTC", "Europe/Berlin"]),
                "days": st.lists(st.sampled_from(["SU", "MO"]), max_size=2),
            },
        ),
    },
)


def is_consistent(body: dict[str, Any]) -> bool:
    """A certificate can only be replaced if milvus-l7 issued it."""
    certificate = body.get("certificate", {})
    is_foreign = "type" in certificate or "secret" in certificate
    return not (is_foreign and body.get("drift", {}).get("reissue_certificate"))


def spec_of(body: dict[str, Any]) -> SetupSpec:
    return parse(json.dumps(body).encode())


@given(REQUESTS.filter(is_consistent))
def test_stored_setup_asks_for_what_the_request_asked_for(body: dict[str, Any]) -> None:
    spec = spec_of(body)
    setup, _ = registration.register(None, spec, arrival())
    assert spec_of(stored_request.body(setup)) == spec


def test_request_that_is_to_be_planned_is_what_the_setup_asks_for_and_a_refused_one_is_not() -> None:
    other = wish(domain="other.milvus.io")
    changed, _ = registration.register(finished(new_setup()), other, arrival("m2", seconds=1))
    assert stored_request.body(changed)["domain"] == "other.milvus.io"
    refused = after(changed, Stage.PLAN_SETUP, Failed(Reason.MUTUAL_TLS, "tlsMode 2"))
    assert stored_request.body(refused)["domain"] == "my-release.milvus.io"


def test_defaults_are_left_out() -> None:
    assert set(stored_request.body(new_setup())) == {"cluster", "release", "domain"}


def test_tear_down_names_the_setup() -> None:
    setup = new_setup(namespace="search")
    body = stored_request.tear_down_body(setup, restore_l4=True)
    spec = parse_tear_down(json.dumps(body).encode())
    assert (spec.setup_id, spec.restore_l4) == (setup.setup_id, True)
