"""Objects of the Kubernetes API: create, read, replace, validate and delete."""

from __future__ import annotations

import pytest

from tests.contract.kube_server import Json, Server, Space, fresh_space, server_under_test, values  # noqa: F401 (fixtures)

CONFIG: Json = {"metadata": {"name": "a", "labels": {"app": "x"}}, "data": {"k": "v"}}
DEPLOYMENT: Json = {
    "metadata": {"name": "d"},
    "spec": {
        "selector": {"matchLabels": {"app": "x"}},
        "template": {
            "metadata": {"labels": {"app": "x"}},
            "spec": {"containers": [{"name": "c", "image": "x:1", "ports": [{"containerPort": 80}]}]},
        },
    },
}
SERVICE: Json = {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}], "selector": {"app": "x"}}}
CLOUD = "cloud.google.com/v1"


def test_created_object_can_be_read(space: Space) -> None:
    created = space.create("configmaps", CONFIG)
    assert created.code == 201
    assert created.body["metadata"]["uid"]
    assert space.get("configmaps", "a").body == created.body


def test_missing_object_is_a_not_found_status(space: Space) -> None:
    answer = space.get("deployments", "nope", "apps/v1")
    assert answer.code == 404
    assert answer.body == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": 'deployments.apps "nope" not found',
        "reason": "NotFound",
        "details": {"name": "nope", "group": "apps", "kind": "deployments"},
        "code": 404,
    }


def test_unknown_resource_is_a_plain_404(space: Space) -> None:
    answer = space.get("unicorns")
    assert answer.code == 404


def test_second_create_already_exists(space: Space) -> None:
    space.create("configmaps", CONFIG)
    answer = space.create("configmaps", CONFIG)
    assert (answer.code, answer.body["reason"]) == (409, "AlreadyExists")
    assert answer.body["message"] == 'configmaps "a" already exists'
    assert answer.body["details"] == {"name": "a", "kind": "configmaps"}


def test_create_in_missing_namespace_is_refused(server: Server) -> None:
    answer = server.call("POST", "/api/v1/namespaces/nowhere/configmaps", CONFIG)
    assert answer.code == 404
    assert answer.body["message"] == 'namespaces "nowhere" not found'
    assert answer.body["details"] == {"name": "nowhere", "kind": "namespaces"}


def test_generate_name_makes_a_name(space: Space) -> None:
    answer = space.create("configmaps", {"metadata": {"generateName": "part-"}})
    name = answer.body["metadata"]["name"]
    assert name.startswith("part-")
    assert len(name) == len("part-") + 5


def test_create_without_a_name_is_invalid(space: Space) -> None:
    answer = space.create("configmaps", {"metadata": {}})
    assert (answer.code, answer.body["reason"]) == (422, "Invalid")
    assert answer.body["details"]["causes"] == [
        {
            "reason": "FieldValueRequired",
            "message": "Required value: name or generateName is required",
            "field": "metadata.name",
        }
    ]


def test_update_with_an_old_version_conflicts(space: Space) -> None:
    first = space.create("configmaps", CONFIG).body
    assert space.put("configmaps", first | {"data": {"k": "2"}}).code == 200
    answer = space.put("configmaps", first | {"data": {"k": "3"}})
    assert (answer.code, answer.body["reason"]) == (409, "Conflict")
    assert answer.body["message"] == (
        'Operation cannot be fulfilled on configmaps "a": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )
    assert answer.body["details"] == {"name": "a", "kind": "configmaps"}


def test_update_without_a_version_is_unconditional_for_built_in_kinds(space: Space) -> None:
    space.create("configmaps", CONFIG)
    assert space.put("configmaps", CONFIG | {"data": {"k": "2"}}).body["data"] == {"k": "2"}


def test_update_of_a_custom_resource_needs_a_version(space: Space) -> None:
    config: Json = {
        "apiVersion": CLOUD,
        "kind": "BackendConfig",
        "metadata": {"name": "a"},
        "spec": {"timeoutSec": 30},
    }
    space.create("backendconfigs", config, CLOUD)
    answer = space.put("backendconfigs", config, CLOUD)
    assert answer.code == 422
    assert answer.body["details"]["causes"][0]["field"] == "metadata.resourceVersion"
    assert answer.body["message"] == (
        'backendconfigs.cloud.google.com "a" is invalid: metadata.resourceVersion: Invalid value: 0: '
        "must be specified for an update"
    )


def test_update_with_another_uid_conflicts(space: Space) -> None:
    first = space.create("configmaps", CONFIG).body
    answer = space.put("configmaps", first | {"metadata": {"name": "a", "uid": "other"}})
    assert (answer.code, answer.body["reason"]) == (409, "Conflict")


def test_update_under_another_name_is_refused(space: Space) -> None:
    space.create("configmaps", CONFIG)
    answer = space.server.call("PUT", space.path("configmaps", "b"), CONFIG)
    assert answer.code == 400


def test_update_that_changes_nothing_keeps_the_version(space: Space) -> None:
    first = space.create("configmaps", CONFIG).body
    assert (
        space.put("configmaps", first).body["metadata"]["resourceVersion"]
        == first["metadata"]["resourceVersion"]
    )


def test_update_of_a_missing_object_is_not_found(space: Space) -> None:
    assert space.put("configmaps", CONFIG).code == 404


@pytest.mark.parametrize(
    ("plural", "group", "body"),
    [
        ("deployments", "apps/v1", DEPLOYMENT),
        ("services", "v1", SERVICE),
        ("configmaps", "v1", CONFIG),
        ("secrets", "v1", {"metadata": {"name": "s"}, "stringData": {"a": "b"}}),
    ],
)
def test_defaults_are_filled_in(space: Space, plural: str, group: str, body: Json) -> None:
    found = values(space.create(plural, body, group).body)
    for path in (("spec", "clusterIP"), ("spec", "clusterIPs")):
        found.get(path[0], {}).pop(path[1], None)
    assert found == DEFAULTED[plural]


DEFAULTED: Json = {
    "configmaps": {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "a", "labels": {"app": "x"}},
        "data": {"k": "v"},
    },
    "secrets": {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s"},
        "data": {"a": "Yg=="},
        "type": "Opaque",
    },
    "services": {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "s"},
        "spec": {
            "ports": [{"protocol": "TCP", "port": 80, "targetPort": 80}],
            "selector": {"app": "x"},
            "type": "ClusterIP",
            "sessionAffinity": "None",
            "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack",
            "internalTrafficPolicy": "Cluster",
        },
        "status": {"loadBalancer": {}},
    },
    "deployments": {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d", "generation": 1},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": "x"}},
            "template": {
                "metadata": {"labels": {"app": "x"}},
                "spec": {
                    "containers": [
                        {
                            "name": "c",
                            "image": "x:1",
                            "ports": [{"containerPort": 80, "protocol": "TCP"}],
                            "resources": {},
                            "terminationMessagePath": "/dev/termination-log",
                            "terminationMessagePolicy": "File",
                            "imagePullPolicy": "IfNotPresent",
                        }
                    ],
                    "restartPolicy": "Always",
                    "terminationGracePeriodSeconds": 30,
                    "dnsPolicy": "ClusterFirst",
                    "securityContext": {},
                    "schedulerName": "default-scheduler",
                },
            },
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"},
            },
            "revisionHistoryLimit": 10,
            "progressDeadlineSeconds": 600,
        },
        "status": {},
    },
}


def test_generation_counts_changes_of_the_spec_only(space: Space) -> None:
    space.create("deployments", DEPLOYMENT, "apps/v1")
    labelled = space.patch("deployments/d", {"metadata": {"labels": {"a": "b"}}}, group="apps/v1")
    assert labelled.body["metadata"]["generation"] == 1
    scaled = space.patch("deployments/d", {"spec": {"replicas": 2}}, group="apps/v1")
    assert scaled.body["metadata"]["generation"] == 2
    status = space.patch("deployments/d/status", {"status": {"replicas": 2}}, group="apps/v1")
    assert status.body["metadata"]["generation"] == 2


def test_generation_of_a_deployment_counts_annotations_too(space: Space) -> None:
    space.create("deployments", DEPLOYMENT, "apps/v1")
    noted = space.patch("deployments/d", {"metadata": {"annotations": {"a": "b"}}}, group="apps/v1")
    assert noted.body["metadata"]["generation"] == 2


def test_main_endpoint_ignores_status_and_status_endpoint_ignores_the_rest(space: Space) -> None:
    space.create("deployments", DEPLOYMENT | {"status": {"replicas": 7}}, "apps/v1")
    both = {"spec": {"replicas": 3}, "status": {"replicas": 5}}
    main = space.patch("deployments/d", both, group="apps/v1").body
    assert (main["spec"]["replicas"], main["status"].get("replicas")) == (3, None)
    status = space.patch("deployments/d/status", both | {"spec": {"replicas": 9}}, group="apps/v1").body
    assert (status["spec"]["replicas"], status["status"]["replicas"]) == (3, 5)


def test_custom_resource_without_status_subresource_stores_status_and_counts_it(space: Space) -> None:
    group = "networking.gke.io/v1"
    certificate: Json = {
        "apiVersion": group,
        "kind": "ManagedCertificate",
        "metadata": {"name": "m"},
        "spec": {"domains": ["a.example.com"]},
    }
    space.create("managedcertificates", certificate, group)
    changed = space.patch("managedcertificates/m", {"status": {"certificateStatus": "Active"}}, group=group)
    assert changed.body["status"] == {"certificateStatus": "Active"}
    assert changed.body["metadata"]["generation"] == 2
    assert space.patch("managedcertificates/m/status", {"status": {}}, group=group).code == 404


def test_service_keeps_its_address_through_updates(space: Space) -> None:
    address = space.create("services", SERVICE).body["spec"]["clusterIP"]
    assert space.put("services", SERVICE).body["spec"]["clusterIP"] == address


def test_service_cannot_change_its_address(space: Space) -> None:
    space.create("services", SERVICE)
    answer = space.patch("services/s", {"spec": {"clusterIP": "10.0.99.99"}})
    assert answer.code == 422
    assert answer.body["details"]["causes"][0]["field"] == "spec.clusterIPs[0]"


def test_service_that_stops_being_a_load_balancer_loses_its_node_ports(space: Space) -> None:
    balanced = SERVICE | {"spec": SERVICE["spec"] | {"type": "LoadBalancer"}}
    spec = space.create("services", balanced).body["spec"]
    assert spec["ports"][0]["nodePort"] >= 30000
    assert (spec["externalTrafficPolicy"], spec["allocateLoadBalancerNodePorts"]) == ("Cluster", True)
    plain = space.patch("services/s", {"spec": {"type": "ClusterIP"}}).body["spec"]
    assert "nodePort" not in plain["ports"][0]
    assert not {"externalTrafficPolicy", "allocateLoadBalancerNodePorts"} & set(plain)
    assert plain["clusterIP"] == spec["clusterIP"]


def test_deleted_object_is_gone(space: Space) -> None:
    uid = space.create("configmaps", CONFIG).body["metadata"]["uid"]
    answer = space.delete("configmaps", "a")
    assert answer.code == 200
    assert answer.body == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {"name": "a", "kind": "configmaps", "uid": uid},
    }
    assert space.get("configmaps", "a").code == 404
    assert space.delete("configmaps", "a").code == 404


def test_finalizer_holds_a_deleted_object(space: Space) -> None:
    space.create("configmaps", CONFIG | {"metadata": {"name": "a", "finalizers": ["example.com/hold"]}})
    marked = space.delete("configmaps", "a").body
    assert marked["metadata"]["deletionTimestamp"]
    assert marked["metadata"]["deletionGracePeriodSeconds"] == 0
    assert space.get("configmaps", "a").code == 200
    space.patch("configmaps/a", {"metadata": {"finalizers": None}})
    assert space.get("configmaps", "a").code == 404


def test_delete_checks_its_preconditions(space: Space) -> None:
    space.create("configmaps", CONFIG)
    for condition in ({"uid": "other"}, {"resourceVersion": "1"}):
        answer = space.delete("configmaps", "a", body={"preconditions": condition})
        assert (answer.code, answer.body["reason"]) == (409, "Conflict")
    assert space.get("configmaps", "a").code == 200


def test_delete_collection_takes_what_the_selector_matches(space: Space) -> None:
    space.create("configmaps", CONFIG)
    space.create("configmaps", {"metadata": {"name": "b"}})
    assert space.delete("configmaps", labelSelector="app=x").code == 200
    left = [row["metadata"]["name"] for row in space.get("configmaps").body["items"]]
    assert left == ["b"]


def test_pod_on_a_node_waits_for_its_node(space: Space) -> None:
    pod: Json = {
        "metadata": {"name": "p"},
        "spec": {"nodeName": "n", "containers": [{"name": "c", "image": "x"}]},
    }
    space.create("pods", pod)
    marked = space.delete("pods", "p").body["metadata"]
    assert marked["deletionGracePeriodSeconds"] == 30
    assert space.get("pods", "p").code == 200
    assert space.delete("pods", "p", body={"gracePeriodSeconds": 0}).code == 200
    assert space.get("pods", "p").code == 404


def test_dry_run_answers_in_full_and_stores_nothing(space: Space) -> None:
    created = space.create("services", SERVICE, dryRun="All")
    assert created.code == 201
    assert created.body["metadata"]["uid"]
    assert space.get("services", "s").code == 404
    space.create("configmaps", CONFIG)
    before = space.get("configmaps", "a").body
    assert space.patch("configmaps/a", {"data": {"k": "2"}}, dryRun="All").body["data"] == {"k": "2"}
    assert space.put("configmaps", CONFIG | {"data": {}}, dryRun="All").code == 200
    assert space.delete("configmaps", "a", dryRun="All").code == 200
    assert space.get("configmaps", "a").body == before


def test_unknown_token_is_unauthorized(space: Space) -> None:
    answer = space.get("configmaps", user="mallory")
    assert (answer.code, answer.body["reason"]) == (401, "Unauthorized")


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/livez"])
def test_health_is_ok(server: Server, path: str) -> None:
    assert server.call("GET", path).body == {"text": "ok"}


def test_terminating_namespace_takes_no_new_objects(space: Space) -> None:
    space.create("configmaps", {"metadata": {"name": "held", "finalizers": ["example.com/hold"]}})
    assert space.server.call("DELETE", f"/api/v1/namespaces/{space.name}").code == 200
    answer = space.create("configmaps", CONFIG)
    assert (answer.code, answer.body["reason"]) == (403, "Forbidden")
    space.patch("configmaps/held", {"metadata": {"finalizers": None}})


def test_namespace_carries_its_name_as_a_label(space: Space) -> None:
    found = space.server.call("GET", f"/api/v1/namespaces/{space.name}").body
    assert found["metadata"]["labels"] == {"kubernetes.io/metadata.name": space.name}
    assert (found["spec"], found["status"]) == ({"finalizers": ["kubernetes"]}, {"phase": "Active"})


def test_time_limit_of_a_request_is_a_duration(space: Space) -> None:
    for limit in ("20s", "1m30s", "0", "500ms"):
        assert space.get("configmaps", timeout=limit).code == 200
    refused = space.get("configmaps", timeout="soon")
    assert (refused.code, refused.body["reason"]) == (400, "BadRequest")
    assert refused.body["message"].startswith("invalid timeout specified in the request URL - ")


def test_delete_of_another_object_or_version_names_what_was_asked_for(space: Space) -> None:
    made = space.create("configmaps", {"metadata": {"name": "a"}}).body["metadata"]
    other = space.delete("configmaps", "a", body={"preconditions": {"uid": "0"}})
    assert (other.code, other.body["reason"]) == (409, "Conflict")
    assert other.body["message"] == (
        'Operation cannot be fulfilled on ConfigMap "a": the UID in the precondition (0) does not match '
        f"the UID in record ({made['uid']}). The object might have been deleted and then recreated"
    )
    condition = {"uid": made["uid"], "resourceVersion": "7"}
    older = space.delete("configmaps", "a", body={"preconditions": condition})
    assert (older.code, older.body["reason"]) == (409, "Conflict")
    assert older.body["message"] == (
        'Operation cannot be fulfilled on ConfigMap "a": the ResourceVersion in the precondition (7) does '
        f"not match the ResourceVersion in record ({made['resourceVersion']}). "
        "The object might have been modified"
    )
    assert space.delete("configmaps", "a", body={"preconditions": condition | read_version(made)}).code == 200
    assert space.delete("configmaps", "a", body={"preconditions": condition}).code == 404


def read_version(meta: Json) -> Json:
    return {"resourceVersion": meta["resourceVersion"]}
