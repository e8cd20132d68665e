"""Raw JSON access to the Kubernetes API for the controllers: no typed models, one user name per client.

Built on the official package's `ApiClient`, so requests reach the API server, and its audit log, as those of
any other Kubernetes client do.
"""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import urllib3
from kubernetes.client import ApiClient, Configuration

Object = dict[str, Any]

CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 30.0
MERGE_PATCH = "application/merge-patch+json"


class KubeError(Exception):
    """The API server refused or could not be reached (`status` 0).

    `reason` is Kubernetes' machine-readable one.
    """

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason


class KubeClient:
    """One user's view of the API server. Safe to share between threads; `close()` when done."""

    def __init__(self, url: str, ca_pem: str, token: str) -> None:
        settings = Configuration(host=url.rstrip("/"))
        settings.ca_cert_data = ca_pem
        settings.proxy = None
        self._token = token
        self._api = ApiClient(settings)
        self._host = settings.host

    def find(self, path: str) -> Object | None:
        """Return the object at `path`, or None when there is none. `KubeError` on anything else."""
        try:
            return self._call("GET", path)
        except KubeError as error:
            if error.status == 404:
                return None
            raise

    def text(self, path: str) -> str:
        """Return the plain text at `path`, for example a Pod's log. `KubeError` on failure."""
        response = self._request("GET", path)
        with contextlib.closing(response):
            return response.data.decode("utf-8", errors="replace")

    def list(self, path: str) -> Object:
        """Return the list at `path`, with its `metadata.resourceVersion`. `KubeError` on failure."""
        return self._call("GET", path)

    def create(self, path: str, body: Object) -> Object:
        """Create an object in the collection `path`; `KubeError` 409 when the name is taken."""
        return self._call("POST", path, body, "application/json")

    def patch(self, path: str, body: Object) -> Object:
        """Merge `body` into the object at `path` (RFC 7386); `KubeError` 404 when it is gone."""
        return self._call("PATCH", path, body, MERGE_PATCH)

    def delete(self, path: str, grace_s: int | None = None) -> None:
        """Delete the object at `path`; one that is gone already is no error."""
        options: Object = {"kind": "DeleteOptions", "apiVersion": "v1"}
        if grace_s is not None:
            options["gracePeriodSeconds"] = grace_s
        try:
            self._call("DELETE", path, options, "application/json")
        except KubeError as error:
            if error.status != 404:
                raise

    def watch(self, path: str, resource_version: str) -> Watch:
        """Open a watch on the collection `path` from `resource_version` on.

        `KubeError` 410 when that is too old.
        """
        query = urlencode({"watch": "true", "resourceVersion": resource_version})
        return Watch(self._request("GET", f"{path}?{query}", timeout_s=None))

    def close(self) -> None:
        """Close all pooled connections. Safe to call twice."""
        self._api.rest_client.pool_manager.clear()

    def _call(self, method: str, path: str, body: Object | None = None, content_type: str = "") -> Object:
        response = self._request(method, path, body, content_type)
        with contextlib.closing(response):
            try:
                answer = json.loads(response.data)
            except (ValueError, urllib3.exceptions.HTTPError) as error:
                raise KubeError(0, "BadAnswer", f"{method} {path}: {type(error).__name__}") from error
        if not isinstance(answer, dict):
            raise KubeError(0, "BadAnswer", f"{method} {path}: not a JSON object")
        return answer

    def _request(
        self,
        method: str,
        path: str,
        body: Object | None = None,
        content_type: str = "",
        timeout_s: float | None = READ_TIMEOUT_S,
    ) -> urllib3.HTTPResponse:
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json"}
        if content_type:
            headers["Content-Type"] = content_type
        try:
            answer = self._api.call_api(
                method, self._host + path, headers, body, _request_timeout=(CONNECT_TIMEOUT_S, timeout_s)
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise KubeError(0, "Unreachable", f"{method} {path}: {type(error).__name__}") from error
        response: urllib3.HTTPResponse = answer.response
        if response.status >= 400:
            raise _refusal(method, path, response)
        return response


class Watch:
    """A stream of watch events. Iterate in one thread; `close()` from any thread ends the iteration."""

    def __init__(self, response: urllib3.HTTPResponse) -> None:
        self._response = response

    def __iter__(self) -> Iterator[Object]:
        """Yield events (`{"type", "object"}`) until the server or `close()` ends the stream."""
        pending = b""
        with contextlib.suppress(urllib3.exceptions.HTTPError, OSError, ValueError, AttributeError):
            for chunk in self._response.stream(amt=None, decode_content=False):
                *lines, pending = (pending + chunk).split(b"\n")
                yield from (json.loads(line) for line in lines if line.strip())

    def close(self) -> None:
        """End the stream, waking a thread that waits for the next event. Safe to call twice."""
        connection = self._response.connection
        sock = getattr(connection, "sock", None)
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


def _refusal(method: str, path: str, response: urllib3.HTTPResponse) -> KubeError:
    with contextlib.closing(response):
        try:
            status = json.loads(response.data)
        except (ValueError, urllib3.exceptions.HTTPError):
            status = {}
    if not isinstance(status, dict):
        status = {}
    message = str(status.get("message") or f"{method} {path}")
    return KubeError(response.status, str(status.get("reason") or "Unknown"), message)
