"""Emulates the Compute Engine metadata server, from which `google.auth.default()` gets identity and tokens.

Paths and headers as google-auth 2.62 asks for them (`google/auth/compute_engine/_metadata.py`). One server
stands for the one service account that a function runs as.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from localcloud.http_server import Handler, HttpServer

# One second below the hour: what the real server says of a fresh token.
TOKEN_LIFETIME_S = 3599
_FLAVOR = "Google"
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_ROOT = "/computeMetadata/v1/"


class MetadataServer(HttpServer):
    """A metadata server on a free port of 127.0.0.1 for `identity`, a service account's e-mail address.

    `tokens` mints a bearer token for an e-mail address; it is called on every request for a token.
    """

    def __init__(self, identity: str, project: str, tokens: Callable[[str], str]) -> None:
        self._identity = identity
        self._project = project
        self._tokens = tokens
        super().__init__(_Handler, "metadata")

    @property
    def environment(self) -> Mapping[str, str]:
        """Return what a process needs in its environment to be this identity.

        google-auth asks `GCE_METADATA_IP`, not `GCE_METADATA_HOST`, whether it runs on Google Cloud at all.
        """
        return {"GCE_METADATA_HOST": self.address, "GCE_METADATA_IP": self.address}

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


class _Handler(Handler):
    emulator: MetadataServer

    def do_GET(self) -> None:
        """Answer, or refuse a caller that does not say `Metadata-Flavor: Google`, as the real server does."""
        if self.headers.get("Metadata-Flavor") != _FLAVOR:
            self._send(403, "text/html", "Missing Metadata-Flavor:Google header.\n")
            return
        found = self.emulator.answer(urlsplit(self.path).path)
        if found is None:
            self._send(404, "text/html", "Not Found\n")
        else:
            self._send(200, *found)

    def _send(self, status: int, content_type: str, body: str) -> None:
        self.send(status, content_type, body.encode(), {"Metadata-Flavor": _FLAVOR})
