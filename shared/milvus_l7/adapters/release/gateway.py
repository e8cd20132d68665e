"""The only way from Helm's SDK to the API server: a gateway on the loopback interface, in Helm's own process.

    Helm --HTTP, a path of one use--> gateway --asks--> who oversees it --HTTPS, with the token--> API server

Helm never learns the token, and no request reaches the cluster unseen. The path is a secret: client-go sends
no token where there is no TLS (k8s.io/client-go `tools/clientcmd`, ClientConfig).
"""

from __future__ import annotations

import json
import secrets
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

from milvus_l7.adapters.kubernetes import bounds
from milvus_l7.adapters.kubernetes.answers import Answer
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Permanent, Transient, Unanswered

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager

JSON = "application/json"
READ = "GET"
_PASSED_ON = ("Accept", "Content-Type", "User-Agent")
_CHUNK_BYTES = 64 * 1024
_MOST_BYTES = 64 * 1024 * 1024
_CONNECT_S = 10.0


@dataclass(frozen=True, slots=True)
class Request:
    """What Helm asks for."""

    method: str
    path: str
    query: str = ""  # as in the URL, without the question mark
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def media_type(self) -> str:
        """Return the type of the body."""
        return self.headers.get("Content-Type", "").partition(";")[0]

    def asking(self, **changes: Any) -> Request:
        """Return another request like it."""
        return replace(self, **changes)


@dataclass(frozen=True, slots=True)
class Reply:
    """What Helm is answered; with a stream, the body comes bit by bit."""

    status: int
    body: bytes = b""
    media_type: str = JSON
    stream: Iterator[bytes] | None = None


def reply_of(body: Any, status: int = 200) -> Reply:
    """Return an answer of our own."""
    return Reply(status, json.dumps(body, default=str).encode())


def answer_of(reply: Reply) -> Answer:
    """Return the reply as the API server's other answers are read; without a body if that is no object."""
    try:
        body = json.loads(reply.body)
    except ValueError:
        body = {}
    return Answer(reply.status, body if isinstance(body, dict) else {}, len(reply.body))


Answering = Callable[[Request], Reply]


@dataclass(slots=True)
class Upstream:
    """The API server."""

    server: str  # its URL
    ca_pem: str | None  # None: one of the system's authorities
    token: str
    _pool: PoolManager | None = None

    def send(self, request: Request) -> Reply:
        """Send a request on, once, and return the whole answer.

        Raises `Transient(CLUSTER_UNAVAILABLE)` if there is none, of a write `Unanswered`.
        """
        from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

        try:
            answer = self._sent(request, bounds.TOTAL_S)
            body = bytearray()
            while chunk := answer.read1(_CHUNK_BYTES):
                body += chunk
                if len(body) > _MOST_BYTES:
                    answer.close()
                    raise Permanent(Reason.ANSWER_TOO_LARGE, f"the answer to {request.path} is too large")
            answer.release_conn()
        except (HTTPError, TimeoutError, OSError) as error:
            is_unsent = isinstance(error, NewConnectionError | ConnectTimeoutError)
            is_write = request.method != READ and "dryRun=" not in request.query
            message = f"the Kubernetes API at {self.server} did not answer: {type(error).__name__}"
            kind = Unanswered if is_write and not is_unsent else Transient
            raise kind(Reason.CLUSTER_UNAVAILABLE, message) from error
        return Reply(answer.status, bytes(body), answer.headers.get("Content-Type", JSON))

    def watch(self, request: Request) -> Reply:
        """Send a watch on; its events come as the API server sends them."""
        answer = self._sent(request, None)
        return Reply(
            answer.status, media_type=answer.headers.get("Content-Type", JSON), stream=_chunks(answer)
        )

    def _sent(self, request: Request, read_s: float | None) -> BaseHTTPResponse:
        from urllib3 import Timeout

        headers = {key: request.headers[key] for key in _PASSED_ON if key in request.headers}
        headers["Authorization"] = f"Bearer {self.token}"
        return self._connected().request(
            request.method,
            self.server.rstrip("/") + request.path + (f"?{request.query}" if request.query else ""),
            body=request.body or None,
            headers=headers,
            timeout=Timeout(connect=_CONNECT_S, read=read_s),
            retries=False,
            redirect=False,
            preload_content=False,
        )

    def _connected(self) -> PoolManager:
        if self._pool is None:
            self._pool = _pool(self.server, self.ca_pem)
        return self._pool


def _pool(server: str, ca_pem: str | None) -> PoolManager:
    from urllib3 import PoolManager, ProxyManager

    verified: dict[str, Any] = {"cert_reqs": "CERT_REQUIRED", "maxsize": 8}
    if ca_pem:
        verified["ca_cert_data"] = ca_pem
    host = server.partition("://")[2].partition("/")[0]
    proxy = urllib.request.getproxies().get("https")
    if proxy and not urllib.request.proxy_bypass(host):
        return ProxyManager(proxy, **verified)
    return PoolManager(**verified)


def _chunks(answer: BaseHTTPResponse) -> Iterator[bytes]:
    try:
        while chunk := answer.read1(_CHUNK_BYTES):
            yield chunk
    finally:
        answer.close()


@contextmanager
def opened(answering: Answering) -> Iterator[str]:
    """Open the gateway for the block, and give its URL; `answering` may be called by many threads."""
    server = _Server(answering)
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}{server.prefix}"
    finally:
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, answering: Answering) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answering, self.prefix = answering, f"/{secrets.token_urlsafe(32)}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        prefix = self.server.prefix
        if not secrets.compare_digest(self.path[: len(prefix)].encode(), prefix.encode()):
            self._answer(Reply(404))
            return
        path, _, query = self.path.removeprefix(prefix).partition("?")
        request = Request(self.command, path, query, dict(self.headers.items()), body)
        with suppress(ConnectionError):
            self._answer(self.server.answering(request))

    def _answer(self, reply: Reply) -> None:
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.media_type)
        if reply.stream is None:
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)
            return
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for chunk in reply.stream:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 (http.server's names)
