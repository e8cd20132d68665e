"""The state store port, over the fake and over Firestore (emulated, or Google's when its variable is set)."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from localcloud.firestore import FirestoreEmulator
from milvus_l7.adapters.setup import documents
from milvus_l7.adapters.setup.firestore import FirestoreSetups
from milvus_l7.adapters.setup.server_time import SERVER_TIME
from milvus_l7.domain.reasons.errors import StateConflict, StateUnavailable
from milvus_l7.domain.setup import event as events
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.desired import SetupId
from milvus_l7.domain.setup.document import SCHEMA_VERSION, Setup, StageRecord, StageState
from milvus_l7.domain.setup.event import Event
from milvus_l7.ports import Commit, HistoryEntry, Postponed, Queue, Setups
from tests.builders import TOPOLOGY, new_setup
from tests.fakes.state import START, FakeSetups

LATER = datetime(2100, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def firestore_host() -> Iterator[str]:
    if given := os.environ.get("FIRESTORE_EMULATOR_HOST"):
        yield given
        return
    with FirestoreEmulator() as emulator:
        yield emulator.address


@pytest.fixture
def firestore(firestore_host: str, monkeypatch: pytest.MonkeyPatch) -> FirestoreSetups:
    """A store of its own: emulators keep projects apart."""
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", firestore_host)
    return FirestoreSetups(f"test-{uuid4().hex[:12]}")


@pytest.fixture(params=["fake", "firestore"])
def setups(request: pytest.FixtureRequest) -> Setups:
    if request.param == "fake":
        return FakeSetups()
    return request.getfixturevalue("firestore")  # type: ignore[no-any-return]


def test_databases_of_one_project_keep_their_setups_apart(firestore: FirestoreSetups) -> None:
    named, setup = FirestoreSetups(firestore._project, "milvus-l7"), setup_due(None)
    named.commit(Commit(setup, None))
    found = named.load(setup.setup_id)
    assert found is not None
    assert found.setup == setup
    assert firestore.load(setup.setup_id) is None


def setup_due(at: datetime | None, release: str = "my-release") -> Setup:
    return replace(new_setup(release=release), poll_at=at)


def entry(entry_id: str) -> HistoryEntry:
    return HistoryEntry(entry_id, START, 1, "prepare_tls", "done")


def an_event(mark: str) -> Event:
    return events.wake_up(new_setup(), Stage.PREPARE_TLS, TOPOLOGY, mark)


def test_unknown_setup_is_none(setups: Setups) -> None:
    assert setups.load(SetupId("a.b.c.d.e")) is None


@pytest.mark.parametrize("text", ["", ".", "..", "__x__", "a/b", "a/b/c", "x" * 5000, "é/%2F"])
def test_setup_id_that_nothing_can_have_is_none(setups: Setups, text: str) -> None:
    assert setups.load(SetupId(text)) is None


def test_created_setup_is_loaded_as_it_was(setups: Setups) -> None:
    setup = setup_due(START)
    written = setups.commit(Commit(setup, None))
    found = setups.load(setup.setup_id)
    assert found is not None
    assert (found.setup, found.version) == (setup, written.version)


def test_setup_is_not_created_twice(setups: Setups) -> None:
    setups.commit(Commit(setup_due(START), None))
    with pytest.raises(StateConflict):
        setups.commit(Commit(setup_due(START), None))


def test_each_commit_gives_the_version_for_the_next(setups: Setups) -> None:
    setup = setup_due(START)
    written = setups.commit(Commit(setup, None))
    for number in (1, 2, 3):
        written = setups.commit(Commit(replace(setup, executions=number), written.version))
        assert written.setup.executions == number
    found = setups.load(setup.setup_id)
    assert found is not None
    assert found.setup.executions == 3


def test_commit_that_changes_nothing_gives_the_version_that_there_is(setups: Setups) -> None:
    first = setups.commit(Commit(new_setup(), None))
    again = setups.commit(Commit(first.setup, first.version))
    assert again.version == first.version
    changed = setups.commit(Commit(replace(first.setup, generation=7), again.version))
    assert changed.version != first.version


def test_stale_version_conflicts_and_writes_nothing(setups: Setups) -> None:
    setup = setup_due(START)
    stale = setups.commit(Commit(setup, None)).version
    setups.commit(Commit(replace(setup, executions=1), stale))
    with pytest.raises(StateConflict):
        setups.commit(Commit(replace(setup, executions=2), stale, (an_event("lost"),)))
    found = setups.load(setup.setup_id)
    assert found is not None
    assert found.setup.executions == 1
    assert setups.unpublished(LATER, 10) == []


def test_setup_that_is_gone_conflicts(setups: Setups) -> None:
    other = setups.commit(Commit(setup_due(START, "other"), None))
    with pytest.raises(StateConflict):
        setups.commit(Commit(setup_due(START, "gone"), other.version))


def test_commit_replaces_what_is_no_longer_there(setups: Setups) -> None:
    setup = setup_due(START)
    version = setups.commit(Commit(setup, None)).version
    emptied = replace(setup, stages={}, poll_at=None)
    setups.commit(Commit(emptied, version))
    found = setups.load(setup.setup_id)
    assert found is not None
    assert found.setup == emptied


def test_reads_carry_the_time_of_the_store(setups: Setups) -> None:
    setup = setup_due(START)
    written = setups.commit(Commit(setup, None))
    loaded = setups.load(setup.setup_id)
    (due,) = setups.due(Queue.POLL, LATER, 10)
    assert loaded is not None
    assert written.read_at <= loaded.read_at <= due.read_at
    assert {type(each.read_at) for each in (written, loaded, due)} == {datetime}
    assert written.read_at.tzinfo is not None


def with_server_times(setup: Setup) -> dict[str, Any]:
    """A document with the store's own time in two places, one of them nested."""
    document = documents.to_document(setup)
    begun = {str(Stage.PREPARE_TLS): documents.to_document(setup)["stages"].get(Stage.PREPARE_TLS, {})}
    stamped = {stage: record | {"started_at": SERVER_TIME} for stage, record in begun.items()}
    return document | {"stages": stamped, "wake_at": SERVER_TIME}


@pytest.fixture(params=["fake", "firestore"])
def stamping(request: pytest.FixtureRequest, firestore: FirestoreSetups) -> Setups:
    """A store that leaves two times of each document to the store."""
    if request.param == "fake":
        return FakeSetups(to_document=with_server_times)
    return FirestoreSetups(firestore._project, to_document=with_server_times)


def begun(setup: Setup) -> Setup:
    return replace(setup, stages={Stage.PREPARE_TLS: StageRecord(StageState.RUNNING)})


def test_time_that_is_left_to_the_store_is_that_of_its_commit(stamping: Setups) -> None:
    setup, times = begun(setup_due(START)), []
    version: object | None = None
    for _ in range(2):
        written = stamping.commit(Commit(setup, version))
        version, moment = written.version, written.setup.wake_at
        assert moment is not None
        assert moment <= written.read_at
        assert written.read_at - moment < timedelta(seconds=5)
        assert written.setup.record(Stage.PREPARE_TLS).started_at == moment
        times.append(moment)
    found = stamping.load(setup.setup_id)
    assert found is not None
    assert found.setup == written.setup
    assert times == sorted(times)


def test_times_of_the_store_have_whole_milliseconds(stamping: Setups) -> None:
    moment = stamping.commit(Commit(begun(setup_due(START)), None)).setup.wake_at
    assert moment is not None
    assert moment.microsecond % 1000 == 0


def test_time_of_the_store_is_not_written_over_a_stale_version(stamping: Setups) -> None:
    setup = begun(setup_due(START))
    stale = stamping.commit(Commit(setup, None)).version
    kept = stamping.commit(Commit(setup, stale))
    with pytest.raises(StateConflict):
        stamping.commit(Commit(setup, stale))
    found = stamping.load(setup.setup_id)
    assert found is not None
    assert (found.setup, found.version) == (kept.setup, kept.version)


def test_generation_is_read_alone(setups: Setups) -> None:
    setup = replace(setup_due(START), generation=7)
    assert setups.generation(setup.setup_id) is None
    setups.commit(Commit(setup, None))
    assert setups.generation(setup.setup_id) == 7


@pytest.mark.parametrize("text", ["", "..", "__x__", "x" * 5000])
def test_what_nothing_can_be_called_has_no_generation_and_no_entries(setups: Setups, text: str) -> None:
    assert setups.generation(SetupId(text)) is None
    assert not setups.has_entry(SetupId(text), "e1")
    assert not setups.has_entry(new_setup().setup_id, text)


def test_history_entry_is_found_under_its_own_setup(setups: Setups) -> None:
    setup, other = setup_due(START), setup_due(START, "other")
    setups.commit(Commit(setup, None, (), entry("a/b.1")))
    setups.commit(Commit(other, None))
    assert setups.has_entry(setup.setup_id, "a/b.1")
    assert not setups.has_entry(setup.setup_id, "a/b.2")
    assert not setups.has_entry(other.setup_id, "a/b.1")


def test_due_setups_come_longest_due_first_and_bounded(setups: Setups) -> None:
    for minutes, release in ((3, "c"), (1, "a"), (2, "b"), (60, "later")):
        setups.commit(Commit(setup_due(START + timedelta(minutes=minutes), release), None))
    setups.commit(Commit(setup_due(None, "finished"), None))
    now = START + timedelta(minutes=3)
    assert [v.setup.desired.release for v in setups.due(Queue.POLL, now, 10)] == ["a", "b", "c"]
    assert [v.setup.desired.release for v in setups.due(Queue.POLL, now, 2)] == ["a", "b"]


def test_setups_are_paged_in_the_order_of_their_ids(setups: Setups) -> None:
    for release in ("b", "d", "a", "c"):
        setups.commit(Commit(setup_due(START, release), None))
    first = setups.page(None, 3)
    assert [setup.desired.release for setup in first] == ["a", "b", "c"]
    assert [setup.desired.release for setup in setups.page(first[-1].setup_id, 3)] == ["d"]


def test_each_queue_has_times_of_its_own(setups: Setups) -> None:
    checked = replace(setup_due(None), check_at=START)
    setups.commit(Commit(checked, None))
    assert setups.due(Queue.POLL, LATER, 10) == []
    (found,) = setups.due(Queue.CHECK, START, 10)
    assert setups.postpone(Queue.CHECK, [Postponed(found, LATER)])
    assert setups.due(Queue.CHECK, START, 10) == []
    assert setups.postpone(Queue.CHECK, [Postponed(found, LATER)]) == []


def test_those_of_a_page_that_have_not_changed_are_postponed_in_its_order(setups: Setups) -> None:
    for number in range(6):
        setups.commit(Commit(setup_due(START + timedelta(minutes=number), f"r{number}"), None))
    seen = setups.due(Queue.POLL, LATER, 10)
    for found in (seen[0], seen[3]):
        setups.commit(Commit(replace(found.setup, executions=9), found.version))
    page = [Postponed(found, LATER) for found in seen]
    assert list(setups.postpone(Queue.POLL, page)) == [seen[number] for number in (1, 2, 4, 5)]
    assert setups.postpone(Queue.POLL, page) == []
    assert [found.setup.executions for found in setups.due(Queue.POLL, START + timedelta(hours=1), 10)] == [
        9,
        9,
    ]


def test_due_setup_can_be_committed(setups: Setups) -> None:
    setups.commit(Commit(setup_due(START), None))
    (found,) = setups.due(Queue.POLL, START, 10)
    setups.commit(Commit(replace(found.setup, poll_at=None), found.version))
    assert setups.due(Queue.POLL, LATER, 10) == []


def test_events_wait_in_the_outbox_until_published(setups: Setups) -> None:
    first, second = an_event("1"), an_event("2")
    setups.commit(Commit(setup_due(START), None, (first, second), entry("e1")))
    assert {e.event_id: e for e in setups.unpublished(LATER, 10)} == {
        first.event_id: first,
        second.event_id: second,
    }
    setups.mark_published(first.event_id)
    setups.mark_published(first.event_id)
    assert setups.unpublished(LATER, 10) == [second]


def test_young_outbox_entries_are_left_to_their_writer(setups: Setups) -> None:
    setups.commit(Commit(setup_due(START), None, (an_event("1"),)))
    assert setups.unpublished(datetime(2000, 1, 1, tzinfo=UTC), 10) == []
    assert len(setups.unpublished(LATER, 10)) == 1


def test_outbox_is_read_in_bounded_portions(setups: Setups) -> None:
    setups.commit(Commit(setup_due(START), None, tuple(an_event(str(n)) for n in range(5))))
    assert len(setups.unpublished(LATER, 3)) == 3


def test_event_ids_with_slashes_are_kept(setups: Setups) -> None:
    event = an_event("projects/p/x?y=%2F")
    setups.commit(Commit(setup_due(START), None, (event,)))
    assert setups.unpublished(LATER, 10) == [event]
    setups.mark_published(event.event_id)
    assert setups.unpublished(LATER, 10) == []


def raw(store: FirestoreSetups, path: str) -> dict[str, object] | None:
    """What a reader of Firestore sees."""
    found: dict[str, object] | None = store._client.document(path).get().to_dict()
    return found


def test_a_reader_of_firestore_sees_status_and_history(firestore: FirestoreSetups) -> None:
    setup = setup_due(START)
    firestore.commit(Commit(setup, None, (), entry("prepare_tls.t1")))
    seen = raw(firestore, f"setups/{setup.setup_id}")
    assert seen is not None
    assert (seen["status"], seen["stage"]) == ("running", "prepare_tls")
    kept = raw(firestore, f"setups/{setup.setup_id}/history/prepare_tls.t1")
    assert kept is not None
    assert (kept["outcome"], kept["at"]) == ("done", START)


def test_generation_that_is_no_number_is_unavailable(firestore: FirestoreSetups) -> None:
    firestore._client.document("setups/a.b.c.d.e").set({"generation": "many"})
    with pytest.raises(StateUnavailable):
        firestore.generation(SetupId("a.b.c.d.e"))


def test_document_of_a_newer_release_is_left_alone(firestore: FirestoreSetups) -> None:
    newer, ours = setup_due(START, "newer"), setup_due(START, "ours")
    document = documents.to_document(newer) | {"schema_version": SCHEMA_VERSION + 2}
    firestore._client.document(f"setups/{newer.setup_id}").set(document)
    firestore.commit(Commit(ours, None))
    with pytest.raises(StateUnavailable):
        firestore.load(newer.setup_id)
    assert [v.setup.setup_id for v in firestore.due(Queue.POLL, LATER, 10)] == [ours.setup_id]


def test_a_store_that_does_not_answer_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", f"127.0.0.1:{closed.getsockname()[1]}")
        monkeypatch.setattr("milvus_l7.adapters.setup.firestore.TRY_S", 0.2)
        monkeypatch.setattr("milvus_l7.adapters.setup.firestore.TOTAL_S", 0.4)
        with pytest.raises(StateUnavailable):
            FirestoreSetups("nowhere").load(SetupId("a.b.c.d.e"))
