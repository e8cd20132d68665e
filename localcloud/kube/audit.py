"""The audit log: one record for every request, for tests to read."""

from __future__ import annotations

import threading
from dataclasses import dataclass

_READS = frozenset({"get", "list", "watch"})


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One request and how it was answered."""

    at: float  # seconds since the epoch
    user: str  # "system:anonymous" without a token
    user_agent: str
    verb: str  # get | list | watch | create | update | patch | delete | deletecollection
    group: str
    version: str
    resource: str  # plural; "" for paths that are no resource, for example /version
    subresource: str
    namespace: str
    name: str
    dry_run: bool
    status_code: int

    @property
    def is_write(self) -> bool:
        """Return True if the request was meant to change something."""
        return bool(self.resource) and self.verb not in _READS and not self.dry_run


class AuditLog:
    """A thread-safe, growing list of records."""

    def __init__(self) -> None:
        self._records: list[AuditRecord] = []
        self._lock = threading.Lock()

    def append(self, record: AuditRecord) -> None:
        """Add one record."""
        with self._lock:
            self._records.append(record)

    def records(self) -> list[AuditRecord]:
        """Return a copy of everything so far, oldest first."""
        with self._lock:
            return list(self._records)

    def writes(self, user_prefix: str = "") -> list[AuditRecord]:
        """Return the writes, dry runs left out, by users whose name starts with `user_prefix`."""
        return [row for row in self.records() if row.is_write and row.user.startswith(user_prefix)]

    def __len__(self) -> int:
        return len(self.records())
