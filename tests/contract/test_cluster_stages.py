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

from shared.adapters.kube import KubernetesObjects
from shared.adapters.x509 import X509Certificates
from shared.domain.outcome import Done, Outcome, Waiting
from shared.domain.setup import Facts, ServiceFacts, Setup
from shared.ports import ClusterAccess
from shared.service.stages.configure_health_check import ConfigureHealthCheck
from shared.service.stages.create_ingress import CreateIngress
from shared.service.stages.provision_certificate import ProvisionCertificate
from tests.builders import new_setup
from tests.contract import kube_server
from tests.contract.kube_server import Server, Space

NAME = "my-release-milvus"
BACKEND_CONFIG_KEY = "cloud.google.com/backend-config"
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

    def run_chain(self) -> Outcome:
        """The three stages in order, each with the facts of the one before; the last outcome."""
        setup, outcome = self.ready_setup(), Done()
        stages = (
            ConfigureHealthCheck(self),
            ProvisionCertificate(self, X509Certificates()),
            CreateIngress(self),
        )
        for stage in stages:
            outcome = stage(setup, NOW)
            setup = replace(setup, facts=outcome.facts or setup.facts)
        return outcome

    def versions(self) -> dict[str, str]:
        plurals = {"services": "v1", "secrets": "v1", "ingresses": "networking.k8s.io/v1"}
        plurals |= {"backendconfigs": "cloud.google.com/v1"}
        found = [
            item
            for plural, group in plurals.items()
            for item in self.space.get(plural, group=group).body["items"]
        ]
        return {item["metadata"]["uid"]: item["metadata"]["resourceVersion"] for item in found}


@pytest.fixture(scope="module", params=["emulator", "real"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if request.param == "real" and not assets:
        pytest.skip("KUBEBUILDER_ASSETS is not set")
    with (
        kube_server.real(Path(assets or "")) if request.param == "real" else kube_server.emulated() as server
    ):
        yield server


@pytest.fixture
def cluster(server: Server) -> Iterator[Cluster]:
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
