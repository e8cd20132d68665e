"""Finding a cluster, and the token for it, through emulators and the real clients."""

from __future__ import annotations

import base64
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import grpc
import pytest
from google.cloud.container_v1 import types

from localcloud.gke_api import ClusterFacts, GkeApiEmulator
from localcloud.grpc_server import GrpcServer, Refused, Rpc
from localcloud.metadata import MetadataServer
from milvus_l7.adapters.kubernetes import gke
from milvus_l7.adapters.kubernetes.gke import GkeClusters
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Permanent, Transient
from milvus_l7.ports import ClusterAccess
from tests.builders import CLUSTER

CA = "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n"


class ScriptedGkeApi(GrpcServer):
    """Answers every GetCluster with one prepared cluster or refusal."""

    def __init__(self, answer: types.Cluster | Refused) -> None:
        self._answer = answer
        rpc = Rpc("GetCluster", types.GetClusterRequest, types.Cluster, self._get, lambda request: "")
        super().__init__({"google.container.v1.ClusterManager": [rpc]}, "container", None)

    def _get(self, request: object) -> object:
        if isinstance(self._answer, Refused):
            raise self._answer
        return types.Cluster.pb(self._answer)


class Time:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def known() -> dict[str, ClusterFacts]:
    return {CLUSTER: ClusterFacts("127.0.0.1:6443", CA)}


@pytest.fixture
def emulator(known: dict[str, ClusterFacts], monkeypatch: pytest.MonkeyPatch) -> Iterator[GkeApiEmulator]:
    with GkeApiEmulator(known) as running:
        monkeypatch.setenv(gke.EMULATOR_HOST, running.address)
        yield running


def answering(answer: types.Cluster | Refused, monkeypatch: pytest.MonkeyPatch) -> ScriptedGkeApi:
    server = ScriptedGkeApi(answer)
    monkeypatch.setenv(gke.EMULATOR_HOST, server.address)
    return server


@pytest.mark.usefixtures("emulator")
def test_cluster_is_found_with_its_ca() -> None:
    assert GkeClusters().locate(CLUSTER) == ClusterAccess("https://127.0.0.1:6443", CA)


@pytest.mark.usefixtures("emulator")
def test_unknown_cluster_is_refused_by_name() -> None:
    with pytest.raises(Permanent, match="clusters/other") as caught:
        GkeClusters().locate(CLUSTER.replace("clusters/milvus", "clusters/other"))
    assert caught.value.reason is Reason.CLUSTER_NOT_FOUND


@pytest.mark.usefixtures("emulator")
def test_answer_is_kept_for_ten_minutes(known: dict[str, ClusterFacts]) -> None:
    time = Time()
    clusters = GkeClusters(time)
    before = clusters.locate(CLUSTER)
    known[CLUSTER] = ClusterFacts("127.0.0.2", CA)
    time.seconds = 599
    assert clusters.locate(CLUSTER) == before
    time.seconds = 601
    assert clusters.locate(CLUSTER).server == "https://127.0.0.2"


@pytest.mark.parametrize(
    ("is_open", "access"),
    [
        (True, ClusterAccess("https://gke-1.us-central1-a.gke.goog", None)),
        (False, ClusterAccess("https://192.0.2.1", CA)),
    ],
)
def test_dns_endpoint_is_used_where_it_is_open(
    is_open: bool, access: ClusterAccess, monkeypatch: pytest.MonkeyPatch
) -> None:
    dns = {"endpoint": "gke-1.us-central1-a.gke.goog", "allow_external_traffic": is_open}
    cluster = types.Cluster(
        endpoint="192.0.2.1",
        master_auth={"cluster_ca_certificate": base64.b64encode(CA.encode()).decode()},
        control_plane_endpoints_config={"dns_endpoint_config": dns},
    )
    with answering(cluster, monkeypatch):
        assert GkeClusters().locate(CLUSTER) == access


@pytest.mark.parametrize("certificate", ["", "%%%", "gICA"])
def test_cluster_without_usable_endpoint_is_looked_at_later(
    certificate: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = types.Cluster(endpoint="192.0.2.1", master_auth={"cluster_ca_certificate": certificate})
    with answering(cluster, monkeypatch), pytest.raises(Transient) as caught:
        GkeClusters().locate(CLUSTER)
    assert caught.value.reason is Reason.CLUSTER_UNAVAILABLE


def test_missing_permission_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    text = 'Required "container.clusters.get" permission'
    refusal = Refused(grpc.StatusCode.PERMISSION_DENIED, text)
    with (
        answering(refusal, monkeypatch),
        pytest.raises(Permanent, match=r"container\.clusters\.get") as caught,
    ):
        GkeClusters().locate(CLUSTER)
    assert caught.value.reason is Reason.CLUSTER_ACCESS_DENIED


def test_api_that_does_not_answer_is_looked_at_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("milvus_l7.adapters.kubernetes.gke.TRY_S", 0.2)
    monkeypatch.setattr("milvus_l7.adapters.kubernetes.gke.TOTAL_S", 0.4)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv(gke.EMULATOR_HOST, f"127.0.0.1:{closed.getsockname()[1]}")
        with pytest.raises(Transient) as caught:
            GkeClusters().locate(CLUSTER)
    assert caught.value.reason is Reason.CLUSTER_UNAVAILABLE


# google-auth reads its environment when it is imported, hence a process of its own.
TWO_TOKENS = """
from milvus_l7.adapters.kubernetes.credentials import TokenSource
from milvus_l7.domain.reasons.errors import Transient
token = TokenSource()
try:
    print(token(), token())
except Transient as error:
    print(error.reason, error.message)
"""


def told(environment: Mapping[str, str], home: Path) -> str:
    """What the program prints in that environment, as nobody in particular."""
    hidden = {"GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT", "NO_GCE_CHECK"}
    inherited = {key: value for key, value in os.environ.items() if key not in hidden}
    own = {"HOME": str(home), "CLOUDSDK_CONFIG": str(home), "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", TWO_TOKENS]
    env = {**inherited, **own, **environment}
    return subprocess.run(
        command, env=env, capture_output=True, text=True, timeout=60, check=True
    ).stdout.strip()


def test_token_is_that_of_the_identity_and_asked_for_once(tmp_path: Path) -> None:
    minted: list[str] = []

    def mint(identity: str) -> str:
        minted.append(identity)
        return f"token-{len(minted)}"

    identity = "l7-verify@project.iam.gserviceaccount.com"
    with MetadataServer(identity, "project", mint) as server:
        assert told(server.environment, tmp_path) == "token-1 token-1"
    assert minted == [identity]


def test_missing_identity_is_waited_for(tmp_path: Path) -> None:
    assert told({"NO_GCE_CHECK": "true"}, tmp_path).startswith(Reason.CLUSTER_UNAVAILABLE)
