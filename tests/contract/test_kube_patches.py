"""JSON, merge and strategic merge patches: the same on the emulator and on a real kube-apiserver."""

from __future__ import annotations

import pytest

from tests.contract.kube_server import Json, Space, fresh_space, server_under_test  # noqa: F401 (fixtures)

CONFIG: Json = {"metadata": {"name": "a", "labels": {"app": "x"}}, "data": {"k": "1", "l": "1"}}
DEPLOYMENT: Json = {
    "metadata": {"name": "d"},
    "spec": {
        "selector": {"matchLabels": {"app": "x"}},
        "template": {
            "metadata": {"labels": {"app": "x"}},
            "spec": {
                "containers": [
                    {"name": "a", "image": "a:1", "env": [{"name": "E", "value": "1"}], "args": ["x", "y"]},
                    {"name": "b", "image": "b:1"},
                ],
                "volumes": [{"name": "v", "configMap": {"name": "m"}}],
                "tolerations": [{"key": "t", "operator": "Exists"}],
            },
        },
    },
}


def pod_spec(space: Space, patch: Json) -> Json:
    space.create("deployments", DEPLOYMENT, "apps/v1")
    body = {"spec": {"template": {"spec": patch}}}
    answer = space.patch("deployments/d", body, "strategic-merge", "apps/v1")
    assert answer.code == 200, answer.body
    return answer.body["spec"]["template"]["spec"]


def test_merge_patch_sets_and_removes(space: Space) -> None:
    space.create("configmaps", CONFIG)
    answer = space.patch("configmaps/a", {"data": {"k": "2", "l": None, "m": "3"}})
    assert (answer.code, answer.body["data"]) == (200, {"k": "2", "m": "3"})


def test_merge_patch_replaces_lists(space: Space) -> None:
    space.create("services", {"metadata": {"name": "s"}, "spec": {"ports": [{"name": "a", "port": 80}]}})
    answer = space.patch("services/s", {"spec": {"ports": [{"name": "b", "port": 81}]}})
    assert [port["name"] for port in answer.body["spec"]["ports"]] == ["b"]


def test_merge_patch_with_an_old_version_conflicts(space: Space) -> None:
    old = space.create("configmaps", CONFIG).body["metadata"]["resourceVersion"]
    space.patch("configmaps/a", {"data": {"k": "2"}})
    answer = space.patch("configmaps/a", {"metadata": {"resourceVersion": old}, "data": {"k": "3"}})
    assert (answer.code, answer.body["reason"]) == (409, "Conflict")


def test_patch_of_a_missing_object_is_not_found(space: Space) -> None:
    assert space.patch("configmaps/a", {"data": {}}).code == 404


def test_patch_that_changes_nothing_keeps_the_version(space: Space) -> None:
    first = space.create("configmaps", CONFIG).body
    assert space.patch("configmaps/a", {"data": {"k": "1"}}).body == first


def test_patch_cannot_change_what_the_server_sets(space: Space) -> None:
    first = space.create("configmaps", CONFIG).body["metadata"]
    meta = {"creationTimestamp": "2000-01-01T00:00:00Z", "generation": 99}
    after = space.patch("configmaps/a", {"metadata": meta, "data": {"k": "2"}}).body["metadata"]
    assert after["creationTimestamp"] == first["creationTimestamp"]
    assert "generation" not in after


def test_json_patch_operates(space: Space) -> None:
    space.create("configmaps", CONFIG)
    operations = [
        {"op": "test", "path": "/data/k", "value": "1"},
        {"op": "replace", "path": "/data/k", "value": "2"},
        {"op": "remove", "path": "/data/l"},
        {"op": "add", "path": "/metadata/annotations", "value": {}},
        {"op": "add", "path": "/metadata/annotations/example.com~1a", "value": "b"},
        {"op": "copy", "from": "/data/k", "path": "/data/m"},
        {"op": "move", "from": "/data/m", "path": "/data/n"},
    ]
    answer = space.patch("configmaps/a", operations, "json")
    assert answer.body["data"] == {"k": "2", "n": "2"}
    assert answer.body["metadata"]["annotations"] == {"example.com/a": "b"}


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/data/k", "value": "other"},
        {"op": "remove", "path": "/data/nope"},
        {"op": "add", "path": "/nope/nope", "value": "1"},
    ],
)
def test_json_patch_that_does_not_fit_is_invalid(space: Space, operation: Json) -> None:
    space.create("configmaps", CONFIG)
    answer = space.patch("configmaps/a", [operation], "json")
    assert (answer.code, answer.body["reason"]) == (422, "Invalid")


def test_json_patch_replaces_what_is_not_there(space: Space) -> None:
    # RFC 6902 forbids it; the server's library does not.
    space.create("configmaps", CONFIG)
    answer = space.patch("configmaps/a", [{"op": "replace", "path": "/data/new", "value": "1"}], "json")
    assert answer.body["data"] == {"k": "1", "l": "1", "new": "1"}


def test_json_patch_that_is_no_list_is_a_bad_request(space: Space) -> None:
    space.create("configmaps", CONFIG)
    answer = space.patch("configmaps/a", {"op": "remove", "path": "/data/k"}, "json")
    assert (answer.code, answer.body["reason"]) == (400, "BadRequest")


def test_strategic_patch_merges_containers_by_name(space: Space) -> None:
    spec = pod_spec(space, {"containers": [{"name": "b", "image": "b:2"}, {"name": "c", "image": "c:1"}]})
    images = {row["name"]: row["image"] for row in spec["containers"]}
    assert images == {"a": "a:1", "b": "b:2", "c": "c:1"}


def test_strategic_patch_merges_lists_inside_of_items(space: Space) -> None:
    env = [{"name": "F", "value": "2"}]
    mounts = [{"name": "v", "mountPath": "/v"}]
    ports = [{"containerPort": 80}]
    patch = {"name": "a", "env": env, "volumeMounts": mounts, "ports": ports, "args": ["z"]}
    container = pod_spec(space, {"containers": [patch]})["containers"][0]
    assert sorted(row["name"] for row in container["env"]) == ["E", "F"]
    assert container["volumeMounts"] == mounts
    assert container["ports"] == [{"containerPort": 80, "protocol": "TCP"}]
    assert container["args"] == ["z"]


def test_strategic_patch_deletes_an_item(space: Space) -> None:
    spec = pod_spec(space, {"containers": [{"name": "a", "$patch": "delete"}]})
    assert [row["name"] for row in spec["containers"]] == ["b"]


def test_strategic_patch_replaces_a_list(space: Space) -> None:
    spec = pod_spec(space, {"containers": [{"$patch": "replace"}, {"name": "z", "image": "z:1"}]})
    assert [row["name"] for row in spec["containers"]] == ["z"]


def test_strategic_patch_orders_items(space: Space) -> None:
    spec = pod_spec(space, {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]})
    assert [row["name"] for row in spec["containers"]] == ["b", "a"]


def test_strategic_patch_replaces_atomic_lists(space: Space) -> None:
    toleration = {"key": "u", "operator": "Exists"}
    assert pod_spec(space, {"tolerations": [toleration]})["tolerations"] == [toleration]


def test_strategic_patch_retains_only_the_keys_it_names(space: Space) -> None:
    volume = {"name": "v", "$retainKeys": ["name", "emptyDir"], "emptyDir": {}}
    assert pod_spec(space, {"volumes": [volume]})["volumes"] == [{"name": "v", "emptyDir": {}}]


def test_strategic_patch_changes_one_port_of_a_service(space: Space) -> None:
    ports = [{"name": "a", "port": 80}, {"name": "b", "port": 81}]
    space.create("services", {"metadata": {"name": "s"}, "spec": {"ports": ports}})
    body = {"spec": {"ports": [{"port": 81, "targetPort": 9}]}}
    answer = space.patch("services/s", body, "strategic-merge")
    assert {row["name"]: row["targetPort"] for row in answer.body["spec"]["ports"]} == {"a": 80, "b": 9}


def test_strategic_patch_adds_to_and_takes_from_primitive_lists(space: Space) -> None:
    space.create("configmaps", {"metadata": {"name": "a", "finalizers": ["example.com/a"]}})
    more = {"metadata": {"finalizers": ["example.com/b"]}}
    body = space.patch("configmaps/a", more, "strategic-merge").body
    assert sorted(body["metadata"]["finalizers"]) == ["example.com/a", "example.com/b"]
    less = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["example.com/a", "example.com/b"]}}
    body = space.patch("configmaps/a", less, "strategic-merge").body
    assert "finalizers" not in body["metadata"]


def test_strategic_patch_of_a_custom_resource_is_not_supported(space: Space) -> None:
    group = "cloud.google.com/v1"
    body = {"apiVersion": group, "kind": "BackendConfig", "metadata": {"name": "b"}}
    space.create("backendconfigs", body, group)
    answer = space.patch("backendconfigs/b", {"spec": {}}, "strategic-merge", group)
    assert (answer.code, answer.body["reason"]) == (415, "UnsupportedMediaType")


def test_unknown_patch_type_is_not_supported(space: Space) -> None:
    space.create("configmaps", CONFIG)
    path = space.path("configmaps", "a")
    answer = space.server.call("PATCH", path, {}, media="application/json")
    assert (answer.code, answer.body["reason"]) == (415, "UnsupportedMediaType")
