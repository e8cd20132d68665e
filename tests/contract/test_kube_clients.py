"""The clients that people and the product use: the official Python client, and the real kubectl."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.contract.kube_server import Json, Server, Space, fresh_space, server_under_test  # noqa: F401 (fixtures)

KUBECTL = Path(sys.executable).with_name("kubectl")


@dataclass(frozen=True, slots=True)
class Kubectl:
    """The kubectl binary, bound to one namespace of one server."""

    folder: Path
    namespace: str

    def __call__(self, *arguments: str, stdin: Json | None = None) -> subprocess.CompletedProcess[str]:
        command = [str(KUBECTL), f"--kubeconfig={self.folder}/kubeconfig", f"--cache-dir={self.folder}/cache"]
        text = None if stdin is None else yaml.safe_dump(stdin)
        return subprocess.run(
            [*command, f"--namespace={self.namespace}", *arguments],
            input=text,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def get(self, what: str) -> Json:
        found = self("get", what, "-o", "json", "--show-managed-fields")
        assert found.returncode == 0, found.stderr
        return json.loads(found.stdout)  # type: ignore[no-any-return]


@pytest.fixture
def kubectl(space: Space, tmp_path: Path) -> Kubectl:
    (tmp_path / "kubeconfig").write_text(space.server.kubeconfig())
    return Kubectl(tmp_path, space.name)


def config(**data: str) -> Json:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": data}


def test_kubectl_applies_gets_and_deletes(kubectl: Kubectl) -> None:
    assert kubectl("apply", "-f", "-", stdin=config(k="1")).stdout == "configmap/a created\n"
    assert kubectl("apply", "-f", "-", stdin=config(k="1")).stdout == "configmap/a unchanged\n"
    assert kubectl("apply", "-f", "-", stdin=config(l="1")).stdout == "configmap/a configured\n"
    assert kubectl.get("configmap/a")["data"] == {"l": "1"}
    assert kubectl("get", "cm", "a", "-o", "name").stdout == "configmap/a\n"
    assert kubectl("delete", "configmap", "a").returncode == 0
    assert "NotFound" in kubectl("get", "configmap", "a").stderr


def test_kubectl_server_side_apply_reports_conflicts_and_forces(kubectl: Kubectl) -> None:
    one = kubectl("apply", "--server-side", "--field-manager=one", "-f", "-", stdin=config(k="1"))
    assert one.stdout == "configmap/a serverside-applied\n"
    two = ("apply", "--server-side", "--field-manager=two", "-f", "-")
    refused = kubectl(*two, stdin=config(k="2"))
    assert refused.returncode == 1
    assert 'Apply failed with 1 conflict: conflict with "one": .data.k' in refused.stderr
    assert kubectl(*two, "--force-conflicts", stdin=config(k="2")).returncode == 0
    assert kubectl.get("configmap/a")["data"] == {"k": "2"}


def test_kubectl_labels_annotates_and_patches(kubectl: Kubectl) -> None:
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}}
    kubectl("apply", "-f", "-", stdin=service | {"spec": {"ports": [{"name": "a", "port": 80}]}})
    assert kubectl("label", "svc", "s", "app=x").returncode == 0
    assert kubectl("annotate", "svc", "s", 'cloud.google.com/neg={"ingress": true}').returncode == 0
    assert kubectl("patch", "svc", "s", "-p", '{"spec": {"type": "NodePort"}}').returncode == 0
    found = kubectl.get("service/s")
    assert found["metadata"]["labels"] == {"app": "x"}
    assert found["metadata"]["annotations"]["cloud.google.com/neg"] == '{"ingress": true}'
    assert found["spec"]["type"] == "NodePort"
    managers = {row["manager"] for row in found["metadata"]["managedFields"]}
    assert {"kubectl-label", "kubectl-annotate", "kubectl-patch"} <= managers
    assert kubectl("annotate", "svc", "s", "cloud.google.com/neg-").returncode == 0
    assert "cloud.google.com/neg" not in kubectl.get("service/s")["metadata"]["annotations"]


def test_kubectl_apply_merges_containers(kubectl: Kubectl) -> None:
    containers = [{"name": "a", "image": "a:1"}, {"name": "b", "image": "b:1"}]
    body: Json = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d"},
        "spec": {
            "selector": {"matchLabels": {"app": "x"}},
            "template": {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": containers}},
        },
    }
    assert kubectl("apply", "-f", "-", stdin=body).returncode == 0
    containers[1]["image"] = "b:2"
    assert kubectl("apply", "-f", "-", stdin=body).stdout == "deployment.apps/d configured\n"
    spec = kubectl.get("deployment/d")["spec"]["template"]["spec"]
    assert [row["image"] for row in spec["containers"]] == ["a:1", "b:2"]


def test_kubectl_creates_secrets(kubectl: Kubectl) -> None:
    made = kubectl("create", "secret", "generic", "s", "--from-literal=user=anna")
    assert made.stdout == "secret/s created\n"
    assert kubectl.get("secret/s")["data"] == {"user": "YW5uYQ=="}


def test_kubectl_refuses_unknown_fields_by_asking_the_server(kubectl: Kubectl) -> None:
    refused = kubectl("apply", "-f", "-", stdin=config(k="1") | {"extra": 1})
    assert refused.returncode == 1
    assert 'unknown field "extra"' in refused.stderr


def test_kubectl_knows_the_custom_resources(kubectl: Kubectl) -> None:
    body = {"apiVersion": "cloud.google.com/v1", "kind": "BackendConfig", "metadata": {"name": "b"}}
    made = kubectl("apply", "-f", "-", stdin=body | {"spec": {"timeoutSec": 30}})
    assert made.stdout == "backendconfig.cloud.google.com/b created\n", made.stderr
    assert kubectl("get", "bc", "-o", "name").stdout == "backendconfig.cloud.google.com/b\n"
    assert kubectl("get", "mcrt").returncode == 0


def test_kubectl_shows_events(kubectl: Kubectl, space: Space) -> None:
    about = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "name": "i", "namespace": space.name}
    space.create(
        "events",
        {
            "metadata": {"name": "e"},
            "involvedObject": about,
            "reason": "Sync",
            "message": "Scheduled for sync",
            "type": "Normal",
            "lastTimestamp": "2026-01-01T00:00:00Z",
        },
    )
    shown = kubectl("events", "--for", "ingress/i")
    assert "Scheduled for sync" in shown.stdout, shown.stderr
    assert "Scheduled for sync" in kubectl("get", "events").stdout


def test_kubectl_waits_for_a_condition(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=config(k="1"))
    waited = kubectl("wait", "configmap/a", "--for=jsonpath={.data.k}=1", "--timeout=5s")
    assert waited.returncode == 0, waited.stderr


@pytest.fixture
def dynamic(server: Server, tmp_path: Path) -> Iterator[object]:
    from kubernetes import client
    from kubernetes.dynamic import DynamicClient

    configuration = client.Configuration()
    configuration.host = server.url
    configuration.ca_cert_data = server.ca_pem
    configuration.api_key["authorization"] = f"Bearer {server.tokens['alice']}"
    with client.ApiClient(configuration) as api:
        yield DynamicClient(api, cache_file=str(tmp_path / "discovery.json"))


def test_python_client_applies_and_watches(dynamic: object, space: Space) -> None:
    api = dynamic.resources.get(api_version="v1", kind="ConfigMap")  # type: ignore[attr-defined]
    applied = api.server_side_apply(
        body=config(k="1"), name="a", namespace=space.name, field_manager="milvus-l7", force_conflicts=True
    )
    assert applied.data.k == "1"
    seen = next(iter(api.watch(namespace=space.name, timeout=5)))
    assert (seen["type"], seen["object"].metadata.name) == ("ADDED", "a")


def test_python_client_knows_the_custom_resources(dynamic: object, space: Space) -> None:
    api = dynamic.resources.get(api_version="networking.gke.io/v1", kind="ManagedCertificate")  # type: ignore[attr-defined]
    body = {
        "apiVersion": "networking.gke.io/v1",
        "kind": "ManagedCertificate",
        "metadata": {"name": "m"},
        "spec": {"domains": ["a.example.com"]},
    }
    api.create(body=body, namespace=space.name)
    assert api.get(name="m", namespace=space.name).spec.domains == ["a.example.com"]


def test_python_client_sees_status_errors(dynamic: object, space: Space) -> None:
    from kubernetes.dynamic.exceptions import NotFoundError

    api = dynamic.resources.get(api_version="v1", kind="Secret")  # type: ignore[attr-defined]
    with pytest.raises(NotFoundError) as caught:
        api.get(name="nope", namespace=space.name)
    assert json.loads(caught.value.body)["reason"] == "NotFound"
