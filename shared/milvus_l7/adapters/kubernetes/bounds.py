"""How long a request to the Kubernetes API may take, and how much of an answer is read.

A write that the client no longer waits for may still be made: by kube-apiserver until the deadline that the
request carries (`timeout=`, k8s.io/apiserver `pkg/endpoints/filters/request_deadline.go`), counted from when
it came in, and never after that. So a write has had its effect, or has none, `WRITE_MAY_TAKE_S` after it was
begun, whatever became of its answer.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

MIB = 1024 * 1024
TOTAL_S = 25.0  # the client's: to connect, send, and read the answer to its end
SERVER_S = 20  # the API server's own, for a write; less than its default of 60 s for any request
WRITE_MAY_TAKE_S = TOTAL_S + SERVER_S
_CHUNK_BYTES = 64 * 1024
_SHORTEST_READ_S = 0.01


class TooLargeError(Exception):
    """The answer has more bytes than are read."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The limits of one client's requests; a list is bounded as a whole, whatever the number of its pages."""

    total_s: float = TOTAL_S
    object_bytes: int = 8 * MIB  # etcd takes one and a half
    list_bytes: int = 64 * MIB  # each value counts for some besides its text


def read(response: BaseHTTPResponse, deadline: float, limit_bytes: int) -> bytes:
    """Return the body; raise `TooLargeError`, or `TimeoutError` at the moment `deadline` (monotonic).

    Every single read waits no longer than to the deadline, so that an answer that trickles ends, too.
    """
    try:
        return _read(response, deadline, limit_bytes)
    except BaseException:
        response.close()  # what is left in it must not be taken for the next answer
        raise


def _read(response: BaseHTTPResponse, deadline: float, limit_bytes: int) -> bytes:
    if (response.length_remaining or 0) > limit_bytes:
        raise TooLargeError
    body = bytearray()
    while chunk := _next(response, deadline):
        body += chunk
        if len(body) > limit_bytes:
            raise TooLargeError
    return bytes(body)


def _next(response: BaseHTTPResponse, deadline: float) -> bytes:
    left_s = deadline - time.monotonic()
    if left_s <= 0:
        raise TimeoutError("the answer did not end in time")
    sock = getattr(response.connection, "sock", None)
    if sock is not None:
        sock.settimeout(max(left_s, _SHORTEST_READ_S))
    return response.read1(_CHUNK_BYTES)
