"""What the emulators that speak plain HTTP share: a server in a thread, and handlers that answer whole."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

# How long `stop` may take to be noticed.
_POLL_S = 0.05


class HttpServer:
    """An HTTP server on a free port of 127.0.0.1; a context manager.

    `handler` is called for each connection, with the server and what `http.server` passes to a handler.
    """

    def __init__(self, handler: Callable[..., Handler], name: str) -> None:
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, self))
        self._thread = threading.Thread(
            target=self._http.serve_forever, args=(_POLL_S,), name=name, daemon=True
        )

    @property
    def address(self) -> str:
        """Return `127.0.0.1:PORT`. Known before `start`."""
        return f"127.0.0.1:{self._http.server_port}"

    def start(self) -> Self:
        """Begin to serve; returns itself."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop serving and free the port."""
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


class Handler(BaseHTTPRequestHandler):
    """Handles the requests of one connection to `emulator`."""

    def __init__(self, emulator: Any, *connection: Any) -> None:
        self.emulator = emulator
        super().__init__(*connection)  # which answers the requests

    def send(
        self, status: int, content_type: str, body: bytes, headers: Mapping[str, str] | None = None
    ) -> None:
        """Send a whole answer."""
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: a request is no news."""
