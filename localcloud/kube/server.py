"""The API server on the network: HTTPS on a free loopback port, bearer tokens, streams for watches."""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
import threading
import time
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, unquote

import uvicorn
import yaml

from localcloud.gates import Gates
from localcloud.kube import bootstrap, certificates, dispatch, status
from localcloud.kube.audit import AuditLog
from localcloud.kube.requests.http import HttpRequest
from localcloud.kube.store.collector import Collector
from localcloud.kube.store.objects import Store
from localcloud.kube.store.reads import Watch

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_THREADS = 128  # a gate holds one thread for every call that waits at it
_START_DEADLINE_S = 10.0
_BOOKMARK_EVERY_S = 60.0


class _Server(uvicorn.Server):
    """A server that does not wait for clients to close their idle connections."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Cut what is still open, then end as usual."""
        for connection in list(self.server_state.connections):
            transport = getattr(connection, "transport", None)
            if transport is not None:
                transport.abort()
        await super().shutdown(sockets)


class KubeApi:
    """An emulated API server. Use as a context manager, or `start` and `stop` once each."""

    def __init__(self, gates: Gates | None = None) -> None:
        self.store = Store()
        self._dispatcher = dispatch.Dispatcher(self.store, gates or Gates())
        self._identity = certificates.issue()
        self._collector = Collector(self.store)
        self._socket = _listener()
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="kube-api")
        self._stopping = asyncio.Event()
        config = uvicorn.Config(
            self._app,
            interface="asgi3",
            proxy_headers=False,
            log_config=None,
            lifespan="off",
            timeout_graceful_shutdown=2,
            timeout_keep_alive=75,
            ssl_context_factory=lambda _config, _default: self._identity.ssl_context(),
        )
        self._server = _Server(config)
        self._thread = threading.Thread(target=self._run, name="kube-api", daemon=True)
        bootstrap.populate(self.store)

    @property
    def audit(self) -> AuditLog:
        """Return every request so far."""
        return self._dispatcher.audit

    @property
    def endpoint(self) -> str:
        """Return `127.0.0.1:PORT`."""
        host, port = self._socket.getsockname()
        return f"{host}:{port}"

    @property
    def url(self) -> str:
        """Return `https://127.0.0.1:PORT`."""
        return f"https://{self.endpoint}"

    @property
    def ca_pem(self) -> str:
        """Return the certificate authority that clients must trust, PEM."""
        return self._identity.ca_pem

    def issue_token(self, user: str) -> str:
        """Return a new bearer token that authenticates as `user`."""
        token = secrets.token_urlsafe(24)
        self._dispatcher.users[token] = user
        return token

    def kubeconfig(self, token: str) -> str:
        """Return a kubeconfig (YAML) with the CA and the token inline."""
        cluster = {"server": self.url, "certificate-authority-data": certificates.base64_pem(self.ca_pem)}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "embedded", "cluster": cluster}],
            "users": [{"name": "embedded", "user": {"token": token}}],
            "contexts": [{"name": "embedded", "context": {"cluster": "embedded", "user": "embedded"}}],
            "current-context": "embedded",
        }
        return yaml.safe_dump(document)

    def serve_pod_logs(self, logs: dispatch.PodLogs) -> None:
        """Let `logs(namespace, pod, container)` give the text of the Pods' `log` subresource."""
        self._dispatcher.pod_logs = logs

    def start(self) -> None:
        """Serve in background threads; returns when requests are accepted."""
        self._collector.start()
        self._thread.start()
        deadline = time.monotonic() + _START_DEADLINE_S
        while not self._server.started:
            if time.monotonic() > deadline or not self._thread.is_alive():
                raise RuntimeError("the Kubernetes API emulator did not start")
            time.sleep(0.005)

    def stop(self) -> None:
        """End all watches, finish what runs, close the port. Open the gates before. Safe to call twice."""
        if not self._thread.is_alive():
            return
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._server.should_exit = True
        self._thread.join()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._collector.stop()
        self._socket.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        await self._server.serve(sockets=[self._socket])

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = await _read(scope, receive)
        answer = await self._loop.run_in_executor(self._pool, self._dispatcher.answer, request)
        headers = [(b"content-type", answer.content_type.encode())]
        if answer.watch is None:
            headers.append((b"content-length", str(len(answer.body)).encode()))
        await send({"type": "http.response.start", "status": answer.code, "headers": headers})
        if answer.watch is None:
            body = b"" if request.method == "HEAD" else answer.body
            await send({"type": "http.response.body", "body": body})
            return
        await self._stream(request, answer, receive, send)

    async def _stream(
        self, request: HttpRequest, answer: dispatch.Answer, receive: Receive, send: Send
    ) -> None:
        assert answer.watch is not None  # noqa: S101 (narrows the type; the caller checked)
        changed = asyncio.Event()
        unlisten = self.store.listen(partial(self._wake, changed))
        gone = asyncio.ensure_future(_disconnected(receive))
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await _send_events(send, list(answer.first_events))
            await self._follow(request, answer.watch, send, (changed, gone, stopping))
        finally:
            unlisten()
            gone.cancel()
            stopping.cancel()
        await send({"type": "http.response.body", "body": b""})

    def _wake(self, changed: asyncio.Event) -> None:
        self._loop.call_soon_threadsafe(changed.set)

    async def _follow(
        self,
        request: HttpRequest,
        watch: Watch,
        send: Send,
        signals: tuple[asyncio.Event, asyncio.Future[None], asyncio.Future[Any]],
    ) -> None:
        changed, *ends = signals
        wants_bookmarks = request.query.get("allowWatchBookmarks") in {"1", "true"}
        deadline = time.monotonic() + float(request.query.get("timeoutSeconds") or 3600)
        while time.monotonic() < deadline:
            changed.clear()
            try:
                events = watch.poll()
            except status.ApiError as error:
                await _send_events(send, [{"type": "ERROR", "object": error.body}])
                return
            await _send_events(send, events)
            waiting = asyncio.ensure_future(changed.wait())
            timeout = min(_BOOKMARK_EVERY_S, deadline - time.monotonic())
            await asyncio.wait([waiting, *ends], timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            if any(end.done() for end in ends):
                return
            if wants_bookmarks and not changed.is_set():
                await _send_events(send, [watch.bookmark()])


def _listener() -> socket.socket:
    # Named as TCP, or asyncio leaves Nagle's algorithm on and answers wait 40 ms for an acknowledgement.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen(256)
    return listener


async def _read(scope: Scope, receive: Receive) -> HttpRequest:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    query = dict(parse_qsl(scope["query_string"].decode(), keep_blank_values=True))
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    return HttpRequest(scope["method"], unquote(scope["path"]), query, headers, body)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send_events(send: Send, events: list[dict[str, Any]]) -> None:
    lines = b"".join(json.dumps(event, separators=(",", ":")).encode() + b"\n" for event in events)
    await send({"type": "http.response.body", "body": lines, "more_body": True})
