"""`google.firestore.v1.Firestore` over gRPC, for unmodified clients with `FIRESTORE_EMULATOR_HOST`.

The calls that google-cloud-firestore 2.34 makes, except listeners. Transactions are optimistic: what they
read is checked when they commit. (Production's default holds locks, and answers ABORTED to the same losers.)
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import grpc
from google.cloud.firestore_v1 import types
from google.protobuf.empty_pb2 import Empty

from localcloud.firestore import queries, writes
from localcloud.firestore.indexes import CompositeIndex, is_served
from localcloud.firestore.messages import Document, Value, Write, timestamp
from localcloud.firestore.names import FieldPath, checked_name, field_path
from localcloud.firestore.queries import Query
from localcloud.firestore.store import Store, Written
from localcloud.firestore.usage import Counts, Usage
from localcloud.firestore.values import projected
from localcloud.gates import Gates
from localcloud.grpc_server import GrpcServer, Refused, Rpc, invalid, unimplemented

MAX_REQUEST_BYTES = 10 * 1024 * 1024
_LIST_PAGE = 300


class FirestoreEmulator(GrpcServer):
    """An empty, in-memory Firestore; a context manager.

    `composite_indexes` are those that were declared; a query that needs another one is refused.

    A gate sees the RPC name and the names of all documents that the call reads or writes, space-separated
    (of a query: its parent and collection).
    """

    def __init__(self, gates: Gates | None = None, composite_indexes: Iterable[CompositeIndex] = ()) -> None:
        self._indexes = tuple(composite_indexes)
        self._store = Store()
        self._usage = Usage()
        super().__init__({"google.firestore.v1.Firestore": self._rpcs()}, "firestore", gates)

    @property
    def counts(self) -> Counts:
        """Return what Firestore would have billed so far."""
        return self._usage.counts()

    def _rpcs(self) -> list[Rpc]:
        def unary(name: str, response: Any, answer: Callable[[Any], Any], path: Callable[[Any], str]) -> Rpc:
            return Rpc(name, getattr(types, f"{name}Request"), response, self._counted(name, answer), path)

        def stream(name: str, answer: Callable[[Any], Any], path: Callable[[Any], str]) -> Rpc:
            request, response = getattr(types, f"{name}Request"), getattr(types, f"{name}Response")
            return Rpc(name, request, response, self._counted(name, answer), path, is_stream=True)

        return [
            stream("BatchGetDocuments", self._batch_get, lambda request: " ".join(request.documents)),
            stream(
                "RunQuery", self._run_query, lambda request: _query_path(request.structured_query, request)
            ),
            stream("RunAggregationQuery", self._run_aggregation, _aggregation_path),
            unary("Commit", types.CommitResponse, self._commit, _write_paths),
            unary("BatchWrite", types.BatchWriteResponse, self._batch_write, _write_paths),
            unary("BeginTransaction", types.BeginTransactionResponse, self._begin, _database),
            unary("Rollback", Empty, self._rollback, _database),
            unary("ListDocuments", types.ListDocumentsResponse, self._list, _collection),
        ]

    def _counted(self, name: str, answer: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def counted(request: Any) -> Any:
            self._usage.called(name)
            return answer(request)

        return counted

    def _batch_get(self, request: Any) -> list[Any]:
        wanted = list(dict.fromkeys(checked_name(name) for name in request.documents))
        transaction, announced = self._transaction(request)
        documents = self._store.read(wanted, transaction)
        self._usage.read(len(wanted))
        mask = _mask(request)
        read_time = timestamp(self._store.now_micros())
        answers = [_Found(transaction=announced)] if announced else []
        for name, document in zip(wanted, documents, strict=True):
            if document is None:
                answers.append(_Found(missing=name, read_time=read_time))
            else:
                answers.append(_Found(found=_masked(document, mask), read_time=read_time))
        return answers

    def _run_query(self, request: Any) -> list[Any]:
        query, transaction, announced = self._query(request, request.structured_query)
        matches = self._store.query(query, transaction)
        page = query.page(matches)
        self._usage.read(len(page) + min(query.offset, len(matches)))
        read_time = timestamp(self._store.now_micros())
        rows = [_Row(document=query.shown(document), read_time=read_time) for document in page]
        first = [_Row(transaction=announced)] if announced else []
        return [*first, *(rows or [_Row(read_time=read_time)])]

    def _run_aggregation(self, request: Any) -> list[Any]:
        aggregation = request.structured_aggregation_query
        query, transaction, announced = self._query(request, aggregation.structured_query)
        count = len(query.page(self._store.query(query, transaction)))
        self._usage.aggregated(count)
        result = types.AggregationResult.pb()()
        for number, item in enumerate(aggregation.aggregations, start=1):
            result.aggregate_fields[item.alias or f"field_{number}"].CopyFrom(_counted_value(item, count))
        read_time = timestamp(self._store.now_micros())
        return [_Aggregate(result=result, read_time=read_time, transaction=announced)]

    def _query(self, request: Any, structured: Any) -> tuple[Query, bytes, bytes]:
        if request.HasField("explain_options"):
            raise unimplemented("query explain")
        query = queries.compiled(request.parent, structured)
        if not is_served(query.need, self._indexes):
            raise Refused(grpc.StatusCode.FAILED_PRECONDITION, _index_text(query))
        return query, *self._transaction(request)

    def _transaction(self, request: Any) -> tuple[bytes, bytes]:
        """Return the transaction to read in (empty: none), and the one to announce because it began here."""
        match request.WhichOneof("consistency_selector"):
            case "transaction":
                return request.transaction, b""
            case "new_transaction":
                begun = self._store.begin(is_read_only=request.new_transaction.HasField("read_only"))
                return begun, begun
            case "read_time":
                raise unimplemented("a read at a past time")
            case _:
                return b"", b""

    def _begin(self, request: Any) -> Any:
        if request.options.read_only.HasField("read_time"):
            raise unimplemented("a read at a past time")
        begun = self._store.begin(is_read_only=request.options.HasField("read_only"))
        return types.BeginTransactionResponse.pb()(transaction=begun)

    def _rollback(self, request: Any) -> Any:
        self._store.rollback(request.transaction)
        return Empty()

    def _commit(self, request: Any) -> Any:
        _check_size(request)
        now, results = self._store.commit(request.writes, request.transaction)
        self._bill(request.writes)
        return types.CommitResponse.pb()(
            write_results=[_write_result(result) for result in results], commit_time=timestamp(now)
        )

    def _batch_write(self, request: Any) -> Any:
        _check_size(request)
        targets = [writes.target(write) for write in request.writes]
        if len(set(targets)) < len(targets):
            raise invalid("A document may be written only once in a batch write.")
        response = types.BatchWriteResponse.pb()()
        for write in request.writes:
            try:
                _, results = self._store.commit([write], b"")
            except Refused as refused:
                code, _ = refused.code.value
                response.write_results.add()
                response.status.add(code=code, message=refused.message)
            else:
                self._bill([write])
                response.write_results.append(_write_result(results[0]))
                response.status.add()
        return response

    def _bill(self, committed: Sequence[Write]) -> None:
        deletes = sum(write.WhichOneof("operation") == "delete" for write in committed)
        self._usage.written(len(committed) - deletes, deletes)

    def _list(self, request: Any) -> Any:
        if request.order_by or request.WhichOneof("consistency_selector"):
            raise unimplemented("an order or a snapshot for ListDocuments")
        members = self._store.members(_collection(request), with_missing=request.show_missing)
        after = _page_start(request.page_token)
        left = [member for member in members if member[0] > after]
        page = left[: request.page_size or _LIST_PAGE]
        self._usage.read(len(page))
        mask = _mask(request)
        shown = [
            types.Document.pb()(name=name) if item is None else _masked(item, mask) for name, item in page
        ]
        token = base64.urlsafe_b64encode(page[-1][0].encode()).decode() if len(page) < len(left) else ""
        return types.ListDocumentsResponse.pb()(documents=shown, next_page_token=token)


_Found = types.BatchGetDocumentsResponse.pb()
_Row = types.RunQueryResponse.pb()
_Aggregate = types.RunAggregationQueryResponse.pb()


def _write_result(written: Written) -> Any:
    result = types.WriteResult.pb()(transform_results=written.transform_results)
    if written.update_micros:
        result.update_time.CopyFrom(timestamp(written.update_micros))
    return result


def _check_size(request: Any) -> None:
    if request.ByteSize() > MAX_REQUEST_BYTES:
        raise invalid(f"Request payload size exceeds the limit: {MAX_REQUEST_BYTES} bytes.")


def _counted_value(aggregation: Any, count: int) -> Value:
    if aggregation.WhichOneof("operator") != "count":
        raise unimplemented("an aggregation other than count")
    if aggregation.count.HasField("up_to"):
        count = min(count, aggregation.count.up_to.value)
    return types.Value.pb()(integer_value=count)


def _mask(request: Any) -> tuple[FieldPath, ...] | None:
    if not request.HasField("mask"):
        return None
    return tuple(field_path(text) for text in request.mask.field_paths)


def _masked(document: Document, mask: tuple[FieldPath, ...] | None) -> Document:
    return document if mask is None else projected(document, mask)


def _page_start(token: str) -> str:
    try:
        return base64.urlsafe_b64decode(token).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise invalid("The page token is not valid.") from error


def _index_text(query: Query) -> str:
    fields = [f"{'.'.join(path)} =" for path in sorted(query.need.equal)]
    fields += [
        f"{'.'.join(term.path)} {'DESC' if term.is_descending else 'ASC'}" for term in query.need.order
    ]
    scope = "COLLECTION_GROUP" if query.is_group else "COLLECTION"
    return f"The query requires an index. Scope {scope}, collection {query.collection}: {', '.join(fields)}"


def _write_paths(request: Any) -> str:
    return " ".join(writes.target(write) for write in request.writes)


def _query_path(query: Any, request: Any) -> str:
    return " ".join(f"{request.parent}/{source.collection_id}" for source in query.from_)


def _aggregation_path(request: Any) -> str:
    return _query_path(request.structured_aggregation_query.structured_query, request)


def _collection(request: Any) -> str:
    return f"{request.parent}/{request.collection_id}"


def _database(request: Any) -> str:
    return str(request.database)
