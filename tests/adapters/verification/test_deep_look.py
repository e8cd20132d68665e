"""The throw-away collection of a deep look: gone afterwards, or said to be left."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import pytest

from milvus_l7.adapters.verification.probe import EdgeProbe
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Transient, Unanswered
from milvus_l7.ports import Endpoint

ENDPOINT = Endpoint("192.0.2.1", "a.io")


@dataclass
class FakeMilvus:
    """Answers but for the call that fails, and the one that it fails with."""

    failing: tuple[str, ...] = ()
    left: list[str] = field(default_factory=list)

    def _answer(self, call: str) -> None:
        if call in self.failing:
            raise TimeoutError(f"{call} timed out")

    def get_server_version(self, timeout: float) -> str:
        return "v2.6.15"

    def create_collection(self, name: str, **options: Any) -> None:
        self.left.append(name)
        self._answer("create")

    def insert(self, name: str, rows: Any, timeout: float) -> None:
        self._answer("insert")

    def search(self, name: str, vectors: Any, limit: int, timeout: float) -> list[list[dict[str, int]]]:
        self._answer("search")
        return [[{"id": 1}]]

    def drop_collection(self, name: str, timeout: float) -> None:
        self._answer("drop")
        self.left.remove(name)


class Probe(EdgeProbe):
    def __init__(self, client: FakeMilvus) -> None:
        super().__init__()
        self._fake = client

    def _client(self, *arguments: Any) -> Any:
        return nullcontext(self._fake)


def test_round_trip_leaves_nothing() -> None:
    milvus = FakeMilvus()
    assert Probe(milvus).milvus_version(ENDPOINT, deep=True) == "v2.6.15"
    assert milvus.left == []


@pytest.mark.parametrize("call", ["create", "insert", "search"])
def test_collection_is_dropped_when_something_fails(call: str) -> None:
    milvus = FakeMilvus((call,))
    with pytest.raises(Transient, match=f"{call} timed out") as caught:
        Probe(milvus).milvus_version(ENDPOINT, deep=True)
    assert not isinstance(caught.value, Unanswered)
    assert milvus.left == []


@pytest.mark.parametrize("calls", [("drop",), ("create", "drop")])
def test_collection_that_may_be_left_is_named(calls: tuple[str, ...]) -> None:
    milvus = FakeMilvus(calls)
    with pytest.raises(Unanswered, match=f"{calls[0]} timed out") as caught:
        Probe(milvus).milvus_version(ENDPOINT, deep=True)
    assert caught.value.reason is Reason.MILVUS_UNREACHABLE
    assert milvus.left[0] in caught.value.message
