"""Re-poll over the real adapter and the Firestore emulator: what a tick reads and writes.

Runs against Google's emulator if FIRESTORE_EMULATOR_HOST is set.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from localcloud.firestore import FirestoreEmulator
from localcloud.gates import Call, Gates
from milvus_l7.adapters.setup import documents
from milvus_l7.adapters.setup.firestore import PAGE, ROUNDS, FirestoreSetups
from milvus_l7.application.engine.outbox import Outbox
from milvus_l7.application.engine.repoll import Repoll
from milvus_l7.domain.setup.document import Setup
from milvus_l7.ports import Commit, Postponed, Queue, Versioned
from tests.builders import TOPOLOGY, new_setup
from tests.fakes.state import START, FakeClock, FakeEvents

embedded_only = pytest.mark.skipif(
    "FIRESTORE_EMULATOR_HOST" in os.environ,
    reason="FIRESTORE_EMULATOR_HOST is set: Google's emulator has no counters and no gates",
)


@dataclass
class Store:
    """A store with an emulator that counts, and can hold calls."""

    emulator: FirestoreEmulator  # not the one that is used, if FIRESTORE_EMULATOR_HOST names another
    setups: FirestoreSetups
    gates: Gates

    def fill(self, setups: list[Setup], **changes: object) -> None:
        """Write the documents in large batches, changed as told."""
        client = self.setups._client
        for start in range(0, len(setups), 500):
            batch = client.batch()
            for setup in setups[start : start + 500]:
                reference = client.document(f"setups/{setup.setup_id}")
                batch.set(reference, documents.to_document(setup) | changes)
            batch.commit()

    def spent(self) -> tuple[int, int]:
        """Billed reads and writes so far."""
        counts = self.emulator.counts
        return counts.reads, counts.writes

    def calls(self) -> Counter[str]:
        """Calls by the name of the RPC so far."""
        return Counter(self.emulator.counts.rpcs)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    gates = Gates()
    with FirestoreEmulator(gates) as emulator:
        if "FIRESTORE_EMULATOR_HOST" not in os.environ:
            monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", emulator.address)
        yield Store(emulator, FirestoreSetups(f"test-{uuid4().hex[:12]}"), gates)


@pytest.fixture
def events() -> FakeEvents:
    return FakeEvents()


@pytest.fixture
def repoll(store: Store, events: FakeEvents) -> Repoll:
    return Repoll(Outbox(store.setups, events), FakeClock(START), TOPOLOGY)


def waiting(count: int, minutes: float, mark: str = "r") -> list[Setup]:
    """Setups whose `poll_at` is so many minutes away."""
    at = START + timedelta(minutes=minutes)
    return [replace(new_setup(release=f"{mark}{number}"), poll_at=at) for number in range(count)]


@embedded_only
def test_tick_reads_and_writes_only_what_is_due(store: Store, repoll: Repoll) -> None:
    store.fill(waiting(1000, 5, "later"))
    store.fill(waiting(10, -1, "due"))
    reads, writes = store.spent()
    assert repoll.handle().woken == 10
    # The second query, for the outbox, finds nothing, which is billed as one read.
    assert store.spent() == (reads + 10 + 1, writes + 10)


@embedded_only
def test_tick_without_anything_due_costs_two_reads_and_no_write(store: Store, repoll: Repoll) -> None:
    store.fill(waiting(100, 5))
    reads, writes = store.spent()
    assert repoll.handle().woken == 0
    assert store.spent() == (reads + 2, writes)


def postponed(store: Store, seen: Sequence[Versioned], until: datetime) -> Sequence[Versioned]:
    return store.setups.postpone(Queue.POLL, [Postponed(each, until) for each in seen])


def test_unreadable_documents_at_the_head_do_not_starve_the_others(store: Store, repoll: Repoll) -> None:
    store.fill(waiting(PAGE + 20, -9, "newer"), schema_version=99)
    store.fill(waiting(5, -1, "ours"))
    assert repoll.handle().woken == 5


def test_due_time_is_announced_once_by_ticks_with_the_same_view(
    store: Store, repoll: Repoll, events: FakeEvents
) -> None:
    store.fill(waiting(7, -1))
    seen = store.setups.due(Queue.POLL, START, 100)
    until = START + timedelta(minutes=2)
    first, second = postponed(store, seen, until), postponed(store, seen, until)
    assert (len(first), len(second)) == (7, 0)
    assert repoll.handle().woken == 0


def test_ticks_at_the_same_time_wake_every_setup_once(store: Store, events: FakeEvents) -> None:
    store.fill(waiting(250, -1))
    ticks = [Repoll(Outbox(store.setups, events), FakeClock(START), TOPOLOGY) for _ in range(4)]
    with ThreadPoolExecutor(len(ticks)) as pool:
        woken = sum(done.woken for done in pool.map(lambda tick: tick.handle(), ticks))
    assert woken == len(events.published) == len({event.event_id for event in events.published}) == 250


def changed(store: Store, found: Versioned) -> None:
    store.setups.commit(Commit(replace(found.setup, executions=9), found.version))


def test_setups_that_changed_meanwhile_do_not_stop_their_page(store: Store) -> None:
    store.fill(waiting(9, -1))
    seen = store.setups.due(Queue.POLL, START, 100)
    for index in (0, 4, 8):
        changed(store, seen[index])
    moved = postponed(store, seen, START + timedelta(minutes=2))
    assert list(moved) == [seen[index] for index in (1, 2, 3, 5, 6, 7)]
    assert [found.setup.executions for found in store.setups.due(Queue.POLL, START, 100)] == [9, 9, 9]


def test_setup_that_is_gone_does_not_stop_its_page(store: Store) -> None:
    store.fill(waiting(3, -1))
    seen = store.setups.due(Queue.POLL, START, 100)
    store.setups._client.document(f"setups/{seen[1].setup.setup_id}").delete()
    assert list(postponed(store, seen, START + timedelta(minutes=2))) == [seen[0], seen[2]]


@embedded_only
def test_page_of_which_half_has_changed_costs_three_calls(store: Store) -> None:
    store.fill(waiting(100, -1))
    seen = store.setups.due(Queue.POLL, START, 100)
    for each in seen[::2]:
        changed(store, each)
    reads, writes = store.spent()
    before = store.calls()
    assert list(postponed(store, seen, START + timedelta(minutes=2))) == list(seen[1::2])
    assert store.calls() - before == {"Commit": 2, "BatchGetDocuments": 1}
    assert store.spent() == (reads + 100, writes + 50)


@embedded_only
def test_page_that_another_tick_has_served_costs_two_calls(store: Store) -> None:
    store.fill(waiting(100, -1))
    seen = store.setups.due(Queue.POLL, START, 100)
    postponed(store, seen, START + timedelta(minutes=2))
    before = store.calls()
    assert list(postponed(store, seen, START + timedelta(minutes=2))) == []
    assert store.calls() - before == {"Commit": 1, "BatchGetDocuments": 1}


@embedded_only
def test_ticks_at_the_same_time_make_a_bounded_number_of_commits(store: Store, events: FakeEvents) -> None:
    store.fill(waiting(100, -1))
    ticks = [Repoll(Outbox(store.setups, events), FakeClock(START), TOPOLOGY) for _ in range(2)]
    before = store.calls()
    with ThreadPoolExecutor(len(ticks)) as pool:
        woken = sum(done.woken for done in pool.map(lambda tick: tick.handle(), ticks))
    assert woken == len(events.published) == 100
    assert (store.calls() - before)["Commit"] <= 2 * ROUNDS


def postponed_while_changing(store: Store, seen: Sequence[Versioned], times: int) -> Sequence[Versioned]:
    """What is postponed if so often a setup changes just before the page's commit takes effect."""
    first = str(seen[0].setup.setup_id)

    def is_of_the_page(call: Call) -> bool:
        return call.method == "Commit" and first in call.path

    with ThreadPoolExecutor(1) as pool, ExitStack() as gates:
        gate = gates.enter_context(store.gates.hold(is_of_the_page))
        moved = pool.submit(postponed, store, seen, START + timedelta(minutes=2))
        for each in seen[1 : 1 + times]:
            gate.wait_reached(10)
            changed(store, each)
            following = gates.enter_context(store.gates.hold(is_of_the_page))
            gate.open()
            gate = following
        gate.open()
        return moved.result(10)


@embedded_only
@pytest.mark.parametrize("times", range(ROUNDS))
def test_setups_that_change_while_they_are_postponed_do_not_stop_their_page(store: Store, times: int) -> None:
    store.fill(waiting(9, -1))
    seen = store.setups.due(Queue.POLL, START, 100)
    assert list(postponed_while_changing(store, seen, times)) == [seen[0], *seen[1 + times :]]


@embedded_only
def test_page_that_never_stops_changing_is_left_to_the_next_tick(store: Store, repoll: Repoll) -> None:
    store.fill(waiting(9, -1))
    seen = store.setups.due(Queue.POLL, START, 100)
    before = store.calls()
    assert postponed_while_changing(store, seen, ROUNDS) == []
    others = {"Commit": ROUNDS}
    assert store.calls() - before - Counter(others) == {"Commit": ROUNDS, "BatchGetDocuments": ROUNDS - 1}
    assert repoll.handle().woken == 9


def test_postponing_changes_nothing_but_the_time(store: Store) -> None:
    (setup,) = waiting(1, -1)
    store.fill([setup], extra="of a newer release")
    reference, until = store.setups._client.document(f"setups/{setup.setup_id}"), START + timedelta(minutes=2)
    before = reference.get().to_dict()
    postponed(store, store.setups.due(Queue.POLL, START, 1), until)
    assert before is not None
    assert reference.get().to_dict() == before | {"poll_at": until}
