"""Clients that call all the time, and remember which of their calls failed, when, and how."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localcloud.addresses import HTTPS_PORT

CALL_S = 5.0


@dataclass(frozen=True)
class Failure:
    """A call that failed."""

    kind: str  # "kept": through a connection from before; "new": through a new one
    at: float  # when it was begun, in seconds since the epoch
    words: str


@dataclass
class Clients:
    """One pymilvus client that keeps its connection, and new ones again and again."""

    address: str
    domain: str
    roots: Path
    calls: dict[str, int] = field(default_factory=lambda: {"kept": 0, "new": 0})
    failures: list[Failure] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def calling(self) -> Iterator[None]:
        """Call all the time, from two threads, while the block runs."""
        threads = [threading.Thread(target=work) for work in (self._keep_calling, self._keep_connecting)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.stopped.set()
            for thread in threads:
                thread.join()

    def failed(self, kind: str) -> list[str]:
        """What the failed calls of that kind said, oldest first."""
        return [failure.words for failure in self.failures if failure.kind == kind]

    def _client(self) -> Any:
        from pymilvus import MilvusClient

        return MilvusClient(
            uri=f"https://{self.address}:{HTTPS_PORT}",
            server_pem_path=str(self.roots),
            server_name=self.domain,
            timeout=CALL_S,
            dedicated=True,
        )

    def _keep_calling(self) -> None:
        client = self._client()
        while not self.stopped.wait(0.02):
            # One attempt a call: pymilvus would repeat a failed one and hide it.
            self._count("kept", lambda: client.list_collections(timeout=CALL_S, retry_times=0))
        client.close()

    def _keep_connecting(self) -> None:
        while not self.stopped.wait(0.1):
            self._count("new", lambda: self._client().close())

    def _count(self, kind: str, call: Callable[[], object]) -> None:
        from grpc import RpcError
        from pymilvus import MilvusException

        began = time.time()
        try:
            call()
        except (MilvusException, RpcError) as error:
            self.failures.append(Failure(kind, began, str(error)[:300]))
        self.calls[kind] += 1
