"""The documents and the transactions on them. One lock: every operation is atomic and sees the last one."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from localcloud.firestore import names, writes
from localcloud.firestore.messages import Document, Value, Write, timestamp, version
from localcloud.firestore.queries import Query
from localcloud.grpc_server import Refused, invalid

# https://cloud.google.com/firestore/quotas: a transaction may last that long, and no longer.
_TRANSACTION_LIFE_S = 270


class Collections:
    """Documents by collection. A `copy` is a snapshot: stored documents are never changed in place."""

    def __init__(self, collections: dict[str, dict[str, Document]] | None = None) -> None:
        self._collections = collections or {}

    def get(self, name: str) -> Document | None:
        """Return the document of that name, or `None`."""
        return self._collections.get(names.collection_of(name), {}).get(name)

    def put(self, name: str, document: Document | None) -> None:
        """Store a document under its name; `None` removes it."""
        collection = self._collections.setdefault(names.collection_of(name), {})
        if document is None:
            collection.pop(name, None)
        else:
            collection[name] = document

    def members(self, collection: str) -> Iterable[Document]:
        """Return the documents of one collection, by its full name."""
        return self._collections.get(collection, {}).values()

    def below(self, parent: str) -> Iterable[Document]:
        """Return all documents at any depth below a document, a collection, or the database's root."""
        for path, collection in self._collections.items():
            if f"{path}/".startswith(f"{parent}/"):
                yield from collection.values()

    def matches(self, query: Query) -> list[Document]:
        """Return what a query matches, before offset and limit."""
        if not query.is_group:
            return query.matches(self.members(f"{query.parent}/{query.collection}"))
        found = (document for document in self.below(query.parent) if _is_in(document, query.collection))
        return query.matches(found)

    def copy(self) -> Collections:
        """Return a snapshot."""
        return Collections({path: dict(documents) for path, documents in self._collections.items()})


def _is_in(document: Document, collection_id: str) -> bool:
    return bool(document.name.split("/")[-2] == collection_id)


@dataclass(slots=True, eq=False)
class Transaction:
    """Reads from one snapshot, and what they saw, to be checked when it commits."""

    snapshot: Collections
    is_read_only: bool
    ends_at_s: float
    documents_read: set[str] = field(default_factory=set)
    queries_read: list[Query] = field(default_factory=list)

    def is_stale(self, current: Collections) -> bool:
        """Return whether anything that was read is now otherwise, new matches of its queries included."""
        return any(
            version(self.snapshot.get(name)) != version(current.get(name)) for name in self.documents_read
        ) or any(_seen(self.snapshot, query) != _seen(current, query) for query in self.queries_read)


def _seen(collections: Collections, query: Query) -> list[tuple[str, int]]:
    return [(item.name, version(item)) for item in query.page(collections.matches(query))]


@dataclass(frozen=True, slots=True)
class Written:
    """What one write did: its new update time in microseconds (0: deleted) and the transforms' results."""

    update_micros: int
    transform_results: list[Value]


class Store:
    """The database. Commit times are microsecond-aligned and strictly increasing."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._current = Collections()
        self._transactions: dict[bytes, Transaction] = {}
        self._last_micros = 0

    def begin(self, *, is_read_only: bool) -> bytes:
        """Open a transaction on a snapshot of now; returns its id."""
        now_s = time.monotonic()
        with self._lock:
            for transaction_id, open_one in list(self._transactions.items()):
                if open_one.ends_at_s < now_s:
                    del self._transactions[transaction_id]
            transaction_id = secrets.token_bytes(16)
            snapshot = self._current.copy()
            self._transactions[transaction_id] = Transaction(
                snapshot, is_read_only, now_s + _TRANSACTION_LIFE_S
            )
            return transaction_id

    def rollback(self, transaction_id: bytes) -> None:
        """Forget a transaction; nothing happens if it is already gone."""
        with self._lock:
            self._transactions.pop(transaction_id, None)

    def read(self, wanted: Sequence[str], transaction_id: bytes) -> list[Document | None]:
        """Return documents by name, `None` for the missing; remembered if read in a transaction."""
        with self._lock:
            if not transaction_id:
                return [self._current.get(name) for name in wanted]
            transaction = self._open(transaction_id)
            transaction.documents_read.update(wanted)
            return [transaction.snapshot.get(name) for name in wanted]

    def query(self, query: Query, transaction_id: bytes) -> list[Document]:
        """Return what a query matches, before offset and limit; remembered if run in a transaction."""
        with self._lock:
            if not transaction_id:
                return self._current.matches(query)
            transaction = self._open(transaction_id)
            transaction.queries_read.append(query)
            return transaction.snapshot.matches(query)

    def members(self, collection: str, *, with_missing: bool) -> list[tuple[str, Document | None]]:
        """Return the name and document of a collection's members; `None` for a mere parent of documents."""
        with self._lock:
            found: dict[str, Document | None] = {
                item.name: item for item in self._current.members(collection)
            }
            if with_missing:
                depth = collection.count("/") + 2
                for document in self._current.below(collection):
                    found.setdefault("/".join(document.name.split("/")[:depth]), None)
            return sorted(found.items())

    def commit(self, requested: Sequence[Write], transaction_id: bytes) -> tuple[int, list[Written]]:
        """Apply all writes, in order, or none; returns commit time in microseconds and a result each.

        ABORTED if something read in the transaction has changed since; it is closed in any case.
        """
        with self._lock:
            if transaction_id:
                transaction = self._open(transaction_id)
                self.rollback(transaction_id)
                self._check_commit(transaction, requested)
            now = self._next_micros()
            staged: dict[str, Document | None] = {}
            results = [self._stage(write, staged, now) for write in requested]
            for name, document in staged.items():
                self._current.put(name, document)
            return now, results

    def now_micros(self) -> int:
        """Return the read time of what is read now: not before the last commit."""
        return max(time.time_ns() // 1000, self._last_micros)

    def _check_commit(self, transaction: Transaction, requested: Sequence[Write]) -> None:
        if transaction.is_read_only:
            if requested:
                raise invalid("Cannot modify entities in a read-only transaction.")
        elif transaction.is_stale(self._current):
            text = "Aborted due to cross-transaction contention."
            raise Refused(grpc.StatusCode.ABORTED, text)

    def _stage(self, write: Write, staged: dict[str, Document | None], now: int) -> Written:
        name = writes.target(write)
        current = staged[name] if name in staged else self._current.get(name)
        if staged.get(name) is not None and writes.is_insert(write):
            raise invalid("Cannot update then insert an entity in the same request.")
        writes.check_precondition(write, current)
        document, results = writes.applied(write, current, _request_time(now))
        staged[name] = document
        if document is not None:
            _stamp(document, current, now)
        return Written(version(document), results)

    def _open(self, transaction_id: bytes) -> Transaction:
        transaction = self._transactions.get(transaction_id)
        if transaction is None or transaction.ends_at_s < time.monotonic():
            raise invalid("The referenced transaction has expired or is no longer valid.")
        return transaction

    def _next_micros(self) -> int:
        self._last_micros = max(time.time_ns() // 1000, self._last_micros + 1)
        return self._last_micros


def _request_time(now: int) -> Timestamp:
    """Return what a server-timestamp transform sets: in whole milliseconds, not after the commit time."""
    return timestamp(now // 1000 * 1000)


def _stamp(document: Document, current: Document | None, now: int) -> None:
    """Set the times of a written document. A write that changes nothing leaves the update time as it was."""
    times: dict[str, Any] = {"create_time": timestamp(now), "update_time": timestamp(now)}
    if current is not None:
        times = {"create_time": current.create_time, "update_time": current.update_time}
    for attribute, moment in times.items():
        getattr(document, attribute).CopyFrom(moment)
    if current is not None and document != current:
        document.update_time.CopyFrom(timestamp(now))
