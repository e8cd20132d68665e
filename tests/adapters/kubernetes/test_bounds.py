"""Requests to a Kubernetes API that misbehaves: how long they last, what is read, and what silence means."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from milvus_l7.adapters.kubernetes.bounds import SERVER_S, Bounds
from milvus_l7.adapters.kubernetes.objects import KubernetesObjects
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Conflict, Permanent, Transient, Unanswered
from milvus_l7.ports import ClusterAccess, KubeObjects, Manifest, ObjectRef

META = {"namespace": "n", "name": "a", "uid": "u", "resourceVersion": "1"}
MANIFEST: Manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": META}
REF = ObjectRef("v1", "ConfigMap", "n", "a")
LIST = ObjectRef("v1", "ConfigMap", "n")
QUICK = Bounds(total_s=0.3, object_bytes=10_000, list_bytes=20_000)

Answer = Callable[[socket.socket], None]
Ask = Callable[[KubeObjects], Any]

WRITES: dict[str, Ask] = {
    "apply": lambda objects: objects.apply(MANIFEST),
    "create": lambda objects: objects.create(MANIFEST),
    "delete": lambda objects: objects.delete(MANIFEST),
}
READS: dict[str, Ask] = {
    "get": lambda objects: objects.get(REF),
    "list": lambda objects: objects.list(LIST, {}),
    "events": lambda objects: objects.events(REF),
    "apply dry": lambda objects: objects.apply(MANIFEST, dry_run=True),
    "create dry": lambda objects: objects.create(MANIFEST, dry_run=True),
}


class Server:
    """Answers every connection once, as told, and keeps what it was asked."""

    def __init__(self, listener: socket.socket, answer: Answer) -> None:
        self.objects = KubernetesObjects(
            ClusterAccess(f"http://127.0.0.1:{listener.getsockname()[1]}", None), lambda: "t", bounds=QUICK
        )
        self.asked: list[str] = []
        self._listener, self._answer = listener, answer
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                with connection, suppress(OSError):
                    self.asked.append(connection.recv(65536).decode().partition("\r\n")[0])
                    self._answer(connection)


@contextmanager
def served(answer: Answer) -> Iterator[Server]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Server(listener, answer)
        server.thread.start()
        try:
            yield server
        finally:
            server.objects._connected().close()
            listener.shutdown(socket.SHUT_RDWR)
    server.thread.join(5)


def status(code: int, body: Any = None, length: int | None = None) -> Answer:
    content = json.dumps({"kind": "Status"} if body is None else body).encode()
    head = f"HTTP/1.1 {code} X\r\nConnection: close\r\nContent-Length: {length or len(content)}\r\n\r\n"
    return lambda connection: connection.sendall(head.encode() + content)


def hang_up(connection: socket.socket) -> None:
    """Close without a word, after the request was read."""


def keep_silent(connection: socket.socket) -> None:
    time.sleep(2 * QUICK.total_s)


def trickle(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n")
    for _ in range(100):
        connection.sendall(b" ")
        time.sleep(0.05)


SILENCES = {
    "hangs up": hang_up,
    "keeps silent": keep_silent,
    "trickles": trickle,
    "504": status(504),
    "500": status(500),
    "503": status(503),
    "408": status(408),
    "no object": status(200, []),
}


@pytest.mark.parametrize("answer", SILENCES.values(), ids=SILENCES)
@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_write_without_a_conclusive_answer_may_still_be_made(write: Ask, answer: Answer) -> None:
    with served(answer) as server, pytest.raises(Unanswered) as caught:
        write(server.objects)
    assert caught.value.reason is Reason.CLUSTER_UNAVAILABLE


@pytest.mark.parametrize("answer", SILENCES.values(), ids=SILENCES)
@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_read_without_an_answer_is_expected_to_succeed_later(read: Ask, answer: Answer) -> None:
    with served(answer) as server, pytest.raises(Transient) as caught:
        read(server.objects)
    assert not isinstance(caught.value, Unanswered)


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_write_that_could_not_be_sent_was_not_made(write: Ask) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    objects = KubernetesObjects(ClusterAccess(f"http://127.0.0.1:{port}", None), lambda: "t")
    with pytest.raises(Transient) as caught:
        write(objects)
    assert not isinstance(caught.value, Unanswered)


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_write_onto_what_has_changed_is_a_conflict(write: Ask) -> None:
    with served(status(409, {"kind": "Status", "reason": "Conflict"})) as server, pytest.raises(Conflict):
        write(server.objects)


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_write_carries_the_api_servers_own_limit(write: Ask) -> None:
    with served(hang_up) as server, pytest.raises(Unanswered):
        write(server.objects)
    assert f"timeout={SERVER_S}s" in server.asked[0]


@pytest.mark.parametrize("answer", [keep_silent, trickle])
def test_request_lasts_no_longer_than_allowed(answer: Answer) -> None:
    begun = time.monotonic()
    with served(answer) as server, pytest.raises(Transient):
        server.objects.get(REF)
    assert time.monotonic() - begun < 5 * QUICK.total_s


def big(size_bytes: int) -> dict[str, Any]:
    return {"kind": "ConfigMap", "data": {"a": "x" * size_bytes}}


@pytest.mark.parametrize("length", [None, 10**12])
def test_object_beyond_the_limit_is_refused_with_the_limit(length: int | None) -> None:
    with served(status(200, big(11_000), length)) as server, pytest.raises(Permanent) as caught:
        server.objects.get(REF)
    assert caught.value.reason is Reason.ANSWER_TOO_LARGE
    assert "ConfigMap a in namespace n has more than" in caught.value.message


def test_list_is_bounded_as_a_whole_whatever_the_number_of_its_pages() -> None:
    page = {"kind": "ConfigMapList", "metadata": {"continue": "more"}, "items": [big(9_000)]}
    with served(status(200, page)) as server, pytest.raises(Permanent) as caught:
        server.objects.list(LIST, {})
    assert caught.value.reason is Reason.ANSWER_TOO_LARGE
    assert len(server.asked) == 3


def test_answer_nested_without_end_is_not_read() -> None:
    deep = b"[" * 9_000
    head = f"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {len(deep)}\r\n\r\n".encode()
    with (
        served(lambda connection: connection.sendall(head + deep)) as server,
        pytest.raises(Permanent) as caught,
    ):
        server.objects.get(REF)
    assert caught.value.reason is Reason.ANSWER_TOO_LARGE
