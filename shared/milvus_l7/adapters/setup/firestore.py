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
from milvus_l7.domain.reasons.errors import MalformedEvent, StateConflict, StateUnavailable
from milvus_l7.domain.setup.desired import SetupId
from milvus_l7.domain.setup.document import Setup
from milvus_l7.domain.setup.document_id import document_id, is_document_id
from milvus_l7.domain.setup.event import Event, from_payload
from milvus_l7.ports import Commit, HistoryEntry, Postponed, Queue, Versioned

if TYPE_CHECKING:
    from google.cloud.firestore import Client, DocumentReference, WriteBatch

T = TypeVar("T")

# Well below the functions' time-outs (infra/topology.yaml), so that they end with an answer of their own.
TRY_S = 10.0
TOTAL_S = 30.0

# A query is read in pages of this many documents, and given up after so many pages.
PAGE = 500
PAGES = 40


class FirestoreSetups:
    """Implements `Setups` in the `(default)` database of `project`.

    The client is made at the first call, never before a fork; `FIRESTORE_EMULATOR_HOST` is honoured then.
    """

    def __init__(self, project: str) -> None:
        self._project = project

    @cached_property
    def _client(self) -> Client:
        from google.cloud.firestore import Client

        return Client(project=self._project)

    @cached_property
    def _limits(self) -> dict[str, Any]:
        """Keyword arguments of every call: what is repeated, and for how long."""
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
        """The setup, or None if there is none. Raises `StateUnavailable`."""
        if not is_document_id(setup_id):
            return None
        with translated():
            snapshot = self._setup(setup_id).get(**self._limits)
        return _versioned(snapshot) if snapshot.exists else None

    def commit(self, commit: Commit) -> object:
        """Write setup, outbox entries and history in one Firestore `Commit`; the new version.

        Raises `StateConflict` if the stored version is another one, `StateUnavailable`. Not safe to repeat
        after success: the version has moved.
        """
        from google.api_core import exceptions

        batch = self._client.batch()
        self._write_setup(batch, commit)
        if commit.history is not None:
            self._write_history(batch, commit.setup.setup_id, commit.history)
        for event in commit.events:
            self._write_event(batch, event)
        with translated():
            try:
                return batch.commit(**self._limits)[0].update_time
            except (exceptions.AlreadyExists, exceptions.FailedPrecondition, exceptions.NotFound) as error:
                raise StateConflict(f"{commit.setup.setup_id} is not the version that was read") from error

    def page(self, after: SetupId | None, limit: int) -> Sequence[Setup]:
        """At most `limit` setups in the order of their ids. Raises `StateUnavailable`."""
        with translated():
            query = self._client.collection("setups").order_by("__name__").limit(limit)
            if after is not None:
                query = query.start_after({"__name__": self._setup(after)})
            found = list(query.stream(**self._limits))
        return [each.setup for each in _those_readable(_versioned, found)]

    def due(self, queue: Queue, now: datetime, limit: int) -> Sequence[Versioned]:
        """At most `limit` setups whose time in the queue has come, the longest due first.

        Reads as many documents as it returns, and those before them that this release cannot read: up to
        20,000 of these do not stop the others, and the newer release that wrote them looks after them. The
        same holds for the outbox. Raises `StateUnavailable`.
        """
        return self._readable(_versioned, self._query("setups", queue, "<=", now), limit)

    def postpone(self, queue: Queue, due: Sequence[Postponed]) -> Sequence[Versioned]:
        """Set only the queue's time, in one Firestore `Commit`; those that were still the version read.

        One that has changed makes Firestore refuse all, so the others are then found by halving. Raises
        `StateUnavailable`, after which some may be postponed.
        """
        from google.api_core import exceptions

        if not due:
            return []
        batch = self._client.batch()
        for each in due:
            option = self._client.write_option(last_update_time=each.found.version)
            batch.update(self._setup(each.found.setup.setup_id), {str(queue): each.until}, option=option)
        with translated():
            try:
                batch.commit(**self._limits)
            except (exceptions.FailedPrecondition, exceptions.NotFound):
                half = len(due) // 2
                halves = (due[:half], due[half:]) if half else ()
                return [found for part in halves for found in self.postpone(queue, part)]
        return [each.found for each in due]

    def unpublished(self, before: datetime, limit: int) -> Sequence[Event]:
        """At most `limit` events left in the outbox since before that moment, oldest first."""
        return self._readable(_event, self._query("outbox", "created_at", "<", before), limit)

    def mark_published(self, event_id: str) -> None:
        """Take the event out of the outbox. Safe to repeat. Raises `StateUnavailable`."""
        with translated():
            self._outbox(event_id).delete(**self._limits)

    def _setup(self, setup_id: str) -> DocumentReference:
        return self._client.collection("setups").document(document_id(setup_id))

    def _outbox(self, event_id: str) -> DocumentReference:
        return self._client.collection("outbox").document(document_id(event_id))

    def _write_setup(self, batch: WriteBatch, commit: Commit) -> None:
        reference = self._setup(commit.setup.setup_id)
        document = documents.to_document(commit.setup)
        if commit.version is None:
            batch.create(reference, document)
        else:
            option = self._client.write_option(last_update_time=commit.version)
            batch.update(reference, document, option=option)

    def _write_history(self, batch: WriteBatch, setup_id: str, entry: HistoryEntry) -> None:
        reference = self._setup(setup_id).collection("history").document(document_id(entry.entry_id))
        batch.set(reference, documents.to_history(entry))

    def _write_event(self, batch: WriteBatch, event: Event) -> None:
        from google.cloud.firestore import SERVER_TIMESTAMP

        entry = {**event.payload(), "topic": event.topic, "created_at": SERVER_TIMESTAMP}
        batch.set(self._outbox(event.event_id), entry)

    def _query(self, collection: str, field: str, comparison: str, moment: datetime) -> Any:
        from google.cloud.firestore import FieldFilter

        matching = self._client.collection(collection).where(filter=FieldFilter(field, comparison, moment))
        return matching.order_by(field)

    def _readable(self, read: Callable[[Any], T], query: Any, limit: int) -> list[T]:
        """The first `limit` results that can be read, page by page with a cursor."""
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
    return Versioned(documents.from_document(snapshot.to_dict()), snapshot.update_time)


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
