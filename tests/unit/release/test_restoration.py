"""A release's values on the way back: ours go, what was there returns, what users changed since stays."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from milvus_l7.domain.kubernetes.change import Change
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Permanent
from milvus_l7.domain.release import restoration as way_back
from milvus_l7.domain.release import user_yaml
from milvus_l7.domain.release.helm_values import (
    USER_YAML,
    ReleaseValues,
    effective_user_yaml,
    overlaid,
    own_user_yaml,
    plan,
)
from milvus_l7.domain.release.restoration import Restoration, without
from milvus_l7.domain.setup.facts import ReleaseBefore
from milvus_l7.ports.release import Unannotated

TARGET = "Release default/my-release"
DEFAULT = "# default\n"
DEFAULTS = {"service": {"type": "ClusterIP", "port": 19530}, "extraConfigFiles": {"user.yaml": DEFAULT}}
NOTHING = Restoration({}, (), ())


def restoration(present: ReleaseValues, before: ReleaseBefore, earlier: str | None) -> Restoration:
    """The way back of a release in which no annotation is ours."""
    return way_back.restoration(present, before, earlier, Unannotated().restored)


TYPE, TEXT = ("service",), ("extraConfigFiles",)  # nothing else of the user's is in there
Json = dict[str, Any]


def values(chosen: Json, defaults: Json | None = None) -> ReleaseValues:
    return ReleaseValues(TARGET, 3, chosen, DEFAULTS if defaults is None else defaults)


def upgraded(first: ReleaseValues) -> tuple[ReleaseValues, ReleaseBefore]:
    planned = plan(first)
    return values(overlaid(first.chosen, planned.overlay), dict(first.defaults)), planned.before


def applied(present: ReleaseValues, back: Restoration) -> Json:
    return without(overlaid(present.chosen, back.overlay), back.removals)


def test_values_that_the_user_had_not_set_are_taken_out_of_his() -> None:
    present, before = upgraded(values({"other": 1}, {**DEFAULTS, "service": {"type": "LoadBalancer"}}))
    back = restoration(present, before, DEFAULT)
    assert (back.overlay, back.removals) == ({}, (TYPE, TEXT))
    assert applied(present, back) == {"other": 1}
    assert back.changes == (
        Change(TARGET, "service.type", "ClusterIP", None),
        Change(TARGET, f"{USER_YAML}.common.security.tlsMode", 1, None),
        Change(TARGET, f"{USER_YAML}.proxy.http.port", 8080, None),
    )


def test_values_that_the_user_had_set_are_put_back() -> None:
    mine = "log:   {level: warn}  # odd"
    first = {"service": {"type": "LoadBalancer", "nodePort": 1}, "extraConfigFiles": {"user.yaml": mine}}
    present, before = upgraded(values(first))
    back = restoration(present, before, mine)
    assert back.overlay == {"service": {"type": "LoadBalancer"}, "extraConfigFiles": {"user.yaml": mine}}
    assert back.removals == ()
    assert applied(present, back) == first


@pytest.mark.parametrize("service", [{"type": "NodePort"}, {}, {"type": None}, "odd", None])
def test_service_type_that_the_user_changed_since_stays(service: Any) -> None:
    before = ReleaseBefore(1, {"service.type": "LoadBalancer"}, {})
    assert restoration(values({"service": service}), before, None) == NOTHING


def test_the_chart_s_text_is_known_without_the_earlier_one() -> None:
    present, before = upgraded(values({}, {**DEFAULTS, "extraConfigFiles": {"user.yaml": "a:   {b: 1} # c"}}))
    assert restoration(present, before, None).removals == (TEXT,)


def test_the_chart_s_text_of_then_is_known_after_the_chart_has_changed() -> None:
    present, before = upgraded(values({}))
    newer = values(dict(present.chosen), {"extraConfigFiles": {"user.yaml": "# newer default\n"}})
    assert restoration(newer, before, DEFAULT).removals == (TEXT,)
    assert restoration(newer, before, None).overlay == {"extraConfigFiles": {"user.yaml": DEFAULT}}


def test_a_text_that_the_user_has_added_to_since_becomes_his_own() -> None:
    present, before = upgraded(values({}))
    text = effective_user_yaml(present) + "log: {level: warn}\n"
    back = restoration(values({"extraConfigFiles": {"user.yaml": text}}), before, DEFAULT)
    assert back.overlay == {"extraConfigFiles": {"user.yaml": DEFAULT + "log: {level: warn}\n"}}
    assert back.removals == ()


def test_a_user_who_had_taken_the_chart_s_text_away_does_not_get_it_back() -> None:
    first = values({"extraConfigFiles": None})
    present, before = upgraded(first)
    back = restoration(present, before, own_user_yaml(first))
    assert effective_user_yaml(values(applied(present, back))) == ""


def test_tls_of_the_chart_s_own_is_not_taken_away() -> None:
    tls = user_yaml.merge("").text
    before = ReleaseBefore(1, {USER_YAML: None}, {"common.security.tlsMode": None, "proxy.http.port": None})
    assert restoration(values({}, {"extraConfigFiles": {"user.yaml": tls}}), before, None) == NOTHING


def test_text_that_is_none_is_refused() -> None:
    odd = values({"extraConfigFiles": {"user.yaml": 3}})
    with pytest.raises(Permanent) as caught:
        restoration(odd, ReleaseBefore(1, {}, {}), None)
    assert caught.value.reason is Reason.USER_YAML_INVALID
    assert own_user_yaml(odd) is None
    assert own_user_yaml(values({"extraConfigFiles": {"user.yaml": None}})) == ""
    assert own_user_yaml(values({})) == DEFAULT


def test_removal_takes_out_nothing_but_what_it_names() -> None:
    chosen = {"a": {"b": {"c": 1}}, "d": {}, "e": {"f": 1, "g": None}, "h": 3}
    left = {"a": {"b": {}}, "d": {}, "e": {"g": None}, "h": 3}
    assert without(chosen, [("a", "b", "c"), ("e", "f")]) == left
    assert without(chosen, [("x",), ("d", "x"), ("h", "x"), ("e", "x"), ("x", "y")]) == chosen
    assert without(chosen, [("e", "g"), ("h",)]) == {"a": {"b": {"c": 1}}, "d": {}, "e": {"f": 1}}
    assert chosen["a"] == {"b": {"c": 1}}


TEXTS = st.sampled_from(
    ["", "common: {security: {tlsMode: 0}}", "log: 1 # x", user_yaml.merge("").text, "# y"]
)
TYPES = st.sampled_from(["ClusterIP", "NodePort", "LoadBalancer"])
CHOSEN = st.fixed_dictionaries(
    {},
    optional={
        "service": st.fixed_dictionaries({}, optional={"type": TYPES, "port": st.just(1)}),
        "extraConfigFiles": st.fixed_dictionaries({}, optional={"user.yaml": TEXTS, "b.yaml": TEXTS}),
        "other": st.none() | st.integers(),
    },
)


@given(chosen=CHOSEN, defaults=CHOSEN)
def test_restoring_gives_the_first_values_back_and_then_finds_nothing(chosen: Json, defaults: Json) -> None:
    first = values(chosen, defaults)
    present, before = upgraded(first)
    back = restoration(present, before, own_user_yaml(first))
    after = applied(present, back)
    assert after == chosen
    assert restoration(values(after, defaults), before, own_user_yaml(first)) == NOTHING


@given(chosen=CHOSEN, defaults=CHOSEN)
def test_without_the_earlier_text_the_rendered_content_is_the_first(chosen: Json, defaults: Json) -> None:
    first = values(chosen, defaults)
    present, before = upgraded(first)
    after = values(applied(present, restoration(present, before, None)), defaults)
    assert yaml.safe_load(effective_user_yaml(after)) == yaml.safe_load(effective_user_yaml(first))
    assert after.effective.get("service") == first.effective.get("service")
