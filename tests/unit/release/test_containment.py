"""An upgrade may change the Service's type, user.yaml and checksums, and nothing else."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milvus_l7.domain.release.containment import unexpected_changes

Json = dict[str, Any]
NAME = "my-release-milvus"


def service(**spec: Any) -> Json:
    ports = [{"name": "milvus", "port": 19530, "targetPort": "milvus"}]
    return manifest("v1", "Service", spec={"type": "ClusterIP", "ports": ports, **spec})


def manifest(api_version: str, kind: str, name: str = NAME, **content: Any) -> Json:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **content}


def config(text: str, **more: str) -> Json:
    return manifest("v1", "ConfigMap", data={"user.yaml": text, **more})


def deployment(checksum: str, image: str = "milvus:1", **annotations: str) -> Json:
    template = {
        "metadata": {"annotations": {"checksum/config": checksum, **annotations}},
        "spec": {"containers": [{"image": image}]},
    }
    return manifest("apps/v1", "Deployment", f"{NAME}-proxy", spec={"template": template})


def test_what_we_are_here_for_is_contained() -> None:
    node_port = [{"name": "milvus", "port": 19530, "targetPort": "milvus", "nodePort": 30000}]
    before = [
        service(
            type="LoadBalancer", loadBalancerIP="1.2.3.4", loadBalancerSourceRanges=["::/0"], ports=node_port
        ),
        config("a", **{"default.yaml": "x"}),
        deployment("1"),
    ]
    after = [service(), config("b", **{"default.yaml": "x"}), deployment("2")]
    assert unexpected_changes(before, after, NAME) == ""


def annotated(**annotations: str) -> Json:
    return service() | {"metadata": {"name": NAME, "annotations": annotations}}


def test_annotations_that_the_values_change_are_contained_and_no_others() -> None:
    before, after = [annotated(neg="{}", team="a")], [annotated(neg='{"ingress": true}', team="b")]
    assert unexpected_changes(before, [annotated(neg="x", team="a")], NAME, ["neg"]) == ""
    assert unexpected_changes([service()], [annotated(neg="x")], NAME, ["neg"]) == ""
    found = unexpected_changes(before, after, NAME, ["neg"])
    assert found == "Service my-release-milvus would change in metadata.annotations.team"


def test_text_that_means_the_same_is_no_change() -> None:
    texts = ["a: 'x'\n", "a: x"]
    before, after = ([manifest("v1", "ConfigMap", "other", data={"f": text})] for text in texts)
    assert unexpected_changes(before, after, NAME) == ""


@pytest.mark.parametrize(
    ("after", "words"),
    [
        ([config("a")], "Service my-release-milvus would be deleted"),
        (
            [service(), config("a"), manifest("batch/v1", "Job", "init")],
            "Job init would be created",
        ),
        ([service(ports=[]), config("a")], "Service my-release-milvus would change in spec.ports"),
        (
            [service(), config("a", **{"default.yaml": "y"})],
            "ConfigMap my-release-milvus would change in data[default.yaml]",
        ),
    ],
)
def test_anything_else_is_named(after: list[Json], words: str) -> None:
    assert unexpected_changes([service(), config("a")], after, NAME).startswith(words)


def test_other_services_and_config_maps_must_not_change_at_all() -> None:
    other = service(type="LoadBalancer") | {"metadata": {"name": "other"}}
    assert "Service other would change in spec.type" in unexpected_changes(
        [other], [service() | {"metadata": {"name": "other"}}], NAME
    )


@pytest.mark.parametrize("changed", [deployment("1", image="milvus:2"), deployment("1", note="x")])
def test_pods_must_not_change_beyond_checksums(changed: Json) -> None:
    assert "Deployment my-release-milvus-proxy would change" in unexpected_changes(
        [deployment("1")], [changed], NAME
    )


def test_values_are_never_shown() -> None:
    secret = [manifest("v1", "Secret", "s", data={"password": "b2xk"})]
    renewed = [manifest("v1", "Secret", "s", data={"password": "bmV3"})]
    assert unexpected_changes(secret, renewed, NAME) == "Secret s would change in data.password"


def test_long_lists_of_escapes_are_cut() -> None:
    many = [manifest("v1", "ConfigMap", f"c{n}") for n in range(8)]
    found = unexpected_changes(many, [], NAME)
    assert found.endswith(" and 3 more")
    assert found.count("deleted") == 5


OBJECTS = st.lists(
    st.fixed_dictionaries(
        {"kind": st.sampled_from(["Service", "ConfigMap", "Deployment"])},
        optional={
            "metadata": st.none() | st.fixed_dictionaries({"name": st.sampled_from([NAME, "x"])}),
            "spec": st.none()
            | st.dictionaries(st.sampled_from(["ports", "template"]), st.none() | st.just([3])),
            "data": st.lists(st.integers(), max_size=1),
        },
    ),
    max_size=3,
)


@given(OBJECTS, OBJECTS)
def test_odd_objects_do_not_crash_the_comparison(before: list[Json], after: list[Json]) -> None:
    unexpected_changes(before, after, NAME)
    assert unexpected_changes(before, deepcopy(before), NAME) == ""
