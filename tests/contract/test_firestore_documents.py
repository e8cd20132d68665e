"""Documents: reads, writes, preconditions, batches.

Runs against Google's emulator if FIRESTORE_EMULATOR_HOST is set.
"""

import os
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from google.api_core import exceptions
from google.cloud import firestore
from google.cloud.firestore_v1 import types

from localcloud.firestore import FirestoreEmulator
from localcloud.gates import Gates

embedded_only = pytest.mark.skipif(
    "FIRESTORE_EMULATOR_HOST" in os.environ,
    reason="FIRESTORE_EMULATOR_HOST is set: Google's emulator has no counters, no gates, and other words",
)


@pytest.fixture(scope="module")
def gates():
    return Gates()


@pytest.fixture(scope="module")
def emulator(gates):
    with pytest.MonkeyPatch.context() as patch, FirestoreEmulator(gates=gates) as emulator:
        if "FIRESTORE_EMULATOR_HOST" not in os.environ:
            patch.setenv("FIRESTORE_EMULATOR_HOST", emulator.address)
        yield emulator


@pytest.fixture
def db(emulator):
    client = firestore.Client(project=f"contract-{uuid.uuid4().hex[:12]}")
    yield client
    client.close()


@pytest.fixture
def doc(db):
    return db.collection("setups").document("a")


def test_created_document_is_read_back_with_every_type(db, doc):
    fields = {
        "null": None,
        "flag": True,
        "number": 7,
        "float": 0.5,
        "text": "grüße",
        "raw": b"\x00\xff",
        "moment": datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC),
        "place": firestore.GeoPoint(1.5, -2.5),
        "other": db.collection("setups").document("b"),
        "list": [1, "two", {"three": 3}],
        "map": {"empty": {}, "none": []},
    }
    doc.create(fields)
    assert doc.get().to_dict() == fields


def test_write_result_and_snapshot_agree_on_the_update_time(doc):
    result = doc.create({"state": "new"})
    snapshot = doc.get()
    assert snapshot.update_time == snapshot.create_time == result.update_time


def test_update_times_are_microsecond_aligned_and_increase(doc):
    times = [doc.set({"n": n}).update_time for n in range(20)]
    assert [time.nanosecond % 1000 for time in times] == [0] * 20
    assert sorted(set(times)) == times


def test_missing_document_is_reported_as_missing(doc):
    snapshot = doc.get()
    assert not snapshot.exists
    assert snapshot.read_time is not None


def test_get_all_returns_found_and_missing_documents(db, doc):
    doc.create({"n": 1})
    other = db.collection("setups").document("b")
    found = db.get_all([doc, other, doc])
    assert sorted((snapshot.id, snapshot.exists) for snapshot in found) == [("a", True), ("b", False)]


def test_field_mask_limits_what_is_read(doc):
    doc.create({"a": 1, "b": {"c": 2, "d": 3}})
    assert doc.get(["b.c"]).to_dict() == {"b": {"c": 2}}


def test_creating_what_exists_is_already_exists(doc):
    doc.create({"n": 1})
    with pytest.raises(exceptions.AlreadyExists):
        doc.create({"n": 2})
    assert doc.get().to_dict() == {"n": 1}


def test_updating_what_is_missing_is_not_found(doc):
    with pytest.raises(exceptions.NotFound):
        doc.update({"n": 1})
    assert not doc.get().exists


def test_only_one_of_many_concurrent_creators_wins(doc):
    start = threading.Barrier(6)

    def is_created(owner):
        start.wait(5)
        try:
            doc.create({"owner": owner})
        except exceptions.AlreadyExists:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(is_created, range(6))) == 1


def test_update_with_the_current_update_time_succeeds(db, doc):
    written = doc.create({"n": 1})
    doc.update({"n": 2}, option=db.write_option(last_update_time=written.update_time))
    assert doc.get().get("n") == 2


def test_update_with_a_stale_update_time_is_failed_precondition(db, doc):
    stale = doc.create({"n": 1}).update_time
    doc.update({"n": 2})
    with pytest.raises(exceptions.FailedPrecondition):
        doc.update({"n": 3}, option=db.write_option(last_update_time=stale))
    assert doc.get().get("n") == 2


def test_delete_with_a_stale_update_time_is_failed_precondition(db, doc):
    stale = doc.create({"n": 1}).update_time
    doc.update({"n": 2})
    with pytest.raises(exceptions.FailedPrecondition):
        doc.delete(option=db.write_option(last_update_time=stale))
    assert doc.get().exists


def test_deleting_what_is_missing_succeeds(doc):
    doc.delete()
    assert not doc.get().exists


def test_write_that_changes_nothing_keeps_the_update_time(doc):
    first = doc.create({"n": 1}).update_time
    assert doc.set({"n": 1}).update_time == first
    assert doc.set({"n": 2}).update_time > first


def test_set_replaces_the_document_and_keeps_its_create_time(doc):
    created = doc.create({"a": 1, "b": 2}).update_time
    doc.set({"c": 3})
    snapshot = doc.get()
    assert snapshot.to_dict() == {"c": 3}
    assert snapshot.create_time == created


def test_set_with_merge_creates_and_keeps_other_fields(doc):
    doc.set({"a": {"b": 1}}, merge=True)
    doc.set({"a": {"c": 2}}, merge=True)
    assert doc.get().to_dict() == {"a": {"b": 1, "c": 2}}


def test_update_of_a_nested_field_keeps_its_siblings(doc):
    doc.create({"stages": {"one": {"state": "new", "tries": 1}, "two": 2}})
    doc.update({"stages.one.state": "done"})
    assert doc.get().to_dict() == {"stages": {"one": {"state": "done", "tries": 1}, "two": 2}}


def test_quoted_field_path_reaches_a_name_with_dots_and_backticks(doc):
    doc.create({"notes": {"a.b": 1, "c`d": 2}})
    doc.update({"notes.`a.b`": 3})
    doc.update({firestore.Client.field_path("notes", "c`d"): 4})
    assert doc.get().to_dict() == {"notes": {"a.b": 3, "c`d": 4}}


def test_delete_field_removes_only_that_field(doc):
    doc.create({"a": {"b": 1, "c": 2}})
    doc.update({"a.b": firestore.DELETE_FIELD})
    assert doc.get().to_dict() == {"a": {"c": 2}}


def test_nested_update_replaces_a_value_that_is_no_map(doc):
    doc.create({"a": 1})
    doc.update({"a.b": 2})
    assert doc.get().to_dict() == {"a": {"b": 2}}


def test_server_timestamp_is_the_time_of_the_request_in_milliseconds(doc):
    written = doc.create({"at": firestore.SERVER_TIMESTAMP})
    at = doc.get().get("at")
    assert 0 <= (written.update_time - at).total_seconds() < 5
    assert at.nanosecond % 1_000_000 == 0


def test_server_timestamps_of_one_commit_are_equal_however_deep(db, doc):
    other = db.collection("setups").document("b")
    batch = db.batch()
    batch.create(doc, {"at": firestore.SERVER_TIMESTAMP, "lease": {"n": 1, "at": firestore.SERVER_TIMESTAMP}})
    batch.create(other, {"only": {"deep": {"at": firestore.SERVER_TIMESTAMP}}})
    results = batch.commit()
    at = doc.get().get("at")
    assert doc.get().to_dict() == {"at": at, "lease": {"n": 1, "at": at}}
    assert other.get().to_dict() == {"only": {"deep": {"at": at}}}
    assert [value.timestamp_value for result in results for value in result.transform_results] == [at] * 3


def test_nested_server_timestamp_replaces_its_map_if_the_version_is_the_one_read(db, doc):
    read = doc.create({"lease": {"n": 1, "old": True}, "kept": 1}).update_time
    option = db.write_option(last_update_time=read)
    result = doc.update({"lease": {"n": 2, "at": firestore.SERVER_TIMESTAMP}}, option=option)
    snapshot = doc.get()
    at = result.transform_results[0].timestamp_value
    assert snapshot.to_dict() == {"lease": {"n": 2, "at": at}, "kept": 1}
    with pytest.raises(exceptions.FailedPrecondition):
        doc.update({"lease": {"at": firestore.SERVER_TIMESTAMP}}, option=option)
    assert doc.get().update_time == snapshot.update_time == result.update_time


def test_map_of_nothing_but_a_server_timestamp_loses_what_it_held(doc):
    doc.create({"lease": {"n": 1}})
    doc.update({"lease": {"at": firestore.SERVER_TIMESTAMP}})
    assert list(doc.get().get("lease")) == ["at"]


def test_reads_carry_a_time_that_is_not_before_the_commit(db, doc):
    batch = db.batch()
    batch.create(doc, {"n": 1})
    (result,) = batch.commit()
    (found,) = db.get_all([doc], ["n"])
    (row,) = db.collection("setups").stream()
    times = [batch.commit_time, found.read_time, row.read_time]
    assert batch.commit_time == result.update_time == found.update_time
    assert times == sorted(times)


def test_mask_of_a_field_that_is_not_there_still_tells_the_version(db, doc):
    written = doc.create({"n": 1})
    (found,) = db.get_all([doc], ["nothing"])
    assert (found.exists, found.to_dict(), found.update_time) == (True, {}, written.update_time)


def test_increment_adds_to_numbers_and_replaces_anything_else(doc):
    doc.create({"n": 1, "f": 1, "text": "x"})
    doc.update(
        {
            "n": firestore.Increment(2),
            "f": firestore.Increment(0.5),
            "text": firestore.Increment(7),
            "new": firestore.Increment(1),
        }
    )
    assert doc.get().to_dict() == {"n": 3, "f": 1.5, "text": 7, "new": 1}


def test_array_transforms_add_once_and_remove_all(doc):
    doc.create({"a": [1, 2], "b": [1, 2, 1]})
    doc.update({"a": firestore.ArrayUnion([2, 3, 3]), "b": firestore.ArrayRemove([1])})
    assert doc.get().to_dict() == {"a": [1, 2, 3], "b": [2]}


def test_batch_with_one_failing_write_writes_nothing(db, doc):
    other = db.collection("outbox").document("e")
    other.create({"n": 1})
    batch = db.batch()
    batch.set(doc, {"n": 1})
    batch.create(other, {"n": 2})
    with pytest.raises(exceptions.AlreadyExists):
        batch.commit()
    assert not doc.get().exists


def test_writes_of_a_batch_apply_in_order_at_one_time(db, doc):
    other = db.collection("outbox").document("e")
    batch = db.batch()
    batch.create(doc, {"n": 1})
    batch.update(doc, {"m": 2})
    batch.create(other, {})
    results = batch.commit()
    assert doc.get().to_dict() == {"n": 1, "m": 2}
    assert results[1].update_time == results[2].update_time == other.get().create_time


def test_batch_checks_the_update_time_of_each_write(db, doc):
    stale = doc.create({"n": 1}).update_time
    doc.update({"n": 2})
    batch = db.batch()
    batch.create(db.collection("outbox").document("e"), {})
    batch.update(doc, {"n": 3}, option=db.write_option(last_update_time=stale))
    with pytest.raises(exceptions.FailedPrecondition):
        batch.commit()
    assert not db.collection("outbox").document("e").get().exists


def test_batch_write_fails_write_by_write(db, doc):
    doc.create({"n": 1})
    other = db.collection("setups").document("b")
    writes = [
        {"update": {"name": name}, "current_document": {"exists": False}}
        for name in (doc._document_path, other._document_path)
    ]
    request = {"database": db._database_string, "writes": writes}
    response = db._firestore_api.batch_write(request=request, metadata=db._rpc_metadata)
    assert [status.code for status in response.status] == [6, 0]
    assert other.get().exists


def test_listing_pages_through_all_documents_by_name(db):
    for name in "cabed":
        db.collection("setups").document(name).create({})
    assert [doc.id for doc in db.collection("setups").list_documents(page_size=2)] == list("abcde")


def test_listing_shows_the_missing_parents_of_documents(db):
    db.document("setups/ghost/history/1").create({})
    assert [doc.id for doc in db.collection("setups").list_documents()] == ["ghost"]


@embedded_only
def test_document_above_one_mebibyte_is_refused(doc):
    # Name 16 + "setups" 7 + "a" 2, two fields of 2 and a text of n + 1, and 32.
    half = "x" * 500_000
    fits = 1_048_576 - 16 - 7 - 2 - 2 * (2 + 1) - len(half) - 32
    doc.set({"t": half, "u": "x" * fits})
    with pytest.raises(exceptions.InvalidArgument, match="exceeds the maximum allowed size"):
        doc.set({"t": half, "u": "x" * (fits + 1)})


@embedded_only
def test_request_above_ten_mebibytes_is_refused(db):
    batch = db.batch()
    for number in range(11):
        batch.set(db.collection("setups").document(str(number)), {"t": "x" * 1_000_000})
    with pytest.raises(exceptions.InvalidArgument, match="payload size"):
        batch.commit()
    assert not db.document("setups/0").get().exists


def test_array_in_an_array_is_refused(doc):
    with pytest.raises(exceptions.InvalidArgument):
        doc.set({"a": [[1]]})


@embedded_only
def test_counts_are_what_would_be_billed(db, doc, emulator):
    before = emulator.counts
    doc.set({"n": 1})
    doc.get()
    list(db.get_all([doc, db.document("setups/missing")]))
    list(db.collection("nothing").stream())
    doc.delete()
    after = emulator.counts
    assert (after.reads - before.reads, after.writes - before.writes) == (4, 1)
    assert after.deletes - before.deletes == 1
    assert after.rpcs["Commit"] - before.rpcs.get("Commit", 0) == 2


@embedded_only
def test_gated_commit_has_no_effect_until_it_is_let_go(db, doc, gates):
    def is_ours(call):
        return (call.service, call.method) == ("firestore", "Commit") and doc._document_path in call.path

    with ThreadPoolExecutor(1) as pool:
        with gates.hold(is_ours) as gate:
            commit = pool.submit(doc.create, {"n": 1})
            gate.wait_reached(5)
            assert not doc.get().exists
        commit.result(5)
    assert doc.get().exists


# What is not stored, on either emulator


def nested(levels):
    """Maps inside of each other, the outermost in a field."""
    return {"map": nested(levels - 1)} if levels else {}


LONGEST_ID = 1500
LONGEST_VALUE = 1_048_487


@pytest.mark.parametrize(
    "document_id", ["i" * LONGEST_ID, "_a__", "__a_", "____", "\u00fc" * (LONGEST_ID // 2)]
)
def test_longest_and_oddest_document_ids(db, document_id):
    doc = db.collection("setups").document(document_id)
    doc.create({"n": 1})
    assert doc.get().get("n") == 1


@pytest.mark.parametrize(
    "document_id", ["i" * (LONGEST_ID + 1), "\u00fc" * (LONGEST_ID // 2 + 1), "__a__", "__a_b__", ".", ".."]
)
def test_document_ids_that_are_refused(db, document_id):
    with pytest.raises(exceptions.InvalidArgument):
        db.collection("setups").document(document_id).create({"n": 1})


@pytest.mark.parametrize(
    "fields",
    [
        {"text": "x" * (LONGEST_VALUE + 1)},
        {"map": nested(20)},
        {"__a__": 1},
        {"map": {"__a__": 1}},
        {"list": [{"__a__": 1}]},
    ],
    ids=["string", "depth", "field", "key", "key in a list"],
)
def test_fields_that_are_refused(doc, fields):
    with pytest.raises(exceptions.InvalidArgument):
        doc.create(fields)
    assert not doc.get().exists


def test_empty_key_of_a_map_is_refused(db, doc):
    """Past the client, which finds it first."""
    inner = types.MapValue(fields={"": types.Value(integer_value=1)})
    document = types.Document(name=doc._document_path, fields={"map": types.Value(map_value=inner)})
    request = {"database": db._database_string, "writes": [types.Write(update=document)]}
    with pytest.raises(exceptions.InvalidArgument):
        db._firestore_api.commit(request=request, metadata=db._rpc_metadata)


@pytest.mark.parametrize(
    "fields", [{"map": nested(19)}, {"_a__": 1}, {"map": {"__a_": 1, ".": 2}}], ids=["depth", "field", "key"]
)
def test_fields_at_the_limits(doc, fields):
    doc.create(fields)
    assert doc.get().to_dict() == fields
