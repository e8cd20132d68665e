"""The API servers that the contract suite runs against: the emulator, and a real one if it is there.

With `KUBEBUILDER_ASSETS` set (a folder with `kube-apiserver` and `etcd`, the convention of
controller-runtime's envtest) every test runs a second time, against a real kube-apiserver that has the custom
resources of GKE.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import socket
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import urllib3
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from localcloud.guard import Guard
from localcloud.kube import KubeApi, certificates
from localcloud.kube.schema import crds
from milvus_l7.adapters.kubernetes.objects import KubernetesObjects
from milvus_l7.ports import ClusterAccess

Json = dict[str, Any]

USERS = ("alice", "bob")
_START_DEADLINE_S = 60


@dataclass(frozen=True, slots=True)
class Answer:
    """A status code and the JSON object that came with it."""

    code: int
    body: Json


@dataclass(slots=True)
class Server:
    """One API server and how to talk to it."""

    url: str
    ca_pem: str
    tokens: dict[str, str]
    is_real: bool
    objects: KubernetesObjects = field(init=False)  # as the product reaches them, as the first user
    _pool: urllib3.PoolManager = field(init=False)

    def __post_init__(self) -> None:
        access = ClusterAccess(self.url, self.ca_pem)
        self.objects = KubernetesObjects(access, lambda: self.tokens[USERS[0]])
        self._pool = urllib3.PoolManager(cert_reqs="CERT_REQUIRED", ca_cert_data=self.ca_pem)

    def close(self) -> None:
        self._pool.clear()

    def kubeconfig(self) -> str:
        user, token = next(iter(self.tokens.items()))
        ca = self.ca_pem.encode()
        cluster = {"server": self.url, "certificate-authority-data": _base64(ca)}
        return yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "c", "cluster": cluster}],
                "users": [{"name": user, "user": {"token": token}}],
                "contexts": [{"name": "c", "context": {"cluster": "c", "user": user}}],
                "current-context": "c",
            }
        )

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> Answer:
        """One request; `options`: user, agent, media (the body's type); all others go into the query."""
        token = self.tokens.get(options.pop("user", USERS[0]), "unknown-token")
        headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": options.pop("media", "application/json"),
            "User-Agent": options.pop("agent", "suite/1.0"),
        }
        query = f"?{urlencode(options)}" if options else ""
        content = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        answer = self._pool.request(method, self.url + path + query, body=content, headers=headers)
        text = answer.data
        return Answer(answer.status, json.loads(text) if text.startswith(b"{") else {"text": text.decode()})

    @contextmanager
    def watch(self, path: str, **query: str) -> Iterator[Iterator[Json]]:
        """The events of a watch, as they come; ends after 10 s at the latest."""
        headers = {"Authorization": f"Bearer {self.tokens[USERS[0]]}"}
        url = f"{self.url}{path}?{urlencode({'watch': '1', 'timeoutSeconds': '10', **query})}"
        answer = self._pool.request("GET", url, headers=headers, preload_content=False)
        try:
            yield (json.loads(line) for line in _lines(answer))
        finally:
            answer.close()
            answer.drain_conn()
            answer.release_conn()


@dataclass(frozen=True, slots=True)
class Space:
    """A namespace of its own on a server, with short names for the usual calls."""

    server: Server
    name: str

    def path(self, plural: str, name: str = "", group: str = "v1") -> str:
        base = f"/api/{group}" if "/" not in group else f"/apis/{group}"
        return f"{base}/namespaces/{self.name}/{plural}" + (f"/{name}" if name else "")

    def create(self, plural: str, body: Json, group: str = "v1", **options: Any) -> Answer:
        return self.server.call("POST", self.path(plural, group=group), body, **options)

    def get(self, plural: str, name: str = "", group: str = "v1", **options: Any) -> Answer:
        return self.server.call("GET", self.path(plural, name, group), **options)

    def put(self, plural: str, body: Json, group: str = "v1", **options: Any) -> Answer:
        return self.server.call("PUT", self.path(plural, body["metadata"]["name"], group), body, **options)

    def patch(self, target: str, body: Any, kind: str = "merge", group: str = "v1", **options: Any) -> Answer:
        """`target` is `plural/name` or `plural/name/status`; `kind` is merge, json or strategic-merge."""
        plural, _, name = target.partition("/")
        media = f"application/{kind}-patch+json"
        return self.server.call("PATCH", self.path(plural, name, group), body, media=media, **options)

    def apply(self, target: str, body: Json, manager: str, group: str = "v1", **options: Any) -> Answer:
        plural, _, name = target.partition("/")
        options |= {"fieldManager": manager, "media": "application/apply-patch+yaml"}
        return self.server.call("PATCH", self.path(plural, name, group), body, **options)

    def roll_out(self, deployment: str) -> None:
        """What the Deployment controller would report when all Pods are new and ready."""
        live = self.get("deployments", deployment, "apps/v1").body
        counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), 1)
        status = {"status": {"observedGeneration": live["metadata"]["generation"], **counts}}
        assert self.patch(f"deployments/{deployment}/status", status, group="apps/v1").code == 200

    def delete(
        self, plural: str, name: str = "", group: str = "v1", body: Any = None, **options: Any
    ) -> Answer:
        return self.server.call("DELETE", self.path(plural, name, group), body, **options)


def _lines(answer: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    rest = b""
    while chunk := answer.read1():
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (line for line in lines if line)


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def until(is_done: Callable[[], bool], timeout_s: float = 10) -> None:
    """Poll until `is_done` says yes; `TimeoutError` after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not is_done():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.02)


@contextmanager
def emulated() -> Iterator[Server]:
    """A server with the emulator behind it."""
    with KubeApi() as api:
        server = Server(api.url, api.ca_pem, {user: api.issue_token(user) for user in USERS}, is_real=False)
        try:
            yield server
        finally:
            server.close()


@contextmanager
def real(assets: Path) -> Iterator[Server]:
    """A server with a real kube-apiserver and etcd behind it, which end with the context or the process."""
    tokens = {user: secrets.token_hex(16) for user in USERS}
    identity = certificates.issue()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        guard = stack.enter_context(Guard())
        guard.own_folder(folder)
        rows = [f'{token},{user},{user},"system:masters"\n' for user, token in tokens.items()]
        (folder / "tokens.csv").write_text("".join(rows))
        (folder / "sa.key").write_bytes(_rsa_pem())
        (folder / "tls.crt").write_bytes(identity.certificate_pem)
        (folder / "tls.key").write_bytes(identity.key_pem)
        client, peer, secure = (_free_port() for _ in range(3))
        guard.spawn(_etcd(assets, folder, client, peer), log_path=folder / "etcd.log")
        guard.spawn(_apiserver(assets, folder, client, secure), log_path=folder / "apiserver.log")
        server = Server(f"https://127.0.0.1:{secure}", identity.ca_pem, tokens, is_real=True)
        stack.callback(server.close)
        until(lambda: _is_ready(server), _START_DEADLINE_S)
        _install_custom_resources(server)
        yield server


def _etcd(assets: Path, folder: Path, client: int, peer: int) -> list[str]:
    url = f"http://127.0.0.1:{client}"
    return [
        f"{assets}/etcd",
        f"--data-dir={folder}/etcd",
        f"--listen-client-urls={url}",
        f"--advertise-client-urls={url}",
        f"--listen-peer-urls=http://127.0.0.1:{peer}",
    ]


def _apiserver(assets: Path, folder: Path, etcd: int, secure: int) -> list[str]:
    return [
        f"{assets}/kube-apiserver",
        f"--etcd-servers=http://127.0.0.1:{etcd}",
        f"--secure-port={secure}",
        "--bind-address=127.0.0.1",
        f"--cert-dir={folder}",
        f"--tls-cert-file={folder}/tls.crt",
        f"--tls-private-key-file={folder}/tls.key",
        "--service-cluster-ip-range=10.0.0.0/16",
        "--service-account-issuer=https://localhost",
        f"--service-account-key-file={folder}/sa.key",
        f"--service-account-signing-key-file={folder}/sa.key",
        f"--token-auth-file={folder}/tokens.csv",
        "--authorization-mode=RBAC",
        "--disable-admission-plugins=ServiceAccount",
    ]


def _rsa_pem() -> bytes:
    return rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _is_ready(server: Server) -> bool:
    try:
        return server.call("GET", "/readyz").code == 200
    except urllib3.exceptions.HTTPError:
        return False


def _install_custom_resources(server: Server) -> None:
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    for definition in crds.definitions():
        created = server.call("POST", path, definition)
        assert created.code == 201, created.body
        spec = definition["spec"]
        served = f"/apis/{spec['group']}/{spec['versions'][0]['name']}/{spec['names']['plural']}"
        until(lambda served=served: server.call("GET", served).code == 200)  # type: ignore[misc]


_SERVERS: dict[str, tuple[Server, ExitStack]] = {}


def _kinds() -> list[str]:
    return ["emulator", "real"] if os.environ.get("KUBEBUILDER_ASSETS") else ["emulator"]


@pytest.fixture(name="server", scope="session", params=_kinds())
def server_under_test(request: pytest.FixtureRequest) -> Iterator[Server]:
    """The server under test; shared by all modules that import this fixture."""
    kind = request.param
    if kind not in _SERVERS:
        stack = ExitStack()
        assets = Path(os.environ.get("KUBEBUILDER_ASSETS", ""))
        _SERVERS[kind] = (stack.enter_context(emulated() if kind == "emulator" else real(assets)), stack)
        request.session.config.add_cleanup(stack.close)
    yield _SERVERS[kind][0]


@pytest.fixture(name="space")
def fresh_space(server: Server) -> Space:
    """A fresh namespace."""
    name = f"t-{uuid.uuid4().hex[:10]}"
    created = server.call("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    assert created.code == 201, created.body
    return Space(server, name)


def managers(obj: Json) -> dict[tuple[str, str, str], Json]:
    """(manager, operation, subresource) -> fieldsV1 of an object."""
    return {
        (row["manager"], row["operation"], row.get("subresource", "")): row["fieldsV1"]
        for row in obj["metadata"].get("managedFields", [])
    }


def fields_of(answer: Answer, manager: str) -> Json:
    """What one manager owns."""
    return next(owned for (name, _, _), owned in managers(answer.body).items() if name == manager)


def values(body: Json) -> Json:
    """A copy without what differs from server to server or from second to second."""
    meta = {
        key: value
        for key, value in body["metadata"].items()
        if key not in {"uid", "creationTimestamp", "resourceVersion", "managedFields", "namespace"}
    }
    return body | {"metadata": meta}
