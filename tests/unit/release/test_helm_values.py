"""What must change in a release's values, what must not, and what is remembered."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from milvus_l7.domain.kubernetes.change import Change
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Permanent
from milvus_l7.domain.release.helm_values import (
    USER_YAML,
    ReleaseValues,
    fullname,
    merged,
    name_label,
    overlaid,
    plan,
)

TARGET = "Release default/my-release"
DEFAULTS = {"service": {"type": "ClusterIP", "port": 19530}, "extraConfigFiles": {"user.yaml": "# default\n"}}
TLS = "common:\n  security:\n    tlsMode: 1\nproxy:\n  http:\n    port: 8080\n"


def values(chosen: dict[str, Any], defaults: dict[str, Any] | None = None) -> ReleaseValues:
    return ReleaseValues(TARGET, 3, chosen, DEFAULTS if defaults is None else defaults)


def test_load_balancer_without_tls_gets_both() -> None:
    found = plan(values({"service": {"type": "LoadBalancer", "nodePort": 30000}}))
    assert found.overlay == {
        "service": {"type": "ClusterIP"},
        "extraConfigFiles": {"user.yaml": "# default\n" + TLS},
    }
    assert found.changes == (
        Change(TARGET, "service.type", "LoadBalancer", "ClusterIP"),
        Change(TARGET, f"{USER_YAML}.common.security.tlsMode", None, 1),
        Change(TARGET, f"{USER_YAML}.proxy.http.port", None, 8080),
    )


def test_only_what_differs_is_in_the_overlay() -> None:
    found = plan(values({}))
    assert "service" not in found.overlay
    assert found.before.values == {USER_YAML: None}
    done = {"service": {"type": "NodePort"}, "extraConfigFiles": {"user.yaml": TLS}}
    assert plan(values(done)).overlay == {"service": {"type": "ClusterIP"}}


def test_empty_service_type_is_cluster_ip() -> None:
    assert plan(values({"service": {"type": ""}, "extraConfigFiles": {"user.yaml": TLS}})).changes == ()


def test_user_yaml_of_the_user_is_merged_into_instead_of_the_chart_s() -> None:
    found = plan(values({"extraConfigFiles": {"user.yaml": "log: {level: warn}\n", "other.yaml": "x"}}))
    text = found.overlay["extraConfigFiles"]["user.yaml"]
    assert yaml.safe_load(text)["log"] == {"level": "warn"}
    assert "# default" not in text
    assert list(found.overlay["extraConfigFiles"]) == ["user.yaml"]


@pytest.mark.parametrize("files", [None, {"user.yaml": None}, {}])
def test_missing_user_yaml_is_an_empty_one(files: Any) -> None:
    found = plan(values({"extraConfigFiles": files}, {"service": {"type": "ClusterIP"}}))
    assert found.overlay == {"extraConfigFiles": {"user.yaml": TLS}}


def test_before_holds_only_our_keys_and_none_for_what_the_user_had_not_set() -> None:
    mine = "minio: {secretAccessKey: s3cr3t}\ncommon: {security: {tlsMode: 0}}\n"
    before = plan(
        values({"service": {"type": "LoadBalancer"}, "extraConfigFiles": {"user.yaml": mine}})
    ).before
    assert before.revision == 3
    assert before.values == {"service.type": "LoadBalancer"}
    assert before.user_yaml == {"common.security.tlsMode": 0, "proxy.http.port": None}
    untouched = plan(values({}, {"service": {"type": "NodePort"}})).before
    assert untouched.values == {"service.type": None, USER_YAML: None}


def test_custom_config_map_is_refused() -> None:
    with pytest.raises(Permanent) as caught:
        plan(values({"customConfigMap": "mine"}))
    assert caught.value.reason is Reason.CUSTOM_CONFIG_MAP


@pytest.mark.parametrize("text", [{"common": {}}, 3, ["a"]])
def test_user_yaml_that_is_no_text_is_refused(text: Any) -> None:
    with pytest.raises(Permanent) as caught:
        plan(values({"extraConfigFiles": {"user.yaml": text}}))
    assert caught.value.reason is Reason.USER_YAML_INVALID


@pytest.mark.parametrize("odd", ["LoadBalancer", [1], None])
def test_sections_that_are_no_maps_do_not_crash(odd: Any) -> None:
    assert plan(values({"service": odd, "extraConfigFiles": odd}, {})).changes


def test_null_takes_a_default_away_as_in_helm() -> None:
    assert merged({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": None}, "d": None}) == {"a": {"c": 2}}


def test_overlay_keeps_the_user_s_nulls() -> None:
    assert overlaid({"a": {"b": None, "c": 1}}, {"a": {"c": 2}}) == {"a": {"b": None, "c": 2}}


@pytest.mark.parametrize(
    ("release", "effective", "name"),
    [
        ("my-release", {}, "my-release-milvus"),
        ("milvus-prod", {}, "milvus-prod"),
        ("my-release", {"nameOverride": "release"}, "my-release"),
        ("my-release", {"fullnameOverride": "vectors"}, "vectors"),
        ("r" * 53, {"nameOverride": "n" * 63}, "r" * 53 + "-" + "n" * 9),
        ("r", {"fullnameOverride": "n" * 62 + "-x"}, "n" * 62),
    ],
)
def test_fullname_follows_the_chart_s_rule(release: str, effective: dict[str, Any], name: str) -> None:
    assert fullname(release, "milvus", effective) == name


def test_name_label_is_the_chart_s_name_unless_overridden() -> None:
    assert name_label("milvus", {"nameOverride": ""}) == "milvus"
    assert name_label("milvus", {"nameOverride": "vectors"}) == "vectors"


MODES = st.sampled_from(["", "common: {security: {tlsMode: 0}}", "proxy: {http: {port: 1}}", TLS, "a: 1 # b"])
CHOSEN = st.fixed_dictionaries(
    {},
    optional={
        "service": st.fixed_dictionaries(
            {}, optional={"type": st.sampled_from(["ClusterIP", "NodePort", "LoadBalancer", None])}
        ),
        "extraConfigFiles": st.fixed_dictionaries(
            {}, optional={"user.yaml": MODES | st.none(), "b.yaml": MODES}
        ),
        "other": st.none() | st.integers(),
    },
)


@given(chosen=CHOSEN, defaults=CHOSEN)
def test_applied_plan_leaves_nothing_to_plan(chosen: dict[str, Any], defaults: dict[str, Any]) -> None:
    first = plan(values(chosen, defaults))
    after = overlaid(chosen, first.overlay)
    assert plan(values(after, defaults)).changes == ()
    assert {k: v for k, v in after.items() if k not in first.overlay} == {
        k: v for k, v in chosen.items() if k not in first.overlay
    }


@pytest.mark.parametrize("kind", ["x" * 2000, ["x" * 100] * 20])
def test_value_too_large_to_be_recorded_is_refused_before_it_is_replaced(kind: Any) -> None:
    mode = {"extraConfigFiles": {"user.yaml": yaml.safe_dump({"common.security.tlsMode": kind})}}
    for chosen in ({"service": {"type": kind}}, mode):
        with pytest.raises(Permanent, match="has more than 1024 characters") as caught:
            plan(values(chosen))
        assert caught.value.reason is Reason.RELEASE_UNREADABLE
