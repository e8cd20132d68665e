"""Emulates the Compute Engine metadata server, from which `google.auth.default()` gets identity and tokens.

Paths and headers as google-auth 2.62 asks for them (`google/auth/compute_engine/_metadata.py`). One server
stands for the one service account that a function runs as.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import urlsplit

# One second below the hour: what the real server says of a fresh token.
TOKEN_LIFETIME_S = 3599
_FLAVOR = "Google"
# How long `stop` may take to be noticed.
_POLL_S = 0.05
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_ROOT = "/computeMetadata/v1/"


class MetadataServer:
    """A metadata server on a free port of 127.0.0.1 for `identity`, a service account's e-mail address.

    `tokens` mints a bearer token for an e-mail address; it is called on every request for a token.
    """

    def __init__(self, identity: str, project: str, tokens: Callable[[str], str]) -> None:
        self._identity = identity
        self._project = project
        self._tokens = tokens
        self._http = _Server(self)
        self._thread = threading.Thread(
            target=self._http.serve_forever, args=(_POLL_S,), name="metadata", daemon=True
        )

    @property
    def address(self) -> str:
        """Return `127.0.0.1:PORT`."""
        return f"127.0.0.1:{self._http.server_port}"

    @property
    def environment(self) -> Mapping[str, str]:
        """Return what a process needs in its environment to be this identity.

        google-auth asks `GCE_METADATA_IP`, not `GCE_METADATA_HOST`, whether it runs on Google Cloud at all.
        """
        return {"GCE_METADATA_HOST": self.address, "GCE_METADATA_IP": self.address}

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

    def answer(self, path: str) -> tuple[str, str] | None:
        """Return the (content type, body) at an absolute path, or `None` where the real server says 404."""
        if path == "/":
            return "application/text", "computeMetadata/\n"
        if not path.startswith(_ROOT):
            return None
        account, _, item = path.removeprefix(_ROOT + "instance/service-accounts/").partition("/")
        if account in ("default", self._identity):
            return self._account_answer(item)
        texts = {
            "project/project-id": self._project,
            "universe/universe-domain": "googleapis.com",
        }
        text = texts.get(path.removeprefix(_ROOT))
        return ("application/text", text) if text is not None else None

    def _account_answer(self, item: str) -> tuple[str, str] | None:
        if item == "":
            account = {"email": self._identity, "aliases": ["default"], "scopes": [_SCOPE]}
            return "application/json", json.dumps(account)
        if item == "email":
            return "application/text", self._identity
        if item == "token":
            return "application/json", json.dumps(self._token())
        return None

    def _token(self) -> dict[str, str | int]:
        return {
            "access_token": self._tokens(self._identity),
            "expires_in": TOKEN_LIFETIME_S,
            "token_type": "Bearer",
        }


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, metadata: MetadataServer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.metadata = metadata


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        """Answer, or refuse a caller that does not say `Metadata-Flavor: Google`, as the real server does."""
        if self.headers.get("Metadata-Flavor") != _FLAVOR:
            self._send(403, "text/html", "Missing Metadata-Flavor:Google header.\n")
            return
        found = self.server.metadata.answer(urlsplit(self.path).path)
        if found is None:
            self._send(404, "text/html", "Not Found\n")
        else:
            self._send(200, *found)

    def _send(self, status: int, content_type: str, body: str) -> None:
        raw = body.encode()
        self.send_response(status)
        self.send_header("Metadata-Flavor", _FLAVOR)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: a request for a token is no news."""
