"""What an Ingress means to the emulated GKE controller, and how it fails."""

from __future__ import annotations

import base64
import datetime
import json
from functools import cache
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from localcloud.controllers import object_annotations
from localcloud.controllers.ingress import load_balancer, negs, translation
from localcloud.controllers.ingress.fingerprints import fingerprint
from localcloud.controllers.ingress.names import neg_name
from localcloud.controllers.ingress.translation import Gathered, SyncError, TranslateError, Translation
from localcloud.envoy.model import Certificate, Endpoint
from localcloud.envoy.process import Health
from localcloud.node.containers import HOST_PORTS

Object = dict[str, Any]

APP_PROTOCOLS = "cloud.google.com/app-protocols"
ALPHA = "service.alpha.kubernetes.io/app-protocols"
WISHES = {
    "cloud.google.com/neg": '{"ingress": true}',
    APP_PROTOCOLS: '{"milvus": "HTTP2"}',
    "cloud.google.com/backend-config": '{"default": "bc"}',
}
NEG = neg_name("default", "svc", 19530)


def a_service(kind: str = "ClusterIP", without: str = "", **extra: str) -> Object:
    wishes = {key: value for key, value in WISHES.items() if key != without}
    return {
        "metadata": {"name": "svc", "namespace": "default", "annotations": wishes | extra},
        "spec": {
            "type": kind,
            "selector": {"app": "milvus"},
            "ports": [
                {"name": "milvus", "port": 19530, "targetPort": "milvus", "nodePort": 30000},
                {"name": "metrics", "port": 9091, "targetPort": 9091},
            ],
        },
    }


def a_backend_config(**check: object) -> Object:
    spec = {
        "timeoutSec": 3600,
        "healthCheck": {"type": "HTTP", "port": 9091, "requestPath": "/healthz", **check},
    }
    return {"metadata": {"name": "bc", "namespace": "default"}, "spec": spec}


def an_ingress(annotations: dict[str, str] | None = None, **spec: Any) -> Object:
    path = {
        "path": "/",
        "pathType": "Prefix",
        "backend": {"service": {"name": "svc", "port": {"number": 19530}}},
    }
    rules = [{"host": "a.example", "http": {"paths": [path]}}]
    return {
        "metadata": {"name": "ing", "namespace": "default", "uid": "u", "annotations": annotations or {}},
        "spec": {"rules": rules, **spec},
    }


def a_pod(is_ready: bool = True) -> Object:
    return {
        "metadata": {
            "name": "p",
            "namespace": "default",
            "labels": {"app": "milvus"},
            "annotations": {HOST_PORTS: '{"19530": 21001, "9091": 21002}'},
        },
        "spec": {
            "containers": [{"name": "standalone", "ports": [{"name": "milvus", "containerPort": 19530}]}]
        },
        "status": {"conditions": [{"type": "Ready", "status": str(is_ready)}]},
    }


@cache
def a_pair() -> tuple[str, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a.example")])
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    builder = x509.CertificateBuilder(
        name, name, key.public_key(), 1, start, start + datetime.timedelta(days=1)
    )
    chain = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return chain.decode(), pem.decode()


def a_secret(**data: str) -> Object:
    return {"data": {key: base64.b64encode(text.encode()).decode() for key, text in data.items()}}


def translated(ingress: Object, service: Object | None = None, **gathered: Any) -> Translation:
    found = {
        "services": {"svc": service or a_service()},
        "backend_configs": {"bc": a_backend_config()},
        "secrets": {},
    }
    return translation.translate(ingress, Gathered(**{**found, **gathered}), fastest_probe_s=1)


@pytest.mark.parametrize(
    ("annotation", "class_name", "is_handled"),
    [
        ("", None, True),
        ("", "gce", False),
        ("gce", None, True),
        ("gce", "nginx", True),
        ("gce-internal", None, False),
        ("nginx", None, False),
    ],
)
def test_the_class_annotation_decides_and_an_ingress_class_name_only_excludes(
    annotation: str, class_name: str | None, is_handled: bool
) -> None:
    given = {"kubernetes.io/ingress.class": annotation} if annotation else {}
    spec = {"ingressClassName": class_name} if class_name else {}
    assert object_annotations.is_gce(an_ingress(given, **spec)) is is_handled


def test_a_complete_service_gives_an_http2_backend_with_the_configured_check_and_time_out() -> None:
    (spec,) = translated(an_ingress()).backends
    assert (spec.name, spec.protocol, spec.timeout_s, spec.health_port) == (NEG, "HTTP2", 3600, 9091)
    assert (spec.health_check.protocol, spec.health_check.path) == ("HTTP", "/healthz")


def test_without_a_backend_config_the_serving_port_is_probed_by_its_own_protocol_within_30_s() -> None:
    (spec,) = translated(an_ingress(), a_service(without="cloud.google.com/backend-config")).backends
    assert (spec.health_check.protocol, spec.health_check.path, spec.health_port) == ("HTTP2", "/", None)
    assert spec.timeout_s == 30


def test_a_backend_config_without_a_type_probes_by_the_protocol_of_the_traffic() -> None:
    config = a_backend_config()
    del config["spec"]["healthCheck"]["type"]
    (spec,) = translated(an_ingress(), backend_configs={"bc": config}).backends
    assert spec.health_check.protocol == "HTTP2"


@pytest.mark.parametrize("protocols", ['{"19530": "HTTP2"}', '{"grpc": "HTTP2"}', "{}"])
def test_app_protocols_count_by_port_name_only_and_anything_else_is_http_1(protocols: str) -> None:
    (spec,) = translated(an_ingress(), a_service(**{APP_PROTOCOLS: protocols})).backends
    assert spec.protocol == "HTTP"


def test_the_alpha_app_protocols_win() -> None:
    (spec,) = translated(an_ingress(), a_service(**{ALPHA: '{"milvus": "HTTPS"}'})).backends
    assert spec.protocol == "HTTPS"


@pytest.mark.parametrize(
    ("service", "configs", "message"),
    [
        (
            a_service(without="cloud.google.com/neg"),
            {"bc": a_backend_config()},
            'service "default/svc" is type "ClusterIP", expected "NodePort" or "LoadBalancer"',
        ),
        (
            a_service(**{APP_PROTOCOLS: "{"}),
            {"bc": a_backend_config()},
            'could not parse "service.alpha.kubernetes.io/app-protocols" annotation on service "default/svc"',
        ),
        (
            a_service(**{APP_PROTOCOLS: '{"milvus": "GRPC"}'}),
            {"bc": a_backend_config()},
            "invalid port application protocol",
        ),
        (
            a_service(),
            {},
            'error getting BackendConfig for port "&ServiceBackendPort{Name:,Number:19530,}" on service '
            '"default/svc", err: no BackendConfig for service port exists.',
        ),
        (
            a_service(**{"cloud.google.com/backend-config": "{"}),
            {"bc": a_backend_config()},
            "BackendConfig annotation is invalid json",
        ),
        (
            a_service(**{"cloud.google.com/backend-config": "{}"}),
            {"bc": a_backend_config()},
            "no BackendConfig's found in annotation",
        ),
    ],
)
def test_a_service_that_cannot_be_used_fails_the_translation(
    service: Object, configs: dict[str, Object], message: str
) -> None:
    with pytest.raises(TranslateError) as refused:
        translated(an_ingress(), service, backend_configs=configs)
    assert message in str(refused.value)


def test_a_missing_service_or_port_fails_the_translation() -> None:
    with pytest.raises(TranslateError, match='could not find service "default/svc"'):
        translated(an_ingress(), services={})
    other = a_service()
    other["spec"]["ports"] = other["spec"]["ports"][1:]
    with pytest.raises(TranslateError, match=r"port .&ServiceBackendPort\{Name:,Number:19530,\}. in service"):
        translated(an_ingress(), other)


def test_a_load_balancer_service_without_neg_is_probed_at_the_node_where_9091_is_nothing() -> None:
    service = a_service("LoadBalancer", without="cloud.google.com/neg")
    (spec,) = translated(an_ingress(), service).backends
    assert spec.name.startswith("k8s-be-30000--")
    backend = translation.backend_of(spec, service, [a_pod()])
    assert backend.endpoints == (Endpoint(21001, translation.CLOSED_PORT),)


def test_ready_pods_stand_behind_a_neg_with_the_host_ports_of_their_container_ports() -> None:
    (spec,) = translated(an_ingress()).backends
    assert translation.backend_of(spec, a_service(), [a_pod()]).endpoints == (Endpoint(21001, 21002),)
    assert translation.backend_of(spec, a_service(), [a_pod(is_ready=False)]).endpoints == ()


@pytest.mark.parametrize(
    ("entry", "secrets", "message"),
    [
        ({"hosts": ["a.example"]}, {}, 'secret "" does not exist'),
        ({"secretName": "tls"}, {}, 'secrets "tls" not found'),
        ({"secretName": "tls"}, {"tls": a_secret()}, 'secret "tls" does not specify cert as string data'),
        (
            {"secretName": "tls"},
            {"tls": a_secret(**{"tls.crt": "x"})},
            'secret "tls" does not specify private key as string data',
        ),
        (
            {"secretName": "tls"},
            {"tls": a_secret(**{"tls.crt": a_pair()[0], "tls.key": "SECRET"})},
            "Cert creation failures",
        ),
    ],
)
def test_a_tls_entry_that_cannot_be_served_fails_the_whole_sync_without_showing_the_key(
    entry: Object, secrets: dict[str, Object], message: str
) -> None:
    with pytest.raises(SyncError) as refused:
        translated(an_ingress(tls=[entry]), secrets=secrets)
    assert message in str(refused.value)
    assert "SECRET" not in str(refused.value)


def test_front_ends_are_http_unless_disallowed_and_https_with_a_certificate() -> None:
    chain, key = a_pair()
    secrets = {"tls": a_secret(**{"tls.crt": chain, "tls.key": key})}
    both = translated(an_ingress(tls=[{"secretName": "tls"}]), secrets=secrets)
    only = translated(
        an_ingress({"kubernetes.io/ingress.allow-http": "false"}, tls=[{"secretName": "tls"}]),
        secrets=secrets,
    )
    assert [item.port for item in load_balancer.front_ends("u", "127.1.1.10", both).http] == [8080, 8443]
    assert [item.port for item in load_balancer.front_ends("u", "127.1.1.10", only).http] == [8443]


def test_pre_shared_certificates_come_before_those_of_secrets() -> None:
    chain, key = a_pair()
    secrets = {"tls": a_secret(**{"tls.crt": chain, "tls.key": key})}
    annotations = {"ingress.gcp.kubernetes.io/pre-shared-cert": "mcrt-1, mcrt-2"}
    ingress = an_ingress(annotations, tls=[{"secretName": "tls"}])
    found = translated(ingress, secrets=secrets, ssl_certificates=frozenset({"mcrt-1", "mcrt-2"}))
    issued = Certificate("MANAGED", "KEY")
    https = load_balancer.front_ends("u", "127.1.1.10", found, (issued,)).http[-1]
    assert https.certificates == (issued, Certificate(chain, key))
    annotated = load_balancer.status_annotations(ingress, found, {})["ingress.kubernetes.io/ssl-cert"] or ""
    assert annotated.split(",")[:2] == ["mcrt-1", "mcrt-2"]
    assert annotated.split(",")[2].startswith("k8s2-cr-")


def test_without_an_issued_certificate_the_https_port_is_open_and_answers_nothing() -> None:
    annotations = {"ingress.gcp.kubernetes.io/pre-shared-cert": "mcrt-1"}
    found = translated(an_ingress(annotations), ssl_certificates=frozenset({"mcrt-1"}))
    part = load_balancer.front_ends("u", "127.1.1.10", found)
    assert [item.port for item in part.http] == [8080]
    assert [(item.port, item.backend) for item in part.tcp] == [(8443, "nobody-u")]
    assert [backend.endpoints for backend in part.backends] == [()]


def test_pre_shared_certificate_that_does_not_exist_fails_the_sync() -> None:
    annotations = {"ingress.gcp.kubernetes.io/pre-shared-cert": "mcrt-1"}
    with pytest.raises(SyncError, match="global/sslCertificates/mcrt-1' was not found, notFound"):
        translated(an_ingress(annotations))


def test_https_alone_needs_a_certificate_and_a_managed_one_that_is_attached_later_is_none_yet() -> None:
    alone = {"kubernetes.io/ingress.allow-http": "false"}
    with pytest.raises(SyncError, match="both HTTP and HTTPS are disabled"):
        translated(an_ingress({**alone, "networking.gke.io/managed-certificates": "one"}))
    attached = an_ingress({**alone, "ingress.gcp.kubernetes.io/pre-shared-cert": "mcrt-1"})
    assert translated(attached, ssl_certificates=frozenset({"mcrt-1"})).pre_shared == ("mcrt-1",)


def test_neither_http_nor_https_fails_the_sync() -> None:
    with pytest.raises(SyncError, match="both HTTP and HTTPS are disabled"):
        translated(an_ingress({"kubernetes.io/ingress.allow-http": "false"}))


def test_a_static_ip_that_nobody_reserved_fails_the_sync() -> None:
    with pytest.raises(SyncError, match="the given static IP name my-ip doesn't translate"):
        translated(an_ingress({"kubernetes.io/ingress.global-static-ip-name": "my-ip"}))


def test_a_wildcard_in_a_prefix_path_fails_the_translation() -> None:
    ingress = an_ingress()
    ingress["spec"]["rules"][0]["http"]["paths"][0]["path"] = "/*"
    with pytest.raises(TranslateError, match="invalid wildcard"):
        translated(ingress)


def test_the_backends_annotation_lists_the_default_backend_beside_ours() -> None:
    found = load_balancer.status_annotations(an_ingress(), translated(an_ingress()), {NEG: Health.UNHEALTHY})
    states = json.loads(found["ingress.kubernetes.io/backends"] or "")
    assert states.pop(NEG) == "UNHEALTHY"
    assert list(states.values()) == ["HEALTHY"]
    assert found["ingress.kubernetes.io/https-forwarding-rule"] is None


def test_neg_status_names_only_ports_that_an_ingress_uses() -> None:
    ports = negs.neg_ports(a_service(), [an_ingress()])
    assert ports == {19530}
    assert json.loads(negs.neg_status(a_service(), ports) or "")["network_endpoint_groups"] == {"19530": NEG}
    assert negs.neg_ports(a_service(), [an_ingress(ingressClassName="gce")]) == set()
    assert negs.neg_ports(a_service(without="cloud.google.com/neg"), [an_ingress()]) == set()
    assert negs.neg_status(a_service(), set()) is None


def test_names_of_google_resources_fit_into_63_characters() -> None:
    assert len(neg_name("n" * 63, "s" * 63, 19530)) == 63


def test_what_controllers_write_makes_no_new_sync_and_what_users_write_does() -> None:
    def seen(ingress: Object, service: Object, config: Object) -> str:
        return fingerprint(ingress, Gathered({"svc": service}, {"bc": config}, {}))

    before = seen(an_ingress(), a_service(), a_backend_config())
    ours = an_ingress({"ingress.kubernetes.io/backends": "{}"})
    assert seen(ours, a_service(**{"cloud.google.com/neg-status": "{}"}), a_backend_config()) == before
    assert seen(an_ingress({"a": "b"}), a_service(), a_backend_config()) != before
    assert seen(an_ingress(), a_service(without=APP_PROTOCOLS), a_backend_config()) != before
    assert seen(an_ingress(), a_service(), a_backend_config(requestPath="/")) != before
