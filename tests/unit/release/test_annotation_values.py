"""Annotations in the chart's values: ours are merged in there, and taken out of there again."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from milvus_l7.domain.frontend import service_annotations
from milvus_l7.domain.kubernetes.change import Change
from milvus_l7.domain.release import annotation_values
from milvus_l7.domain.release.helm_values import ReleaseValues, overlaid, plan
from milvus_l7.domain.release.restoration import restoration, without
from milvus_l7.domain.setup.facts import ReleaseBefore, ServiceFacts

SERVICE, CONFIG = ServiceFacts("s", "milvus", 19530), "s-backendconfig"
NEG, APP_PROTOCOLS = service_annotations.NEG, service_annotations.APP_PROTOCOLS
TLS = "common: {security: {tlsMode: 1}}\nproxy: {http: {port: 8080}}\n"
Json = dict[str, Any]


def merge(existing: annotation_values.Texts) -> annotation_values.Texts:
    return service_annotations.merged(existing, SERVICE, CONFIG)


def unmerge(existing: annotation_values.Texts, before: Any) -> Any:
    return service_annotations.restored(existing, before, SERVICE, CONFIG)


def values(service: Any, charts: Json | None = None) -> ReleaseValues:
    defaults = {"service": {"annotations": charts or {}}, "extraConfigFiles": {"user.yaml": TLS}}
    chosen = {} if service is None else {"service": service}
    return ReleaseValues("Release n/r", 3, chosen, defaults)


def test_annotation_in_the_values_is_changed_there_and_no_other_is_added() -> None:
    neg = '{"exposed_ports": {"80": {}}}'
    found = plan(values({"annotations": {NEG: neg, "team": "a"}}), None, merge)
    wanted = '{"exposed_ports": {"80": {}}, "ingress": true}'
    assert found.overlay == {"service": {"annotations": {NEG: wanted}}}
    assert found.changes == (Change("Release n/r", f"service.annotations[{NEG}]", neg, wanted),)
    assert found.before.values == {f"service.annotations[{NEG}]": neg}


def test_values_without_annotations_of_ours_are_left() -> None:
    right = {NEG: '{"ingress": true}', "team": "a"}
    assert plan(values({"annotations": right}), None, merge).changes == ()
    assert plan(values({"annotations": {"team": "a"}}), None, merge).changes == ()


def test_annotation_of_the_chart_s_own_goes_out_of_the_user_s_values_again() -> None:
    first = values(None, {NEG: '{"a": 1}'})
    planned = plan(first, None, merge)
    present = values(overlaid({}, planned.overlay)["service"], {NEG: '{"a": 1}'})
    back = restoration(present, planned.before, None, unmerge)
    assert (back.overlay, back.removals) == ({}, (("service",),))


def test_what_the_user_changed_since_stays() -> None:
    before = plan(values({"annotations": {NEG: "{}"}}), None, merge).before
    newer = values({"annotations": {NEG: '{"ingress": true, "exposed_ports": {"80": {}}}'}})
    back = restoration(newer, before, None, unmerge)
    assert back.overlay == {"service": {"annotations": {NEG: '{"exposed_ports": {"80": {}}}'}}}


def test_record_is_split_into_the_annotations_and_the_rest() -> None:
    rest = {"service.type": "NodePort"}
    before = ReleaseBefore(1, {f"service.annotations[{NEG}]": None, **rest}, {"a": 1}, live_type="NodePort")
    assert annotation_values.alone(before) == ReleaseBefore(1, {f"service.annotations[{NEG}]": None}, {})
    assert annotation_values.without(before) == ReleaseBefore(1, rest, {"a": 1}, live_type="NodePort")
    assert annotation_values.alone(ReleaseBefore(1, rest, {})) is None
    assert (annotation_values.alone(None), annotation_values.without(None)) == (None, None)


ANNOTATIONS = st.fixed_dictionaries(
    {},
    optional={
        NEG: st.sampled_from(["", "{}", '{"ingress":true}', '{"exposed_ports":{"1":{}}}']),
        APP_PROTOCOLS: st.sampled_from(['{"milvus":"HTTP"}', '{"metrics": "HTTP"}', '{"milvus": "HTTP2"}']),
        service_annotations.BACKEND_CONFIG: st.sampled_from(['{"default":"x"}', '{"ports":{"milvus":"x"}}']),
        service_annotations.BETA_BACKEND_CONFIG: st.just('{"default":"old"}'),
        "team": st.just("a"),
    },
)
SERVICES = st.none() | st.fixed_dictionaries(
    {},
    optional={"annotations": ANNOTATIONS, "type": st.sampled_from(["ClusterIP", "LoadBalancer"])},
)


@given(SERVICES, ANNOTATIONS)
def test_way_back_gives_the_very_values_back_and_then_finds_nothing(service: Any, charts: Json) -> None:
    first = values(service, charts)
    planned = plan(first, None, merge)
    present = ReleaseValues("Release n/r", 4, overlaid(first.chosen, planned.overlay), first.defaults)
    assert plan(present, None, merge).changes == ()
    back = restoration(present, planned.before, None, unmerge)
    after = without(overlaid(present.chosen, back.overlay), back.removals)
    assert after == first.chosen
    left = ReleaseValues("Release n/r", 5, after, first.defaults)
    assert restoration(left, planned.before, None, unmerge).changes == ()
