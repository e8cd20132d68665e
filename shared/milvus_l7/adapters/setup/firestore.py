"""The state store on Firestore.

    setups/{setup_id}                     the setup document, see `adapters.setup.documents`
    setups/{setup_id}/history/{entry_id}  every outcome
    outbox/{event_id}                     {topic, created_at, + the fields of the event's payload}

Indexes: the queries need only the automatic single-field ones of `setups.poll_at`, `setups.check_at` and
`outbox.created_at`.
Everything else should be exempted from indexing (field `*` of `setups`, `history` and `outbox`): an indexed
timestamp caps a collection at 500 writes a second, and each index entry is written and billed
(Firestore documentation, "Best practices").

A commit that the client repeats after a lost answer may meet its own first write. It then looks like a
conflict: the caller reloads, finds that its lease is settled, and drops a result that is already stored. The
events of that first write are in the outbox, so re-poll publishes them; nothing is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from milvus_l7.adapters.setup import documents
from milvus_l7.adapters.setup.server_time import has_server_time, with_server_time
from milvus_l7.domain.reasons.errors import MalformedEvent, StateConflict, StateUnavailable
from milvus_l7.domain.setup.desired import SetupId
from milvus_l7.domain.setup.document import Setup
from milvus_l7.domain.setup.document_id import document_id, is_document_id
from milvus_l7.domain.setup.event import Event, from_payload
from milvus_l7.ports import Commit, HistoryEntry, Postponed, Queue, Versioned

if TYPE_CHECKING:
    from google.cloud.firestore import Client, DocumentReference, WriteBatch
    from google.cloud.firestore_v1.types import WriteResult

T = TypeVar("T")
ToDocument = Callable[[Setup], dict[str, Any]]  # may hold `SERVER_TIME`

# Well below the functions' time-outs (infra/topology.yaml), so that they end with an answer of their own.
TRY_S = 10.0
TOTAL_S = 30.0

# Of a project in which nobody has named one.
DEFAULT_DATABASE = "(default)"

# A query is read in pages of this many documents, and given up after so many pages.
PAGE = 500
PAGES = 40
# Commits that postpone one page at most.
ROUNDS = 3


class FirestoreSetups:
    """Implements `Setups` in a database of `project`.

    The client is made at the first call, never before a fork; `FIRESTORE_EMULATOR_HOST` is honoured then.
    """

    def __init__(
        self,
        project: str,
        database: str = DEFAULT_DATABASE,
        to_document: ToDocument = documents.to_document,
    ) -> None:
        self._project = project
        self._database = database
        self._to_document = to_document

    @cached_property
    def _client(self) -> Client:
        from google.cloud.firestore import Client

        return Client(project=self._project, database=self._database)

    @cached_property
    def _limits(self) -> dict[str, Any]:
        """Return the keyword arguments of every call: what is repeated, and for how long."""
        from google.api_core import exceptions, retry, timeout

        passing = (
            exceptions.Aborted,  # contention; the client itself never repeats it
            exceptions.DeadlineExceeded,
            exceptions.InternalServerError,
            exceptions.ResourceExhausted,
            exceptions.ServiceUnavailable,
        )
        policy = retry.Retry(retry.if_exception_type(*passing), initial=0.1, maximum=2.0, timeout=TOTAL_S)
        return {"retry": policy, "timeout": timeout.ConstantTimeout(TRY_S)}  # type: ignore[no-untyped-call]

    def load(self, setup_id: SetupId) -> Versioned | None:
        """Return the setup, or None if there is none. Raises `StateUnavailable`."""
        if not is_document_id(setup_id):
            return None
        with translated():
            snapshot = self._setup(setup_id).get(**self._limits)
        return _versioned(snapshot) if snapshot.exists else None

    def generation(self, setup_id: SetupId) -> int | None:
        """The setup's generation, read alone; None if there is no such setup. Raises `StateUnavailable`."""
        if not is_document_id(setup_id):
            return None
        with translated():
            snapshot = self._setup(setup_id).get(["generation"], **self._limits)
        found = snapshot.get("generation") if snapshot.exists else None
        if not isinstance(found, int | None):
            raise StateUnavailable(f"{setup_id} has the generation {found!r:.20}")
        return found

    def has_entry(self, setup_id: SetupId, entry_id: str) -> bool:
        """Whether the setup's history has the entry. Raises `StateUnavailable`."""
        if not (is_document_id(setup_id) and is_document_id(entry_id)):
            return False
        with translated():
            snapshot = self._entry(setup_id, entry_id).get(["generation"], **self._limits)
        return bool(snapshot.exists)

    def commit(self, commit: Commit) -> Versioned:
        """Write setup, outbox entries and history in one Firestore `Commit`; the setup as stored.

        Raises `StateConflict` if the stored version is another one, `StateUnavailable`. Not safe to repeat
        after success: the version has moved.
        """
        from google.api_core import exceptions

        batch, document = self._client.batch(), self._to_document(commit.setup)
        self._write_setup(batch, commit, document)
        if commit.history is not None:
            self._write_history(batch, commit.setup.setup_id, commit.history)
        for event in commit.events:
            self._write_event(batch, event)
        with translated():
            try:
                result = batch.commit(**self._limits)[0]
            except (exceptions.AlreadyExists, exceptions.FailedPrecondition, exceptions.NotFound) as error:
                raise StateConflict(f"{commit.setup.setup_id} is not the version that was read") from error
        stored = _stored(document, result) if has_server_time(document) else commit.setup
        return Versioned(stored, result.update_time, documents.plain(batch.commit_time))

    def page(self, after: SetupId | None, limit: int) -> Sequence[Setup]:
        """Return at most `limit` setups in the order of their ids.

        Documents that this release cannot read are left out. Raises `StateUnavailable`.
        """
        with translated():
            query = self._client.collection("setups").order_by("__name__").limit(limit)
            if after is not None:
                query = query.start_after({"__name__": self._setup(after)})
            found = list(query.stream(**self._limits))
        return [each.setup for each in _those_readable(_versioned, found)]

    def due(self, queue: Queue, now: datetime, limit: int) -> Sequence[Versioned]:
        """Return at most `limit` setups whose time in the queue has come, the longest due first.

        Reads as many documents as it returns, and those before them that this release cannot read: up to
        20,000 of these do not stop the others, and the newer release that wrote them looks after them. The
        same holds for the outbox. Raises `StateUnavailable`.
        """
        return self._readable(_versioned, self._query("setups", queue, "<=", now), limit)

    def postpone(self, queue: Queue, due: Sequence[Postponed]) -> Sequence[Versioned]:
        """Set only the queue's time, in one Firestore `Commit`; return those that were the version read.

        One that has changed makes Firestore refuse all. Then the versions are read, and those that are still
        the same are committed; after `ROUNDS` commits the rest is left to whoever asks next. Raises
        `StateUnavailable`, after which all or none may be postponed.
        """
        left = due
        for refusals in range(ROUNDS):
            if refusals:
                left = self._unchanged(queue, left)
            if not left:
                break
            if self._are_postponed(queue, left):
                return [each.found for each in left]
        return []

    def _are_postponed(self, queue: Queue, due: Sequence[Postponed]) -> bool:
        from google.api_core import exceptions

        batch = self._client.batch()
        for each in due:
            option = self._client.write_option(last_update_time=each.found.version)
            batch.update(self._setup(each.found.setup.setup_id), {str(queue): each.until}, option=option)
        with translated(), suppress(exceptions.FailedPrecondition, exceptions.NotFound):
            batch.commit(**self._limits)
            return True
        return False

    def _unchanged(self, queue: Queue, due: Sequence[Postponed]) -> Sequence[Postponed]:
        """Those that are still the version read. Of each document little more than its version is read."""
        references = {self._setup(each.found.setup.setup_id): each for each in due}
        with translated():
            snapshots = list(self._client.get_all(list(references), [str(queue)], **self._limits))
        versions = {snapshot.reference: snapshot.update_time for snapshot in snapshots if snapshot.exists}
        return [each for key, each in references.items() if versions.get(key) == each.found.version]

    def unpublished(self, before: datetime, limit: int) -> Sequence[Event]:
        """Return at most `limit` events left in the outbox since before that moment, oldest first.

        Raises `StateUnavailable`.
        """
        return self._readable(_event, self._query("outbox", "created_at", "<", before), limit)

    def mark_published(self, event_id: str) -> None:
        """Take the event out of the outbox. Safe to repeat. Raises `StateUnavailable`."""
        with translated():
            self._outbox(event_id).delete(**self._limits)

    def _setup(self, setup_id: str) -> DocumentReference:
        return self._client.collection("setups").document(document_id(setup_id))

    def _outbox(self, event_id: str) -> DocumentReference:
        return self._client.collection("outbox").document(document_id(event_id))

    def _entry(self, setup_id: str, entry_id: str) -> DocumentReference:
        history = self._setup(setup_id).collection("history")
        entry: DocumentReference = history.document(document_id(entry_id))
        return entry

    def _write_setup(self, batch: WriteBatch, commit: Commit, document: dict[str, Any]) -> None:
        from google.cloud.firestore import SERVER_TIMESTAMP

        reference, fields = self._setup(commit.setup.setup_id), with_server_time(document, SERVER_TIMESTAMP)
        if commit.version is None:
            batch.create(reference, fields)
        else:
            option = self._client.write_option(last_update_time=commit.version)
            batch.update(reference, fields, option=option)

    def _write_history(self, batch: WriteBatch, setup_id: str, entry: HistoryEntry) -> None:
        batch.set(self._entry(setup_id, entry.entry_id), documents.to_history(entry))

    def _write_event(self, batch: WriteBatch, event: Event) -> None:
        from google.cloud.firestore import SERVER_TIMESTAMP

        entry = {**event.payload(), "topic": event.topic, "created_at": SERVER_TIMESTAMP}
        batch.set(self._outbox(event.event_id), entry)

    def _query(self, collection: str, field: str, comparison: str, moment: datetime) -> Any:
        from google.cloud.firestore import FieldFilter

        matching = self._client.collection(collection).where(filter=FieldFilter(field, comparison, moment))
        return matching.order_by(field)

    def _readable(self, read: Callable[[Any], T], query: Any, limit: int) -> list[T]:
        """Return the first `limit` results that can be read, page by page with a cursor."""
        found: list[T] = []
        size = min(limit, PAGE)
        for _ in range(PAGES):
            with translated():
                page = list(query.limit(size).stream(**self._limits))
            found += _those_readable(read, page)
            if len(found) >= limit or len(page) < size:
                break
            query = query.start_after(page[-1])
        return found[:limit]


def _versioned(snapshot: Any) -> Versioned:
    setup = documents.from_document(snapshot.to_dict())
    return Versioned(setup, snapshot.update_time, documents.plain(snapshot.read_time))


def _stored(document: dict[str, Any], result: WriteResult) -> Setup:
    """The setup with the time that Firestore set; all its results are that one time."""
    moment = result.transform_results[0].timestamp_value
    return documents.from_document(with_server_time(document, moment))


def _event(snapshot: Any) -> Event:
    entry = snapshot.to_dict()
    return from_payload(entry["topic"], entry)


def _those_readable(read: Callable[[Any], T], snapshots: Iterable[Any]) -> list[T]:
    found = []
    for snapshot in snapshots:
        with suppress(StateUnavailable, MalformedEvent):
            found.append(read(snapshot))
    return found


@contextmanager
def translated() -> Iterator[None]:
    """Turn what the client raises into the errors of the `Setups` port."""
    from google.api_core import exceptions
    from google.auth.exceptions import GoogleAuthError

    try:
        yield
    except (exceptions.GoogleAPIError, GoogleAuthError) as error:
        raise StateUnavailable(f"Firestore: {type(error).__name__}: {error!s:.200}") from error
