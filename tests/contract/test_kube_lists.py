"""Lists, selectors and pages: the same on the emulator and on a real kube-apiserver."""

from __future__ import annotations

import pytest

from tests.contract.kube_server import Json, Space, fresh_space, server_under_test  # noqa: F401 (fixtures)

CONFIG: Json = {"metadata": {"name": "a", "labels": {"app": "x"}}, "data": {"k": "v"}}


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("app=x", ["a", "b"]),
        ("app==x,tier=web", ["b"]),
        ("app!=x", ["c"]),
        ("tier", ["b", "c"]),
        ("!tier", ["a"]),
        ("tier in (web, db)", ["b", "c"]),
        ("tier notin (web)", ["a", "c"]),
    ],
)
def test_label_selector_picks(space: Space, selector: str, names: list[str]) -> None:
    for name, labels in {"a": {"app": "x"}, "b": {"app": "x", "tier": "web"}, "c": {"tier": "db"}}.items():
        space.create("configmaps", {"metadata": {"name": name, "labels": labels}})
    found = space.get("configmaps", labelSelector=selector).body
    assert [row["metadata"]["name"] for row in found["items"]] == names


def test_field_selector_picks_and_unknown_fields_are_refused(space: Space) -> None:
    for name in ("a", "b"):
        space.create("configmaps", {"metadata": {"name": name}})
    found = space.get("configmaps", fieldSelector="metadata.name=b").body
    assert [row["metadata"]["name"] for row in found["items"]] == ["b"]
    assert space.get("configmaps", fieldSelector="data.k=v").code == 400


def test_events_are_found_by_what_they_are_about(space: Space) -> None:
    for name, kind in (("e1", "Ingress"), ("e2", "Service")):
        about = {"kind": kind, "name": "s", "namespace": space.name}
        event = {"metadata": {"name": name}, "involvedObject": about, "reason": "Sync", "type": "Warning"}
        assert space.create("events", event).code == 201
    selector = "involvedObject.kind=Ingress,involvedObject.name=s,reason=Sync,type=Warning"
    found = space.get("events", fieldSelector=selector).body
    assert [row["metadata"]["name"] for row in found["items"]] == ["e1"]


def test_list_comes_in_pages(space: Space) -> None:
    for name in ("a", "b", "c"):
        space.create("configmaps", {"metadata": {"name": name}})
    first = space.get("configmaps", limit="2").body
    assert [row["metadata"]["name"] for row in first["items"]] == ["a", "b"]
    rest = space.get("configmaps", limit="2", **{"continue": first["metadata"]["continue"]}).body
    assert [row["metadata"]["name"] for row in rest["items"]] == ["c"]
    assert "continue" not in rest["metadata"]


def test_list_says_its_kind_and_items_do_not(space: Space) -> None:
    space.create("configmaps", CONFIG)
    found = space.get("configmaps").body
    assert (found["kind"], found["apiVersion"]) == ("ConfigMapList", "v1")
    assert not {"kind", "apiVersion"} & set(found["items"][0])


def test_list_over_all_namespaces_holds_every_namespace(space: Space) -> None:
    space.create("configmaps", CONFIG)
    found = space.server.call("GET", "/api/v1/configmaps", fieldSelector="metadata.name=a").body
    assert space.name in [row["metadata"]["namespace"] for row in found["items"]]
