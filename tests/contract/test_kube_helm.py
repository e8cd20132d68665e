"""The Helm SDK against the API server: the whole life of a release."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from milvus_l7.adapters.release.helm_sdk import sdk
from tests.contract.kube_server import Space, fresh_space, managers, server_under_test  # noqa: F401 (fixtures)

# As the product loads it: the name of the process decides Helm's field manager for the rest of its life.
helm = sdk()

SERVICE = """
apiVersion: v1
kind: Service
metadata:
  name: {{ .Release.Name }}
spec:
  type: {{ .Values.type }}
  selector: {app: x}
  ports:
  - {name: http, port: 80, targetPort: http}
"""
DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
spec:
  selector: {matchLabels: {app: x}}
  template:
    metadata:
      labels: {app: x}
      annotations: {checksum: {{ .Values.checksum | quote }}}
    spec:
      containers:
      - name: c
        image: x:1
        ports: [{name: http, containerPort: 80}]
"""


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    (tmp_path / "templates").mkdir()
    (tmp_path / "Chart.yaml").write_text("apiVersion: v2\nname: tiny\nversion: 0.1.0\n")
    (tmp_path / "values.yaml").write_text("type: LoadBalancer\nchecksum: a\n")
    (tmp_path / "templates" / "service.yaml").write_text(SERVICE)
    (tmp_path / "templates" / "deployment.yaml").write_text(DEPLOYMENT)
    return tmp_path


@pytest.fixture
def config(space: Space) -> Iterator[helm.Config]:
    with helm.Config(kubeconfig_content=space.server.kubeconfig(), namespace=space.name) as opened:
        yield opened


def test_release_is_installed_upgraded_rolled_back_and_removed(
    config: helm.Config, chart: Path, space: Space
) -> None:
    assert config.install(chart, "r", {"checksum": "b"})["status"] == "deployed"
    assert space.get("services", "r").body["spec"]["type"] == "LoadBalancer"
    config.upgrade(chart, "r", {"type": "ClusterIP"}, reuse_values=True)
    service = space.get("services", "r").body
    assert service["spec"]["type"] == "ClusterIP"
    assert "nodePort" not in service["spec"]["ports"][0]
    assert config.get_values("r") == {"checksum": "b", "type": "ClusterIP"}
    config.rollback("r")
    assert space.get("services", "r").body["spec"]["type"] == "LoadBalancer"
    assert [row["status"] for row in config.history("r")] == ["superseded", "superseded", "deployed"]
    assert [row["name"] for row in config.list()] == ["r"]
    config.uninstall("r")
    assert space.get("services", "r").code == 404
    assert config.list() == []


def test_upgrade_dry_run_on_the_server_changes_nothing(
    config: helm.Config, chart: Path, space: Space
) -> None:
    config.install(chart, "r")
    before = {plural: space.get(plural).body["items"] for plural in ("services", "secrets")}
    planned = config.upgrade(chart, "r", {"type": "ClusterIP"}, reuse_values=True, dry_run="server")
    assert "type: ClusterIP" in planned["manifest"]
    assert {plural: space.get(plural).body["items"] for plural in before} == before


def test_upgrade_keeps_the_annotations_of_other_managers(
    config: helm.Config, chart: Path, space: Space
) -> None:
    config.install(chart, "r")
    meta = {"name": "r", "annotations": {"cloud.google.com/neg": '{"ingress": true}'}}
    space.apply(
        "services/r", {"apiVersion": "v1", "kind": "Service", "metadata": meta}, "milvus-l7", force="true"
    )
    config.upgrade(chart, "r", {"type": "ClusterIP"}, reuse_values=True)
    service = space.get("services", "r").body
    assert service["metadata"]["annotations"]["cloud.google.com/neg"] == '{"ingress": true}'
    assert ("milvus-l7", "Apply", "") in managers(service)


def test_release_is_stored_in_a_labelled_secret(config: helm.Config, chart: Path, space: Space) -> None:
    config.install(chart, "r")
    found = space.get("secrets", labelSelector="owner=helm,name=r,status=deployed").body["items"]
    assert [row["metadata"]["name"] for row in found] == ["sh.helm.release.v1.r.v1"]
    assert found[0]["type"] == "helm.sh/release.v1"


def test_conflict_with_another_manager_fails_the_upgrade(
    config: helm.Config, chart: Path, space: Space
) -> None:
    config.install(chart, "r")
    body = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "r"}, "spec": {"type": "NodePort"}}
    space.apply("services/r", body, "someone", force="true")
    with pytest.raises(helm.HelmReleaseError, match=r'conflict with "someone": .spec.type'):
        config.upgrade(chart, "r", {"type": "ClusterIP"}, reuse_values=True)
    assert [row["status"] for row in config.history("r")] == ["deployed", "failed"]


def test_missing_release_is_not_found(config: helm.Config) -> None:
    with pytest.raises(helm.HelmNotFoundError):
        config.status("nope")
