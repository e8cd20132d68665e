"""Answers of Kubernetes' and Cloud DNS' APIs beyond a limit are not read, and say the limit."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from milvus_l7.adapters.dns import cloud_dns
from milvus_l7.adapters.dns.cloud_dns import CloudDnsZones
from milvus_l7.adapters.kubernetes.objects import KubernetesObjects
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Permanent, Transient
from milvus_l7.ports import ClusterAccess, ObjectRef

MIB = 1024 * 1024
SECRETS = ObjectRef("v1", "Secret", "default")
DEEP = b'{"kind": ' + b'{"a":' * 974 + b"1" + b"}" * 975


class Server(ThreadingHTTPServer):
    """Answers every request alike."""

    daemon_threads = True

    def __init__(self, body: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.body = body
        self.limits: list[str] = []

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.limits.append(self.path)
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        try:
            self.wfile.write(self.server.body)
        except OSError:
            return  # the client has read enough

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def answering(body: bytes) -> Iterator[Server]:
    with Server(body) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def page(data: str, position: str = "more") -> bytes:
    body = {"kind": "SecretList", "metadata": {"continue": position}, "items": [{"data": {"a": data}}]}
    return json.dumps(body).encode()


@pytest.mark.parametrize(
    ("body", "limit"),
    [
        (DEEP, "100 levels"),
        (b'{"kind": [' + b"1," * 1_000_001 + b"1]}", "1000000 values"),
        (page("x" * 65 * MIB), "64 MiB"),
        (page("").replace(b'""', b"[" + b"{}," * 400_000 + b"{}]"), "64 MiB"),
    ],
)
def test_kubernetes_answer_beyond_a_limit_is_not_read(body: bytes, limit: str) -> None:
    with answering(body) as server:
        kube = KubernetesObjects(ClusterAccess(f"http://{server.address}", None), lambda: "token")
        with pytest.raises(Permanent, match=limit) as refused:
            kube.list(SECRETS, {})
        kube._connected().close()
    assert refused.value.reason is Reason.ANSWER_TOO_LARGE


def test_secrets_are_listed_in_small_pages() -> None:
    with answering(page("", "")) as server:
        kube = KubernetesObjects(ClusterAccess(f"http://{server.address}", None), lambda: "token")
        kube.list(SECRETS, {})
        kube.list(ObjectRef("v1", "Pod", "default"), {})
        kube._connected().close()
        assert [path.partition("limit=")[2] for path in server.limits] == ["20", "100"]


@pytest.mark.parametrize(
    ("body", "limit"),
    [
        (DEEP, "16 levels"),
        (b" " * 5 * MIB, f"at most {cloud_dns.LIMITS.size_bytes}"),
        (b'{"rrsets": [], "nextPageToken": "again"}', "more than 20 pages"),
    ],
)
def test_cloud_dns_answer_beyond_a_limit_is_not_read(
    body: bytes, limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with answering(body) as server:
        monkeypatch.setenv(cloud_dns.EMULATOR_HOST, server.address)
        with pytest.raises(Transient, match=limit) as refused:
            CloudDnsZones().records("projects/p/managedZones/z", "a.io.")
    assert refused.value.reason is Reason.DNS_ZONE_UNAVAILABLE
