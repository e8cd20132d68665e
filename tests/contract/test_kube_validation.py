"""What is refused, and in which words: the same on the emulator and on a real kube-apiserver."""

from __future__ import annotations

from base64 import b64encode
from copy import deepcopy

import pytest

from tests.contract.kube_server import Answer, Json, Space, fresh_space, server_under_test  # noqa: F401 (fixtures)

BACKEND: Json = {"service": {"name": "s", "port": {"number": 80}}}
PATH: Json = {"path": "/", "pathType": "Prefix", "backend": BACKEND}
NETWORKING = "networking.k8s.io/v1"
CLOUD = "cloud.google.com/v1"
GKE = "networking.gke.io/v1"


def causes(answer: Answer) -> list[tuple[str, str]]:
    assert (answer.code, answer.body["reason"]) == (422, "Invalid"), answer.body
    return [(cause["field"], cause["reason"]) for cause in answer.body["details"]["causes"]]


def ingress(path: Json, **rule: object) -> Json:
    rules = [{"host": "a.example.com", "http": {"paths": [path]}} | rule]
    return {"metadata": {"name": "i"}, "spec": {"rules": rules}}


@pytest.mark.parametrize("name", ["UPPER", "under_score", "-dash", "dot.", "x" * 254])
def test_bad_names_are_refused(space: Space, name: str) -> None:
    answer = space.create("configmaps", {"metadata": {"name": name}})
    assert causes(answer)[0] == ("metadata.name", "FieldValueInvalid")


def test_service_name_is_stricter(space: Space) -> None:
    for name in ("1st", "a.b", "x" * 64):
        body = {"metadata": {"name": name}, "spec": {"ports": [{"port": 80}]}}
        assert causes(space.create("services", body))[0] == ("metadata.name", "FieldValueInvalid")


def test_bad_labels_and_annotations_are_refused(space: Space) -> None:
    meta = {"name": "a", "labels": {"app": "no spaces", "-bad": "x"}, "annotations": {"a b": "c"}}
    found = causes(space.create("configmaps", {"metadata": meta}))
    assert sorted(found) == [
        ("metadata.annotations", "FieldValueInvalid"),
        ("metadata.labels", "FieldValueInvalid"),
        ("metadata.labels", "FieldValueInvalid"),
    ]


def test_tls_secret_needs_certificate_and_key(space: Space) -> None:
    secret = {"metadata": {"name": "s"}, "type": "kubernetes.io/tls", "stringData": {"tls.crt": "x"}}
    answer = space.create("secrets", secret)
    assert causes(answer) == [("data[tls.key]", "FieldValueRequired")]
    assert answer.body["message"] == 'Secret "s" is invalid: data[tls.key]: Required value'
    assert answer.body["details"] | {"causes": []} == {"name": "s", "kind": "Secret", "causes": []}


def test_secret_that_is_no_base64_is_a_bad_request(space: Space) -> None:
    answer = space.create("secrets", {"metadata": {"name": "s"}, "data": {"a": "%%%"}})
    assert (answer.code, answer.body["reason"]) == (400, "BadRequest")
    assert "illegal base64 data" in answer.body["message"]


MEBIBYTE = 1024 * 1024


@pytest.mark.parametrize(("more", "is_taken"), [(0, True), (1, False)])
def test_secret_holds_a_mebibyte_at_most(space: Space, more: int, is_taken: bool) -> None:
    values = {"a": "x" * (MEBIBYTE // 2), "b": "x" * (MEBIBYTE // 2 + more)}
    data = {key: b64encode(text.encode()).decode() for key, text in values.items()}
    answer = space.create("secrets", {"metadata": {"name": "s"}, "data": data})
    assert answer.code == 201 if is_taken else causes(answer) == [("data", "FieldValueTooLong")]


@pytest.mark.parametrize(("more", "is_taken"), [(0, True), (1, False)])
def test_config_map_holds_a_mebibyte_at_most(space: Space, more: int, is_taken: bool) -> None:
    body = {"metadata": {"name": "c"}, "data": {"a": "x" * (MEBIBYTE + more)}}
    answer = space.create("configmaps", body)
    assert answer.code == 201 if is_taken else answer.code == 422


@pytest.mark.parametrize("missing", ["apiVersion", "kind"])
def test_custom_resource_must_say_what_it_is(space: Space, missing: str) -> None:
    whole = {
        "apiVersion": CLOUD,
        "kind": "BackendConfig",
        "metadata": {"name": "b"},
        "spec": {"timeoutSec": 40},
    }
    body = {key: value for key, value in whole.items() if key != missing}
    assert space.create("backendconfigs", body, group=CLOUD).code == 400
    assert space.apply("backendconfigs/b", body, "me", group=CLOUD).code == 400
    assert space.create("backendconfigs", whole, group=CLOUD).code == 201
    assert space.put("backendconfigs", body, group=CLOUD).code == 400
    assert space.patch("backendconfigs/b", {"spec": {"timeoutSec": 50}}, group=CLOUD).code == 200


def test_secret_type_is_immutable(space: Space) -> None:
    space.create("secrets", {"metadata": {"name": "s"}, "type": "Opaque"})
    answer = space.patch("secrets/s", {"type": "other"})
    assert causes(answer) == [("type", "FieldValueInvalid")]
    assert answer.body["message"] == 'Secret "s" is invalid: type: Invalid value: "other": field is immutable'


def test_immutable_config_map_keeps_its_data(space: Space) -> None:
    space.create("configmaps", {"metadata": {"name": "a"}, "data": {"k": "1"}, "immutable": True})
    assert causes(space.patch("configmaps/a", {"data": {"k": "2"}})) == [("data", "FieldValueForbidden")]


def test_config_map_key_is_checked(space: Space) -> None:
    answer = space.create("configmaps", {"metadata": {"name": "a"}, "data": {"no spaces": "1"}})
    assert causes(answer) == [("data[no spaces]", "FieldValueInvalid")]


@pytest.mark.parametrize(
    ("ports", "field", "reason"),
    [
        ([], "spec.ports", "FieldValueRequired"),
        ([{"port": 70000}], "spec.ports[0].port", "FieldValueInvalid"),
        ([{"port": 80, "name": "Bad"}], "spec.ports[0].name", "FieldValueInvalid"),
        ([{"port": 80, "name": "a"}, {"port": 81}], "spec.ports[1].name", "FieldValueRequired"),
        (
            [{"port": 80, "name": "a"}, {"port": 81, "name": "a"}],
            "spec.ports[1].name",
            "FieldValueDuplicate",
        ),
        ([{"port": 80, "protocol": "ICMP"}], "spec.ports[0].protocol", "FieldValueNotSupported"),
    ],
)
def test_service_ports_are_checked(space: Space, ports: list[Json], field: str, reason: str) -> None:
    answer = space.create("services", {"metadata": {"name": "s"}, "spec": {"ports": ports}})
    assert (field, reason) in causes(answer)


def test_service_type_is_one_of_four(space: Space) -> None:
    answer = space.create(
        "services", {"metadata": {"name": "s"}, "spec": {"type": "L7", "ports": [{"port": 1}]}}
    )
    assert ("spec.type", "FieldValueNotSupported") in causes(answer)
    assert (
        'spec.type: Unsupported value: "L7": supported values: "ClusterIP", "ExternalName", "LoadBalancer", '
        '"NodePort"'
    ) in answer.body["message"]


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        ({"path": "no-slash"}, "path", "FieldValueInvalid"),
        ({"pathType": None}, "pathType", "FieldValueRequired"),
        ({"backend": {"service": {"port": {"number": 80}}}}, "backend.service.name", "FieldValueRequired"),
        ({"backend": {"service": {"name": "s"}}}, "backend", "FieldValueRequired"),
    ],
)
def test_ingress_paths_are_checked(space: Space, change: Json, field: str, reason: str) -> None:
    path = {key: value for key, value in (PATH | change).items() if value is not None}
    answer = space.create("ingresses", ingress(path), NETWORKING)
    assert causes(answer) == [(f"spec.rules[0].http.paths[0].{field}", reason)]


def test_ingress_needs_a_rule_or_a_default_backend(space: Space) -> None:
    answer = space.create("ingresses", {"metadata": {"name": "i"}, "spec": {}}, NETWORKING)
    assert causes(answer) == [("spec", "FieldValueInvalid")]


def test_ingress_host_is_checked(space: Space) -> None:
    answer = space.create("ingresses", ingress(PATH, host="Upper.example.com"), NETWORKING)
    assert causes(answer) == [("spec.rules[0].host", "FieldValueInvalid")]


def deployment(**spec: object) -> Json:
    template = {
        "metadata": {"labels": {"app": "x"}},
        "spec": {"containers": [{"name": "c", "image": "x"}]},
    }
    return {
        "metadata": {"name": "d"},
        "spec": {"selector": {"matchLabels": {"app": "x"}}, "template": template} | spec,
    }


def test_deployment_selector_is_immutable(space: Space) -> None:
    space.create("deployments", deployment(), "apps/v1")
    body = deployment(selector={"matchLabels": {"app": "y"}})
    body["spec"]["template"]["metadata"]["labels"]["app"] = "y"
    assert ("spec.selector", "FieldValueInvalid") in causes(space.put("deployments", body, "apps/v1"))


def test_deployment_selector_must_match_its_template(space: Space) -> None:
    answer = space.create("deployments", deployment(selector={"matchLabels": {"app": "y"}}), "apps/v1")
    assert causes(answer) == [("spec.template.metadata.labels", "FieldValueInvalid")]


def test_recreate_forbids_a_rolling_update(space: Space) -> None:
    strategy = {"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}
    answer = space.create("deployments", deployment(strategy=strategy), "apps/v1")
    assert causes(answer) == [("spec.strategy.rollingUpdate", "FieldValueForbidden")]


def test_container_needs_a_name_and_an_image(space: Space) -> None:
    body = deepcopy(deployment())
    body["spec"]["template"]["spec"]["containers"] = [{}]
    found = causes(space.create("deployments", body, "apps/v1"))
    base = "spec.template.spec.containers[0]"
    assert {(f"{base}.name", "FieldValueRequired"), (f"{base}.image", "FieldValueRequired")} <= set(found)


def backend_config(spec: Json) -> Json:
    return {"apiVersion": CLOUD, "kind": "BackendConfig", "metadata": {"name": "b"}, "spec": spec}


def test_backend_config_types_are_checked(space: Space) -> None:
    answer = space.create("backendconfigs", backend_config({"healthCheck": {"port": "9091"}}), CLOUD)
    assert causes(answer) == [("spec.healthCheck.port", "FieldValueTypeInvalid")]
    assert answer.body["message"] == (
        'BackendConfig.cloud.google.com "b" is invalid: spec.healthCheck.port: Invalid value: "string": '
        'spec.healthCheck.port in body must be of type integer: "string"'
    )


def test_backend_config_takes_any_health_check_type(space: Space) -> None:
    # It is the Ingress controller that refuses GRPC, not the API server.
    answer = space.create("backendconfigs", backend_config({"healthCheck": {"type": "GRPC"}}), CLOUD)
    assert answer.code == 201


def certificate(*domains: str) -> Json:
    spec = {"domains": list(domains)}
    return {"apiVersion": GKE, "kind": "ManagedCertificate", "metadata": {"name": "m"}, "spec": spec}


@pytest.mark.parametrize("domain", ["Upper.example.com", "nodot", "*.example.com", "trailing.example.com."])
def test_managed_certificate_domain_has_a_pattern(space: Space, domain: str) -> None:
    answer = space.create("managedcertificates", certificate("ok.example.com", domain), GKE)
    assert causes(answer) == [("spec.domains[1]", "FieldValueInvalid")]
    assert f'"{domain}": spec.domains[1] in body should match' in answer.body["message"]


def test_managed_certificate_domain_has_at_most_63_characters(space: Space) -> None:
    answer = space.create("managedcertificates", certificate("a" * 60 + ".com"), GKE)
    assert causes(answer) == [("spec.domains[0]", "FieldValueTooLong")]
    assert "Too long: may not be more than 63 bytes" in answer.body["message"]


def test_managed_certificate_has_at_most_100_domains(space: Space) -> None:
    many = [f"a{number}.example.com" for number in range(101)]
    answer = space.create("managedcertificates", certificate(*many), GKE)
    assert causes(answer) == [("spec.domains", "FieldValueTooMany")]
    assert "Too many: 101: must have at most 100 items" in answer.body["message"]


def test_unknown_fields_are_dropped_unless_validation_is_strict(space: Space) -> None:
    body = {"metadata": {"name": "a"}, "data": {"k": "v"}, "extra": 1}
    strict = space.create("configmaps", body, fieldValidation="Strict")
    assert (strict.code, strict.body["reason"]) == (400, "BadRequest")
    assert strict.body["message"] == (
        'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: '
        'unknown field "extra"'
    )
    assert "extra" not in space.create("configmaps", body).body


def test_unknown_fields_of_a_custom_resource_are_dropped_or_refused(space: Space) -> None:
    body = backend_config({"timeoutSecs": 1})
    strict = space.create("backendconfigs", body, CLOUD, fieldValidation="Strict")
    assert strict.code == 400
    assert 'unknown field "spec.timeoutSecs"' in strict.body["message"]
    assert space.create("backendconfigs", body, CLOUD).body["spec"] == {}


def test_wrong_type_of_a_built_in_field_is_a_bad_request(space: Space) -> None:
    answer = space.create("configmaps", {"metadata": {"name": "a", "annotations": {"a": True}}})
    assert (answer.code, answer.body["reason"]) == (400, "BadRequest")


@pytest.mark.parametrize("body", [b"not json", b"[]", b'"text"'])
def test_body_that_is_no_object_is_a_bad_request(space: Space, body: bytes) -> None:
    answer = space.server.call("POST", space.path("configmaps"), body)
    assert (answer.code, answer.body["reason"]) == (400, "BadRequest")


def test_object_of_another_kind_is_a_bad_request(space: Space) -> None:
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}}
    assert space.create("configmaps", body).code == 400


def test_collection_cannot_be_patched(space: Space) -> None:
    answer = space.server.call("PATCH", space.path("configmaps"), {}, media="application/merge-patch+json")
    assert (answer.code, answer.body["reason"]) == (405, "MethodNotAllowed")
