"""Counts what Firestore would bill. Rules: https://cloud.google.com/firestore/pricing"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

_ENTRIES_PER_READ = 1000


@dataclass(frozen=True, slots=True)
class Counts:
    """Billed document reads, writes and deletes, and calls by RPC name, since the start."""

    reads: int
    writes: int
    deletes: int
    rpcs: Mapping[str, int]


class Usage:
    """Running counters; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._billed: Counter[str] = Counter()
        self._rpcs: Counter[str] = Counter()

    def called(self, rpc: str) -> None:
        """Count one call of an RPC."""
        with self._lock:
            self._rpcs[rpc] += 1

    def read(self, documents: int) -> None:
        """Count documents read, missing ones included; a query that finds nothing is billed as one."""
        with self._lock:
            self._billed["reads"] += max(documents, 1)

    def aggregated(self, entries: int) -> None:
        """Count index entries that were counted: one read for each started thousand."""
        self.read(-(-entries // _ENTRIES_PER_READ))

    def written(self, writes: int, deletes: int) -> None:
        """Count writes and deletes that were committed, effective or not."""
        with self._lock:
            self._billed["writes"] += writes
            self._billed["deletes"] += deletes

    def counts(self) -> Counts:
        """Return the present figures."""
        with self._lock:
            billed = self._billed
            return Counts(billed["reads"], billed["writes"], billed["deletes"], dict(self._rpcs))
