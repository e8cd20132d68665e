"""The objects that a setup needs."""

from __future__ import annotations

import json
from base64 import b64decode
from typing import Any

import pytest

from milvus_l7.domain.certificates import certificate_objects
from milvus_l7.domain.certificates.key_pair import KeyPair
from milvus_l7.domain.frontend import ingress_objects
from milvus_l7.domain.frontend.ingress_objects import Attachments
from milvus_l7.domain.kubernetes import manifests, services
from milvus_l7.domain.reasons.errors import Permanent
from milvus_l7.domain.setup import document
from milvus_l7.domain.setup.desired import CertificateSpec, CertificateType
from milvus_l7.domain.setup.facts import ServiceFacts
from tests.builders import desired, new_setup

SERVICE = ServiceFacts("my-release-milvus", "milvus", 19530)
WITH_SECRET = Attachments(("my-release.milvus.io",), secrets=("the-secret",))
LABELS = {"app.kubernetes.io/managed-by": "milvus-l7"}


def test_the_health_check_is_plain_http_on_the_metrics_port() -> None:
    name = ingress_objects.backend_config_name(SERVICE)
    made = ingress_objects.backend_config(desired(backend_timeout_s=600), name)
    assert made == {
        "apiVersion": "cloud.google.com/v1",
        "kind": "BackendConfig",
        "metadata": {"namespace": "default", "name": "my-release-milvus-backendconfig", "labels": LABELS},
        "spec": {
            "healthCheck": {"type": "HTTP", "port": 9091, "requestPath": "/healthz"},
            "timeoutSec": 600,
        },
    }


def test_an_object_of_somebody_else_has_another_label() -> None:
    theirs = {"metadata": {"labels": {"team": "search"}}}
    made = ingress_objects.backend_config(desired(), "theirs", manifests.mark(theirs))
    assert made["metadata"]["labels"] == {"milvus-l7/adopted": "true"}
    assert (manifests.is_ours(made), manifests.is_held(made), manifests.is_held(theirs)) == (
        False,
        True,
        False,
    )


def test_the_ingress_has_the_class_annotation_and_no_class_name() -> None:
    made = ingress_objects.ingress(desired(), SERVICE, WITH_SECRET)
    assert made["metadata"] == {
        "namespace": "default",
        "name": "my-release-milvus",
        "labels": LABELS,
        "annotations": {"kubernetes.io/ingress.class": "gce"},
    }
    assert set(made["spec"]) == {"tls", "rules"}


def test_the_ingress_routes_the_domain_to_the_grpc_port() -> None:
    backend = {"service": {"name": "my-release-milvus", "port": {"number": 19530}}}
    path = {"path": "/", "pathType": "Prefix", "backend": backend}
    made = ingress_objects.ingress(desired(), SERVICE, WITH_SECRET)
    assert made["spec"]["rules"] == [{"host": "my-release.milvus.io", "http": {"paths": [path]}}]
    assert made["spec"]["tls"] == [{"secretName": "the-secret"}]


def test_without_a_secret_there_is_no_tls_block() -> None:
    made = ingress_objects.ingress(desired(), SERVICE, Attachments(("a.io",), managed=("m-1", "m-2")))
    assert set(made["spec"]) == {"rules"}
    assert made["metadata"]["annotations"]["networking.gke.io/managed-certificates"] == "m-1,m-2"


def test_every_host_leads_to_the_same_backend() -> None:
    rules = ingress_objects.ingress(desired(), SERVICE, Attachments(("a.io", "b.io")))["spec"]["rules"]
    assert [rule["host"] for rule in rules] == ["a.io", "b.io"]
    assert rules[0]["http"] == rules[1]["http"]


def test_the_managed_certificate_has_all_domains() -> None:
    spec = CertificateSpec(CertificateType.GOOGLE_MANAGED, domains=("b.io",))
    assert certificate_objects.managed_certificate(desired(certificate=spec), "m") == {
        "apiVersion": "networking.gke.io/v1",
        "kind": "ManagedCertificate",
        "metadata": {"namespace": "default", "name": "m", "labels": LABELS},
        "spec": {"domains": ["my-release.milvus.io", "b.io"]},
    }


def test_the_secret_holds_the_pair_as_tls() -> None:
    made = certificate_objects.tls_secret(desired(), "s", KeyPair("the key", "the certificate"))
    assert made["type"] == "kubernetes.io/tls"
    assert {k: b64decode(v) for k, v in made["data"].items()} == {
        "tls.key": b"the key",
        "tls.crt": b"the certificate",
    }


def test_a_partial_service_names_the_version_it_was_merged_into() -> None:
    live = {"metadata": {"namespace": "n", "name": "s", "resourceVersion": "7", "labels": {}}, "spec": {}}
    made = services.annotated_service(live, {"a": "b"})
    wanted = {"namespace": "n", "name": "s", "resourceVersion": "7", "annotations": {"a": "b"}}
    assert (made["metadata"], "spec" in made) == (wanted, False)


def test_the_longest_service_name_leaves_room_for_every_suffix() -> None:
    longest = ServiceFacts("s" * 63, "milvus", 19530)
    assert (
        max(
            len(ingress_objects.backend_config_name(longest)),
            len(certificate_objects.secret_name(longest, 99)),
        )
        <= 253
    )


@pytest.mark.parametrize("number", [1, 2, 9, 10, 12])
def test_the_number_of_a_secret_of_ours_is_read_from_its_name(number: int) -> None:
    assert (
        certificate_objects.secret_number(SERVICE, certificate_objects.secret_name(SERVICE, number)) == number
    )


@pytest.mark.parametrize(
    "ending", ["", "-tls-1", "-tls-0", "-tls-02", "-tls-", "-tls-x", "-tls-2-tls", "x-tls"]
)
def test_a_name_that_we_never_give_has_no_number(ending: str) -> None:
    assert certificate_objects.secret_number(SERVICE, SERVICE.name + ending) is None


@pytest.mark.parametrize(
    ("live", "expected"),
    [
        (None, True),
        ({"metadata": {"labels": LABELS}}, True),
        ({"metadata": {"labels": {"app.kubernetes.io/managed-by": "Helm"}}}, False),
        ({"metadata": {"labels": None}}, False),
        ({"metadata": {}}, False),
    ],
)
def test_only_our_label_makes_an_object_ours(live: dict | None, expected: bool) -> None:
    assert manifests.is_ours(live) is expected


@pytest.mark.parametrize(
    "status",
    [
        None,
        {},
        {"loadBalancer": None},
        {"loadBalancer": {}},
        {"loadBalancer": {"ingress": None}},
        {"loadBalancer": {"ingress": [{}]}},
        {"loadBalancer": {"ingress": [{"ip": ""}]}},
        {"loadBalancer": {"ingress": [{"ip": 7}]}},
        {"loadBalancer": {"ingress": [None]}},
        {"loadBalancer": {"ingress": "203.0.113.9"}},
        [],
    ],
)
def test_without_a_load_balancers_ip_there_is_no_address(status: Any) -> None:
    assert manifests.address({"status": status}) is None
    assert manifests.address(None) is None


def test_the_load_balancers_first_ip_is_the_address() -> None:
    status = {"loadBalancer": {"ingress": [{"ip": "203.0.113.9"}]}}
    assert manifests.address({"status": status}) == "203.0.113.9"


def test_a_setup_without_a_service_is_refused() -> None:
    with pytest.raises(Permanent):
        document.service_of(new_setup())


def test_manifests_are_plain_json() -> None:
    made = ingress_objects.ingress(desired(), SERVICE, WITH_SECRET)
    assert json.loads(json.dumps(made)) == made
