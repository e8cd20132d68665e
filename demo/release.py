"""A Milvus release as a user has it before milvus-l7: plaintext, behind a Layer-4 load balancer."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localcloud.cloud import OPERATOR, Cloud
from localcloud.controllers.client import KubeClient
from milvus_l7.adapters.release.helm_sdk import sdk

CHART = Path(__file__).parent.parent / "localcloud" / "chart" / "milvus"
START_TIMEOUT_S = 120.0

# A setting of the user's own, with a comment, that must survive.
USER_YAML = """\
dataCoord:
  segment:
    maxSize: 512  # MB; our collections are small
"""
PLAINTEXT_VALUES: Mapping[str, Any] = {
    "service": {"type": "LoadBalancer"},
    "extraConfigFiles": {"user.yaml": USER_YAML},
}


@dataclass(frozen=True, slots=True)
class Plaintext:
    """Where the release answers before the set-up."""

    address: str
    version: str


def install(cloud: Cloud, name: str, values: Mapping[str, Any] = PLAINTEXT_VALUES) -> None:
    """Install the chart as release `name` in namespace `default`, as `helm install` does; does not wait."""
    # Helm caches the API's description, by default in the user's home.
    os.environ.setdefault("KUBECACHEDIR", str(cloud.folder))
    with sdk().Config(kubeconfig_path=cloud.kubeconfig(), namespace="default") as config:
        config.install(CHART, name, dict(values))


def wait_plaintext(cloud: Cloud, service: str) -> Plaintext:
    """Return where pymilvus reaches the release at its Layer-4 address; `TimeoutError` if it does not."""
    from pymilvus import MilvusClient
    from pymilvus.exceptions import MilvusException

    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        address = _address(cloud, service)
        if address is not None:
            try:
                client = MilvusClient(uri=f"http://{address}:19530", timeout=2)
            except MilvusException:
                continue
            version = client.get_server_version()
            client.close()
            return Plaintext(address, version)
        time.sleep(0.2)
    raise TimeoutError(
        f"Milvus did not answer at its Layer-4 address within {START_TIMEOUT_S:.0f} s; "
        f"its log ends with: {_log_end(cloud)}"
    )


def _log_end(cloud: Cloud) -> str:
    pods = _found(cloud, "/api/v1/namespaces/default/pods")["items"]
    logs = [cloud.control_plane.pod_log("default", pod["metadata"]["name"]) or "" for pod in pods]
    return " / ".join(log.strip().rpartition("\n")[2][-300:] for log in logs) or "(there is no Pod)"


def _found(cloud: Cloud, path: str) -> dict[str, Any]:
    client = KubeClient(cloud.kube.url, cloud.kube.ca_pem, cloud.kube.issue_token(OPERATOR))
    try:
        return client.find(path) or {}
    finally:
        client.close()


def _address(cloud: Cloud, service: str) -> str | None:
    found = _found(cloud, f"/api/v1/namespaces/default/services/{service}")
    ingress = found.get("status", {}).get("loadBalancer", {}).get("ingress", [])
    return str(ingress[0]["ip"]) if ingress else None
