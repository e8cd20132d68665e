"""Server-side apply and field ownership: the same on the emulator and on a real kube-apiserver."""

from __future__ import annotations

import pytest

from tests.contract.kube_server import Json, Space, fields_of, fresh_space, managers, server_under_test  # noqa: F401 (fixtures)

CLOUD = "cloud.google.com/v1"


def config(data: Json, **meta: Json) -> Json:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"} | meta, "data": data}


def service(*ports: Json, **spec: object) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "s"},
        "spec": {"ports": list(ports), **spec},
    }


def annotated(annotations: Json) -> Json:
    meta = {"name": "s", "annotations": annotations}
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta}


def test_apply_creates_and_owns_what_it_says(space: Space) -> None:
    answer = space.apply("configmaps/a", config({"k": "1"}, labels={"x": "y"}), "me")
    assert answer.code == 201
    row = answer.body["metadata"]["managedFields"][0]
    assert row | {"time": ""} == {
        "manager": "me",
        "operation": "Apply",
        "apiVersion": "v1",
        "time": "",
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:data": {"f:k": {}}, "f:metadata": {"f:labels": {"f:x": {}}}},
    }


def test_apply_without_a_manager_is_refused(space: Space) -> None:
    path = space.path("configmaps", "a")
    answer = space.server.call("PATCH", path, config({}), media="application/apply-patch+yaml")
    assert answer.code == 422
    assert answer.body["details"]["causes"] == [
        {
            "reason": "FieldValueRequired",
            "message": "Required value: is required for apply patch",
            "field": "fieldManager",
        }
    ]


def test_apply_body_may_be_yaml(space: Space) -> None:
    body = b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  on: '2026-01-01'\n"
    answer = space.apply("configmaps/a", body, "me")
    assert answer.body["data"] == {"true": "2026-01-01"}


def test_applying_the_same_again_changes_nothing(space: Space) -> None:
    first = space.apply("services/s", service({"name": "a", "port": 80}), "me").body
    again = space.apply("services/s", service({"name": "a", "port": 80}), "me")
    assert again.code == 200
    assert again.body == first


def test_changing_a_field_of_another_applier_conflicts(space: Space) -> None:
    space.apply("configmaps/a", config({"k": "1"}), "one")
    answer = space.apply("configmaps/a", config({"k": "2"}), "two")
    assert answer.code == 409
    assert answer.body["reason"] == "Conflict"
    assert answer.body["message"] == 'Apply failed with 1 conflict: conflict with "one": .data.k'
    assert answer.body["details"] == {
        "causes": [{"reason": "FieldManagerConflict", "message": 'conflict with "one"', "field": ".data.k"}]
    }


def test_conflict_with_an_updater_names_its_version(space: Space) -> None:
    space.create("configmaps", config({"k": "1"}), fieldManager="kubectl-edit")
    answer = space.apply("configmaps/a", config({"k": "2"}), "me")
    assert answer.body["message"] == (
        'Apply failed with 1 conflict: conflict with "kubectl-edit" using v1: .data.k'
    )


def test_several_conflicts_are_listed(space: Space) -> None:
    port = {"name": "a", "port": 80, "targetPort": 1}
    space.apply("services/s", service(port, type="ClusterIP"), "one")
    answer = space.apply("services/s", service(port | {"targetPort": 2}, type="NodePort"), "two")
    assert answer.body["message"] == (
        'Apply failed with 2 conflicts: conflicts with "one":\n'
        '- .spec.type\n- .spec.ports[port=80,protocol="TCP"].targetPort'
    )
    assert [cause["field"] for cause in answer.body["details"]["causes"]] == [
        ".spec.type",
        '.spec.ports[port=80,protocol="TCP"].targetPort',
    ]


def test_force_takes_the_field(space: Space) -> None:
    space.apply("configmaps/a", config({"k": "1", "own": "1"}), "one")
    answer = space.apply("configmaps/a", config({"k": "2"}), "two", force="true")
    assert answer.body["data"] == {"k": "2", "own": "1"}
    assert fields_of(answer, "one") == {"f:data": {"f:own": {}}}
    assert fields_of(answer, "two") == {"f:data": {"f:k": {}}}


def test_the_same_value_is_shared(space: Space) -> None:
    space.apply("configmaps/a", config({"k": "1"}), "one")
    answer = space.apply("configmaps/a", config({"k": "1"}), "two")
    assert answer.code == 200
    assert fields_of(answer, "one") == fields_of(answer, "two") == {"f:data": {"f:k": {}}}


def test_field_that_is_no_longer_applied_goes(space: Space) -> None:
    space.apply("configmaps/a", config({"k": "1", "l": "1"}), "me")
    assert space.apply("configmaps/a", config({"k": "1"}), "me").body["data"] == {"k": "1"}


def test_shared_field_stays_until_the_last_owner_drops_it(space: Space) -> None:
    for manager in ("one", "two"):
        space.apply("configmaps/a", config({"k": "1", "l": "1"}), manager)
    assert space.apply("configmaps/a", config({"k": "1"}), "one").body["data"] == {"k": "1", "l": "1"}
    assert space.apply("configmaps/a", config({"k": "1"}), "two").body["data"] == {"k": "1"}


def test_annotations_of_two_managers_live_side_by_side(space: Space) -> None:
    space.apply("services/s", service({"name": "a", "port": 80}), "helm")
    space.apply("services/s", annotated({"cloud.google.com/neg": '{"ingress": true}'}), "milvus-l7")
    answer = space.apply("services/s", service({"name": "a", "port": 80}, type="ClusterIP"), "helm")
    assert answer.body["metadata"]["annotations"] == {"cloud.google.com/neg": '{"ingress": true}'}
    gone = space.apply("services/s", annotated({}), "milvus-l7")
    assert "annotations" not in gone.body["metadata"]
    assert gone.body["spec"]["ports"][0]["port"] == 80


def test_service_ports_are_owned_by_port_and_protocol(space: Space) -> None:
    answer = space.apply("services/s", service({"name": "a", "port": 80}), "me")
    assert fields_of(answer, "me")["f:spec"]["f:ports"] == {
        'k:{"port":80,"protocol":"TCP"}': {".": {}, "f:name": {}, "f:port": {}}
    }


def test_ports_of_two_managers_are_merged(space: Space) -> None:
    space.apply("services/s", service({"name": "a", "port": 80}), "one")
    both = space.apply("services/s", service({"name": "b", "port": 81}), "two").body
    assert [port["name"] for port in both["spec"]["ports"]] == ["a", "b"]
    back = space.apply("services/s", service(), "two").body
    assert [port["name"] for port in back["spec"]["ports"]] == ["a"]


def test_defaults_belong_to_nobody_who_applied(space: Space) -> None:
    answer = space.apply("services/s", service({"name": "a", "port": 80}), "me")
    assert answer.body["spec"]["type"] == "ClusterIP"
    assert set(fields_of(answer, "me")["f:spec"]) == {"f:ports"}


def test_defaults_belong_to_the_creator(space: Space) -> None:
    answer = space.create("services", service({"name": "a", "port": 80}), fieldManager="me")
    assert set(fields_of(answer, "me")["f:spec"]) == {
        "f:internalTrafficPolicy",
        "f:ports",
        "f:sessionAffinity",
        "f:type",
    }


def test_lists_of_custom_resources_are_atomic(space: Space) -> None:
    body = {
        "apiVersion": CLOUD,
        "kind": "BackendConfig",
        "metadata": {"name": "b"},
        "spec": {"customRequestHeaders": {"headers": ["A: 1"]}},
    }
    answer = space.apply("backendconfigs/b", body, "me", CLOUD)
    assert fields_of(answer, "me") == {"f:spec": {"f:customRequestHeaders": {"f:headers": {}}}}
    other = body | {"spec": {"customRequestHeaders": {"headers": ["A: 1", "B: 2"]}}}
    assert space.apply("backendconfigs/b", other, "you", CLOUD).code == 409


def test_update_takes_over_what_it_changes(space: Space) -> None:
    space.apply("configmaps/a", config({"k": "1", "l": "1"}), "one")
    answer = space.patch("configmaps/a", {"data": {"k": "2"}}, fieldManager="editor")
    assert managers(answer.body) == {
        ("one", "Apply", ""): {"f:data": {"f:l": {}}},
        ("editor", "Update", ""): {"f:data": {"f:k": {}}},
    }


def test_updater_is_named_after_its_user_agent(space: Space) -> None:
    answer = space.create("configmaps", config({"k": "1"}), agent="my-tool/1.2 (linux)")
    assert list(managers(answer.body)) == [("my-tool", "Update", "")]


def test_status_is_owned_apart(space: Space) -> None:
    space.apply("services/s", service({"name": "a", "port": 80}, type="LoadBalancer"), "me")
    status = {"status": {"loadBalancer": {"ingress": [{"ip": "10.1.1.1"}]}}}
    answer = space.patch("services/s/status", status, fieldManager="controller")
    owned = managers(answer.body)[("controller", "Update", "status")]
    assert owned == {"f:status": {"f:loadBalancer": {"f:ingress": {}}}}


def test_status_in_an_apply_of_the_object_is_ignored(space: Space) -> None:
    body = service({"name": "a", "port": 80}) | {
        "status": {"loadBalancer": {"ingress": [{"ip": "10.1.1.1"}]}}
    }
    answer = space.apply("services/s", body, "me")
    assert answer.body["status"] == {"loadBalancer": {}}
    assert "f:status" not in fields_of(answer, "me")


MODIFIED = (
    'Operation cannot be fulfilled on configmaps "a": the object has been modified; '
    "please apply your changes to the latest version and try again"
)
NEVER = "1"  # no object ever has the first revision of the store


def read(space: Space, **changes: Json) -> Json:
    """The uid and the version of the object as it is, or as changed."""
    meta = space.get("configmaps", "a").body["metadata"]
    return {"uid": meta["uid"], "resourceVersion": meta["resourceVersion"]} | changes


def test_apply_onto_the_version_that_was_read_is_done(space: Space) -> None:
    space.apply("configmaps/a", config({"k": "1"}), "me")
    answer = space.apply("configmaps/a", config({"k": "2"}, **read(space)), "me")
    assert (answer.code, answer.body["data"]) == (200, {"k": "2"})
    assert fields_of(answer, "me") == {"f:data": {"f:k": {}}}


@pytest.mark.parametrize("dry", [{}, {"dryRun": "All"}])
def test_apply_with_an_old_version_conflicts(space: Space, dry: dict[str, str]) -> None:
    space.apply("configmaps/a", config({"k": "1"}), "me")
    old = read(space)
    space.apply("configmaps/a", config({"k": "2"}), "me")
    answer = space.apply("configmaps/a", config({"k": "3"}, **old), "me", force="true", **dry)
    assert (answer.code, answer.body["reason"], answer.body["message"]) == (409, "Conflict", MODIFIED)
    assert space.get("configmaps", "a").body["data"] == {"k": "2"}


def test_fields_of_others_are_looked_at_before_the_version(space: Space) -> None:
    space.apply("configmaps/a", config({"k": "1"}), "one")
    answer = space.apply("configmaps/a", config({"k": "2"}, resourceVersion=NEVER), "two")
    assert (answer.code, len(answer.body["details"]["causes"])) == (409, 1)


def test_apply_onto_another_object_of_the_same_name_conflicts(space: Space) -> None:
    space.apply("configmaps/a", config({"k": "1"}), "me")
    old = read(space)
    space.delete("configmaps", "a")
    space.apply("configmaps/a", config({"k": "2"}), "me")
    answer = space.apply("configmaps/a", config({"k": "3"}, **old), "me", force="true")
    assert (answer.code, answer.body["message"]) == (409, MODIFIED)


def test_uid_of_an_object_is_a_field_that_no_patch_changes(space: Space) -> None:
    space.apply("configmaps/a", config({"k": "1"}), "me")
    for meta in ({"uid": "0"}, read(space, uid="0")):
        answer = space.apply("configmaps/a", config({"k": "3"}, **meta), "me")
        assert (answer.code, answer.body["reason"]) == (422, "Invalid")
        assert 'metadata.uid: Invalid value: "0": field is immutable' in answer.body["message"]
    assert space.patch("configmaps/a", {"metadata": {"uid": "0"}}).code == 422


@pytest.mark.parametrize("meta", [{"uid": "0"}, {"uid": "0", "resourceVersion": "7"}])
def test_apply_of_a_uid_that_is_not_there_conflicts(space: Space, meta: Json) -> None:
    answer = space.apply("configmaps/a", config({}, **meta), "me")
    assert (answer.code, answer.body["reason"]) == (409, "Conflict")
    assert answer.body["message"] == (
        'Operation cannot be fulfilled on configmaps "a": '
        "uid mismatch: the provided object specified uid 0, and no existing object was found"
    )
    assert space.get("configmaps", "a").code == 404


@pytest.mark.parametrize(
    ("plural", "group", "kind"),
    [("configmaps", "v1", "ConfigMap"), ("backendconfigs", CLOUD, "BackendConfig")],
)
def test_apply_onto_a_version_that_never_was_creates_and_changes_nothing(
    space: Space, plural: str, group: str, kind: str
) -> None:
    body = {"apiVersion": group, "kind": kind, "metadata": {"name": "a", "resourceVersion": NEVER}}
    made = space.apply(f"{plural}/a", body, "me", group)
    assert made.code == 201
    assert made.body["metadata"]["resourceVersion"] != NEVER
    labelled = body | {"metadata": body["metadata"] | {"labels": {"x": "y"}}}
    again = space.apply(f"{plural}/a", labelled, "me", group, force="true")
    assert (again.code, again.body["reason"]) == (409, "Conflict")
    assert space.get(plural, "a", group).body["metadata"].get("labels") is None


def test_apply_with_managed_fields_is_refused(space: Space) -> None:
    row = {"manager": "x", "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": {}}
    answer = space.apply("configmaps/a", config({}, managedFields=[row]), "me")
    assert (answer.code, answer.body["message"]) == (400, "metadata.managedFields must be nil")


def test_apply_of_an_unknown_field_is_refused(space: Space) -> None:
    answer = space.apply("configmaps/a", config({}) | {"extra": 1}, "me")
    assert answer.code == 500
    assert ".extra: field not declared in schema" in answer.body["message"]


def test_apply_of_two_items_with_one_key_is_refused(space: Space) -> None:
    answer = space.apply("services/s", service({"name": "a", "port": 80}, {"name": "b", "port": 80}), "me")
    assert answer.code == 500
    assert "duplicate entries for key" in answer.body["message"]


def test_dry_run_of_an_apply_shows_the_result_and_the_conflict(space: Space) -> None:
    space.apply("configmaps/a", config({"k": "1"}), "one")
    before = space.get("configmaps", "a").body
    assert space.apply("configmaps/a", config({"k": "2"}), "two", dryRun="All").code == 409
    forced = space.apply("configmaps/a", config({"k": "2"}), "two", dryRun="All", force="true")
    assert forced.body["data"] == {"k": "2"}
    assert space.get("configmaps", "a").body == before


def test_dry_run_that_changes_nothing_answers_with_the_live_object(space: Space) -> None:
    live = space.apply("configmaps/a", config({"k": "1"}), "one").body
    assert space.apply("configmaps/a", config({"k": "1"}), "one", dryRun="All").body == live


def test_empty_map_is_a_value_that_conflicts(space: Space) -> None:
    space.apply("configmaps/a", config({}), "one")
    answer = space.apply("configmaps/a", config({}), "two")
    assert answer.body["message"] == 'Apply failed with 1 conflict: conflict with "one": .data'


def test_apply_in_a_missing_namespace_is_refused(space: Space) -> None:
    elsewhere = Space(space.server, "nowhere")
    assert elsewhere.apply("configmaps/a", config({"k": "1"}), "me").code == 404


def test_applied_object_of_another_namespace_is_refused(space: Space) -> None:
    assert space.apply("configmaps/a", config({}, namespace="default"), "me").code == 400


def test_finalizers_are_owned_one_by_one(space: Space) -> None:
    space.apply("configmaps/a", config({"k": "1"}, finalizers=["example.com/a"]), "one")
    answer = space.apply("configmaps/a", config({"l": "1"}, finalizers=["example.com/b"]), "two")
    assert answer.body["metadata"]["finalizers"] == ["example.com/a", "example.com/b"]
    assert fields_of(answer, "two")["f:metadata"] == {"f:finalizers": {'v:"example.com/b"': {}}}
    space.patch("configmaps/a", {"metadata": {"finalizers": None}})
