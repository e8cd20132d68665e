"""The stages that write Kubernetes objects, through the production adapters, against an API server."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from milvus_l7.adapters.certificates.x509 import X509Certificates
from milvus_l7.adapters.frontend import retirement
from milvus_l7.adapters.frontend.secret_inspection import SecretInspection
from milvus_l7.adapters.kubernetes.objects import KubernetesObjects
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.desired import CertificateSpec, CertificateType
from milvus_l7.domain.setup.document import Setup
from milvus_l7.domain.setup.facts import Facts, ServiceFacts
from milvus_l7.domain.setup.outcome import Done, Outcome, Waiting
from milvus_l7.ports import ClusterAccess
from tests.builders import new_setup
from tests.contract import kube_server
from tests.contract.kube_server import Server, Space
from tests.fakes.ports import stage

NAME = "my-release-milvus"
BACKEND_CONFIG_KEY = "cloud.google.com/backend-config"
INGRESSES = "networking.k8s.io/v1"
MANAGED = "networking.gke.io/managed-certificates"
NOW = datetime.now(UTC)


@dataclass
class Cluster:
    """`Connections` to the server under test, and a namespace of its own there."""

    kube: KubernetesObjects
    space: Space

    def objects(self, cluster: str) -> KubernetesObjects:
        return self.kube

    def ready_setup(self) -> Setup:
        facts = Facts(service=ServiceFacts(NAME, "milvus", 19530))
        return replace(new_setup(namespace=self.space.name), facts=facts)

    def run_chain(self, setup: Setup | None = None) -> Outcome:
        """The three stages in order, each with the facts of the one before; the last outcome."""
        setup, outcome = setup or self.ready_setup(), Done()
        names = (Stage.CONFIGURE_HEALTH_CHECK, Stage.PROVISION_CERTIFICATE, Stage.CREATE_INGRESS)
        for name in names:
            outcome = stage(name, self, certificates=X509Certificates())(setup, NOW)
            setup = replace(setup, facts=outcome.facts or setup.facts)
        return outcome

    def versions(self) -> dict[str, str]:
        plurals = {"services": "v1", "secrets": "v1", "ingresses": "networking.k8s.io/v1"}
        plurals |= {"backendconfigs": "cloud.google.com/v1", "managedcertificates": "networking.gke.io/v1"}
        found = [
            item
            for plural, group in plurals.items()
            for item in self.space.get(plural, group=group).body["items"]
        ]
        return {item["metadata"]["uid"]: item["metadata"]["resourceVersion"] for item in found}


@pytest.fixture(scope="module", params=["emulator", "real"], name="server")
def each_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if request.param == "real" and not assets:
        pytest.skip("KUBEBUILDER_ASSETS is not set")
    with (
        kube_server.real(Path(assets or "")) if request.param == "real" else kube_server.emulated() as server
    ):
        yield server


@pytest.fixture(name="cluster")
def fresh_cluster(server: Server) -> Iterator[Cluster]:
    space = Space(server, f"t-{uuid4().hex[:10]}")
    assert server.call("POST", "/api/v1/namespaces", {"metadata": {"name": space.name}}).code == 201
    token = server.tokens["alice"]
    kube = KubernetesObjects(ClusterAccess(server.url, server.ca_pem), lambda: token)
    yield Cluster(kube, space)
    kube._connected().close()


def install_service(cluster: Cluster, **annotations: str) -> None:
    """As Helm does: server-side apply under its own name."""
    ports = [{"name": "milvus", "port": 19530, "protocol": "TCP", "targetPort": 19530}]
    body: dict[str, Any] = {"apiVersion": "v1", "kind": "Service", "spec": {"ports": ports}}
    body["metadata"] = {"name": NAME, "annotations": annotations}
    assert cluster.space.apply(f"services/{NAME}", body, "helm").code in (200, 201)


def test_the_chain_ends_waiting_and_then_with_an_address(cluster: Cluster) -> None:
    install_service(cluster)
    assert isinstance(cluster.run_chain(), Waiting)
    status = {"status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.9"}]}}}
    cluster.space.patch(f"ingresses/{NAME}/status", status, group="networking.k8s.io/v1")
    found = cluster.run_chain()
    assert isinstance(found, Done)
    assert found.facts is not None
    assert found.facts.address == "203.0.113.9"


def test_the_second_run_of_the_chain_writes_nothing(cluster: Cluster) -> None:
    install_service(cluster)
    cluster.run_chain()
    before = cluster.versions()
    cluster.run_chain()
    assert cluster.versions() == before
    assert len(before) == 4


def test_annotations_that_helm_owns_are_merged(cluster: Cluster) -> None:
    install_service(cluster, **{BACKEND_CONFIG_KEY: '{"default": "theirs"}', "kept": "yes"})
    cluster.run_chain()
    found = cluster.space.get("services", NAME).body["metadata"]["annotations"]
    wanted = {"default": "theirs", "ports": {"milvus": f"{NAME}-backendconfig"}}
    assert json.loads(found[BACKEND_CONFIG_KEY]) == wanted
    assert found["kept"] == "yes"


def test_a_broken_secret_of_ours_is_replaced(cluster: Cluster) -> None:
    install_service(cluster)
    cluster.run_chain()
    broken = {"data": {"tls.crt": "Z2FyYmFnZQ=="}}
    assert cluster.space.patch(f"secrets/{NAME}-tls", broken).code == 200
    cluster.run_chain()
    assert cluster.space.get("secrets", f"{NAME}-tls").body["data"]["tls.crt"] != "Z2FyYmFnZQ=="
    before = cluster.versions()
    cluster.run_chain()
    assert cluster.versions() == before


# Google-managed


def google_managed(cluster: Cluster, outcome: Outcome) -> Setup:
    """The setup after `outcome`, now with a Google-managed certificate."""
    spec = CertificateSpec(CertificateType.GOOGLE_MANAGED)
    setup = new_setup(namespace=cluster.space.name, certificate=spec)
    return replace(setup, facts=outcome.facts or cluster.ready_setup().facts)


def ingress(cluster: Cluster) -> dict[str, Any]:
    return cluster.space.get("ingresses", NAME, group=INGRESSES).body


def address(cluster: Cluster) -> None:
    status = {"status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.9"}]}}}
    cluster.space.patch(f"ingresses/{NAME}/status", status, group=INGRESSES)


def test_the_second_run_of_a_google_managed_chain_writes_nothing(cluster: Cluster) -> None:
    install_service(cluster)
    cluster.run_chain(google_managed(cluster, Done()))
    before = cluster.versions()
    assert isinstance(cluster.run_chain(google_managed(cluster, Done())), Waiting)
    assert cluster.versions() == before
    assert len(before) == 4
    assert "tls" not in ingress(cluster)["spec"]


def issued(cluster: Cluster, number: str = "") -> str:
    """The public certificate in our Secret."""
    secret = cluster.space.get("secrets", f"{NAME}-tls{number}").body
    return str(secret["data"]["tls.crt"])


def secrets(cluster: Cluster) -> SecretInspection:
    return SecretInspection(cluster.kube, X509Certificates(), NOW)


def test_another_domain_gets_a_second_secret_and_the_way_back_the_first(cluster: Cluster) -> None:
    install_service(cluster)
    cluster.run_chain()
    address(cluster)
    first = issued(cluster)
    done = cluster.run_chain()
    for domain, number, before in (("new.milvus.io", "-2", ""), ("my-release.milvus.io", "", "-2")):
        setup = new_setup(namespace=cluster.space.name, domain=domain)
        done = cluster.run_chain(replace(setup, facts=done.facts or cluster.ready_setup().facts))
        names = [entry["secretName"] for entry in ingress(cluster)["spec"]["tls"]]
        assert names == [f"{NAME}-tls{number}", f"{NAME}-tls{before}"]
        setup = replace(setup, facts=done.facts or setup.facts)
        assert retirement.retire(secrets(cluster), setup)
        assert retirement.retire(secrets(cluster), setup) == ()
        assert ingress(cluster)["spec"]["tls"] == [{"secretName": f"{NAME}-tls{number}"}]
        assert [rule["host"] for rule in ingress(cluster)["spec"]["rules"]] == [domain]
    assert issued(cluster) == first != issued(cluster, "-2")


def test_a_switch_and_back_attaches_before_it_detaches(cluster: Cluster) -> None:
    install_service(cluster)
    cluster.run_chain()
    address(cluster)
    first = issued(cluster)
    to_google = cluster.run_chain(google_managed(cluster, cluster.run_chain()))
    assert ingress(cluster)["spec"]["tls"] == [{"secretName": f"{NAME}-tls"}]
    assert ingress(cluster)["metadata"]["annotations"][MANAGED] == f"{NAME}-tls"
    setup = google_managed(cluster, to_google)
    assert retirement.retire(secrets(cluster), setup)
    assert retirement.retire(secrets(cluster), setup) == ()
    assert "tls" not in ingress(cluster)["spec"]
    assert issued(cluster) == first

    back = cluster.run_chain(replace(cluster.ready_setup(), facts=setup.facts))
    shown = {
        "ingress.kubernetes.io/ssl-cert": "mcrt-1,cr-1",
        "ingress.gcp.kubernetes.io/pre-shared-cert": "mcrt-1",
    }
    cluster.space.patch(f"ingresses/{NAME}", {"metadata": {"annotations": shown}}, group=INGRESSES)
    setup = replace(cluster.ready_setup(), facts=back.facts or setup.facts)
    assert retirement.retire(secrets(cluster), setup, verified=False)
    assert retirement.retire(secrets(cluster), setup, verified=False) == ()
    assert issued(cluster) == first
    assert MANAGED not in ingress(cluster)["metadata"]["annotations"]
    assert ingress(cluster)["spec"]["tls"] == [{"secretName": f"{NAME}-tls"}]
    assert cluster.space.get("managedcertificates", f"{NAME}-tls", group="networking.gke.io/v1").code == 404
