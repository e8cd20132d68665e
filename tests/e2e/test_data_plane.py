"""The data plane of the embedded cloud alone: chart, Pod with real Milvus, load balancers with real Envoy.

No function of the product takes part: what it will do is done by hand here, so that a failure tells the two
apart.
"""

from __future__ import annotations

import base64
import datetime
import json
import shutil
import ssl
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from localcloud.addresses import HTTPS_PORT, Addresses
from localcloud.controllers import BAD_DAY, ControlPlane, Quirks
from localcloud.controllers.client import KubeClient
from localcloud.guard import Guard
from localcloud.kube import KubeApi
from milvus_l7.adapters.release.helm_sdk import sdk
from tests.e2e.stage_play import IS_BAD_DAY, on_this_day

pytestmark = pytest.mark.e2e

# As the product loads it: the name of the process decides Helm's field manager for the rest of its life.
helm = sdk()

Object = dict[str, Any]

CHART = Path(__file__).resolve().parents[2] / "localcloud" / "chart" / "milvus"
DOMAIN = "my-release.milvus.io"
DEADLINE_S = 60.0

CORE = "/api/v1/namespaces/default"
SERVICE = f"{CORE}/services/my-release-milvus"
DEPLOYMENT = "/apis/apps/v1/namespaces/default/deployments/my-release-milvus-standalone"
INGRESSES = "/apis/networking.k8s.io/v1/namespaces/default/ingresses"
BACKEND_CONFIGS = "/apis/cloud.google.com/v1/namespaces/default/backendconfigs"

PLAIN_YAML = "proxy:\n  maxTaskNum: 2048  # the user's own\n"
TLS_YAML = PLAIN_YAML + "  http:\n    port: 8080\ncommon:\n  security:\n    tlsMode: 1\n"
SHARED_PORT_YAML = PLAIN_YAML + "common:\n  security:\n    tlsMode: 1\n"
ANNOTATIONS = {
    "cloud.google.com/neg": '{"ingress": true}',
    "cloud.google.com/app-protocols": '{"milvus":"HTTP2"}',
    "cloud.google.com/backend-config": '{"default":"milvus"}',
}


@dataclass(frozen=True, slots=True)
class Cloud:
    kube: KubeClient
    helm: helm.Config
    pem: Path  # certificate of the domain

    def upgrade(self, service_type: str, user_yaml: str, annotations: dict[str, str]) -> None:
        values = {
            "service": {"type": service_type, "annotations": annotations},
            "extraConfigFiles": {"user.yaml": user_yaml},
        }
        self.helm.upgrade(str(CHART), "my-release", values)

    def object(self, path: str) -> Object:
        found = self.kube.find(path)
        assert found is not None, path
        return found

    def log(self, pod: str) -> str:
        return self.kube.text(f"{CORE}/pods/{pod}/log")

    def is_rolled_out(self) -> bool:
        deployment = self.object(DEPLOYMENT)
        status = deployment.get("status") or {}
        return (
            status.get("observedGeneration") == deployment["metadata"]["generation"]
            and status.get("replicas")
            == status.get("updatedReplicas")
            == status.get("availableReplicas")
            == 1
        )

    def address(self, path: str) -> str:
        status = self.object(path).get("status") or {}
        ingress = (status.get("loadBalancer") or {}).get("ingress") or []
        return str(ingress[0]["ip"]) if ingress else ""

    def health(self) -> str:
        """Health of the Milvus backend as an operator reads it: by the NEG's name, from the annotation."""
        neg = json.loads(self.object(SERVICE)["metadata"]["annotations"]["cloud.google.com/neg-status"])
        annotations = self.object(f"{INGRESSES}/milvus")["metadata"]["annotations"]
        states = json.loads(annotations.get("ingress.kubernetes.io/backends", "{}"))
        return str(states.get(neg["network_endpoint_groups"]["19530"], ""))


def eventually(condition: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + DEADLINE_S
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {DEADLINE_S} s: {what}"
        time.sleep(0.1)
    return found


def write_pair(folder: Path) -> tuple[Path, Path]:
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, DOMAIN)])
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now - day, now + day)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(DOMAIN)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    chain, secret = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return chain, secret


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    state = Path(tempfile.mkdtemp(prefix="milvus-l7-"))
    addresses = Addresses()
    with Guard() as guard, KubeApi() as api:
        guard.own_folder(state)
        user = KubeClient(api.url, api.ca_pem, api.issue_token("operator"))
        release = helm.Config(kubeconfig_content=api.kubeconfig(api.issue_token("helm")), namespace="default")
        with ControlPlane(api, guard, addresses, state) as plane:
            plane.delays = on_this_day(plane.delays)
            plane.quirks = BAD_DAY if IS_BAD_DAY else Quirks()
            chain, key = write_pair(state)
            create_prerequisites(user, chain, key)
            values = {"service": {"type": "LoadBalancer"}, "extraConfigFiles": {"user.yaml": PLAIN_YAML}}
            release.install(str(CHART), "my-release", values)
            yield Cloud(user, release, chain)
        release.close()
        user.close()
    addresses.close()
    shutil.rmtree(state, ignore_errors=True)


def create_prerequisites(kube: KubeClient, chain: Path, key: Path) -> None:
    files = {"tls.crt": chain, "tls.key": key}
    data = {name: base64.b64encode(path.read_bytes()).decode() for name, path in files.items()}
    kind = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "milvus"}}
    kube.create(f"{CORE}/secrets", {**kind, "type": "kubernetes.io/tls", "data": data})
    kube.create(
        BACKEND_CONFIGS,
        {
            "apiVersion": "cloud.google.com/v1",
            "kind": "BackendConfig",
            "metadata": {"name": "milvus"},
            "spec": {
                "timeoutSec": 3600,
                "healthCheck": {"type": "HTTP", "port": 9091, "requestPath": "/healthz"},
            },
        },
    )


def create_ingress(kube: KubeClient) -> None:
    backend = {"service": {"name": "my-release-milvus", "port": {"number": 19530}}}
    paths = [{"path": "/", "pathType": "Prefix", "backend": backend}]
    kube.create(
        INGRESSES,
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": {"name": "milvus", "annotations": {"kubernetes.io/ingress.class": "gce"}},
            "spec": {
                "tls": [{"secretName": "milvus"}],
                "rules": [{"host": DOMAIN, "http": {"paths": paths}}],
            },
        },
    )


def connected(uri: str, **options: str) -> Any:
    """A client that has got an answer, or None; pymilvus has one error class for everything."""
    from pymilvus import MilvusClient, MilvusException

    try:
        client = MilvusClient(uri=uri, timeout=5, **options)
    except MilvusException:
        return None
    try:
        # Clients of one address share a connection, which may be an old one.
        client.list_collections(timeout=5)
    except MilvusException:
        client.close()
        return None
    return client


def connected_over_tls(cloud: Cloud) -> Any:
    uri = f"https://{cloud.address(f'{INGRESSES}/milvus')}:{HTTPS_PORT}"
    return connected(uri, server_pem_path=str(cloud.pem), server_name=DOMAIN)


def found_ids(client: Any, collection: str) -> list[int]:
    hits = client.search(collection, [[1.0, 0.0, 0.0, 0.0]], limit=1, consistency_level="Strong")
    return [hit["id"] for hit in hits[0]]


def status_of(cloud: Cloud, host: str) -> int:
    address = cloud.address(f"{INGRESSES}/milvus")
    context = ssl.create_default_context(cafile=str(cloud.pem))
    context.check_hostname = False
    request = urllib.request.Request(f"https://{address}:{HTTPS_PORT}/", headers={"Host": host})
    try:
        with urllib.request.urlopen(request, timeout=5, context=context) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_a_release_moves_from_a_plain_layer_4_address_to_a_tls_layer_7_one(cloud: Cloud) -> None:
    # Plain text at the Layer-4 address.
    eventually(cloud.is_rolled_out, "first roll-out")
    plain = eventually(lambda: cloud.address(SERVICE), "Layer-4 address")
    client = eventually(lambda: connected(f"http://{plain}:19530"), "plain connection")
    client.create_collection("kept", dimension=4)
    client.insert("kept", [{"id": 7, "vector": [1.0, 0.0, 0.0, 0.0]}])
    client.close()

    # TLS on, Layer-4 address given back; the data survives the roll-out.
    cloud.upgrade("ClusterIP", TLS_YAML, ANNOTATIONS)
    eventually(cloud.is_rolled_out, "roll-out with TLS")
    eventually(lambda: not cloud.address(SERVICE), "Layer-4 address released")
    assert connected(f"http://{plain}:19530") is None

    # The Layer-7 address.
    create_ingress(cloud.kube)
    eventually(lambda: cloud.address(f"{INGRESSES}/milvus"), "Layer-7 address")
    eventually(lambda: cloud.health() == "HEALTHY", "healthy backend")
    client = eventually(lambda: connected_over_tls(cloud), "connection through the Ingress")
    client.load_collection("kept")
    assert found_ids(client, "kept") == [7]
    client.create_collection("thrown_away", dimension=4)
    client.insert("thrown_away", [{"id": 1, "vector": [1.0, 0.0, 0.0, 0.0]}])
    assert found_ids(client, "thrown_away") == [1]
    client.drop_collection("thrown_away")
    assert client.list_collections() == ["kept"]
    client.close()
    assert status_of(cloud, "other.example") == 404


def test_without_app_protocols_milvus_fails_behind_a_backend_that_stays_healthy(cloud: Cloud) -> None:
    without = {key: value for key, value in ANNOTATIONS.items() if key != "cloud.google.com/app-protocols"}
    cloud.upgrade("ClusterIP", TLS_YAML, without)
    eventually(lambda: connected_over_tls(cloud) is None, "failing client")
    assert status_of(cloud, DOMAIN) == 502
    eventually(lambda: cloud.health() == "HEALTHY", "healthy backend")
    assert connected_over_tls(cloud) is None

    cloud.upgrade("ClusterIP", TLS_YAML, ANNOTATIONS)
    eventually(lambda: connected_over_tls(cloud), "working client").close()


def test_tls_while_rest_shares_the_port_crashes_the_pod_and_its_log_says_why(cloud: Cloud) -> None:
    cloud.upgrade("ClusterIP", SHARED_PORT_YAML, ANNOTATIONS)

    def crashed() -> Object | None:
        for pod in cloud.kube.list(f"{CORE}/pods")["items"]:
            for container in (pod.get("status") or {}).get("containerStatuses") or []:
                if container["state"].get("waiting", {}).get("reason") == "CrashLoopBackOff":
                    return dict(pod)
        return None

    pod = eventually(crashed, "CrashLoopBackOff")
    log = cloud.log(pod["metadata"]["name"])
    assert "proxy server(http) and external grpc server share the same port, tls mode must be 0" in log

    cloud.upgrade("ClusterIP", TLS_YAML, ANNOTATIONS)
    eventually(cloud.is_rolled_out, "recovery")
    eventually(lambda: connected_over_tls(cloud), "working client").close()


def test_a_deleted_ingress_goes_only_after_its_load_balancer(cloud: Cloud) -> None:
    address = cloud.address(f"{INGRESSES}/milvus")
    cloud.kube.delete(f"{INGRESSES}/milvus")
    eventually(lambda: cloud.kube.find(f"{INGRESSES}/milvus") is None, "Ingress gone")
    uri = f"https://{address}:{HTTPS_PORT}"
    gone = lambda: connected(uri, server_pem_path=str(cloud.pem), server_name=DOMAIN) is None  # noqa: E731
    eventually(gone, "load balancer gone")
    eventually(
        lambda: "cloud.google.com/neg-status" not in cloud.object(SERVICE)["metadata"]["annotations"],
        "neg-status removed",
    )
