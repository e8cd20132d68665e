"""Plans on Firestore: `plans/{plan_id}`, the record as a map, and `expires_at` for a TTL policy."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from milvus_l7.adapters.setup.documents import plain
from milvus_l7.adapters.setup.firestore import DEFAULT_DATABASE, TOTAL_S, TRY_S, translated
from milvus_l7.domain.reasons.errors import StateUnavailable
from milvus_l7.domain.setup.document_id import document_id, is_document_id
from milvus_l7.ports import PlanRecord

if TYPE_CHECKING:
    from google.cloud.firestore import Client, DocumentReference

KEPT = timedelta(days=30)


class FirestorePlans:
    """Implements `Plans` in a database of `project`. The client is made at the first call."""

    def __init__(self, project: str, database: str = DEFAULT_DATABASE) -> None:
        self._project = project
        self._database = database

    @cached_property
    def _client(self) -> Client:
        from google.cloud.firestore import Client

        return Client(project=self._project, database=self._database)

    def request(self, record: PlanRecord) -> None:
        """Keep the record unless there is one of its id. Safe to repeat. Raises `StateUnavailable`."""
        from google.api_core.exceptions import AlreadyExists

        with translated():
            try:
                self._reference(record.plan_id).create(_document(record), timeout=TOTAL_S)
            except AlreadyExists:
                return

    def load(self, plan_id: str) -> PlanRecord | None:
        """The record, or None if there is none."""
        if not is_document_id(plan_id):
            return None
        with translated():
            snapshot = self._reference(plan_id).get(timeout=TRY_S)
        if not snapshot.exists:
            return None
        try:
            return msgspec.convert(plain(snapshot.to_dict()), PlanRecord, builtin_types=(datetime,))
        except msgspec.ValidationError as error:
            raise StateUnavailable(f"plan record is not readable: {error!s:.200}") from error

    def store(self, record: PlanRecord) -> None:
        """Replace the record. Safe to repeat. Raises `StateUnavailable`."""
        with translated():
            self._reference(record.plan_id).set(_document(record), timeout=TOTAL_S)

    def _reference(self, plan_id: str) -> DocumentReference:
        return self._client.collection("plans").document(document_id(plan_id))


def _document(record: PlanRecord) -> dict[str, Any]:
    stored: dict[str, Any] = msgspec.to_builtins(record, builtin_types=(datetime,), enc_hook=str)
    return stored | {"expires_at": (record.made_at or record.requested_at) + KEPT}
