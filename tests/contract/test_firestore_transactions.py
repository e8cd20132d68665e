"""Transactions: atomic, isolated, retried.

Runs against Google's emulator if FIRESTORE_EMULATOR_HOST is set.
"""

import os
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from google.api_core import exceptions
from google.cloud import firestore
from google.cloud.firestore import FieldFilter

from localcloud.firestore import FirestoreEmulator

optimistic_only = pytest.mark.skipif(
    "FIRESTORE_EMULATOR_HOST" in os.environ,
    reason="FIRESTORE_EMULATOR_HOST is set: Google's emulator locks what a transaction read, so others wait",
)


DIFFERENCES = (
    (
        "Google's emulator locks what a transaction has read: other commits wait up to 31 s and are ABORTED; "
        "ours aborts the transaction at its own commit",
        "nothing of the product uses transactions: its commits carry preconditions",
    ),
    (
        "Google's emulator demands no composite indexes; ours does",
        "production does, and a missing index shows only there",
    ),
)


@pytest.fixture(scope="module")
def emulator():
    with pytest.MonkeyPatch.context() as patch, FirestoreEmulator() as emulator:
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
    doc = db.collection("setups").document("a")
    doc.create({"n": 0})
    return doc


def due(db):
    return db.collection("setups").where(filter=FieldFilter("n", "==", 0))


def test_transaction_reads_and_writes(db, doc):
    @firestore.transactional
    def increase(transaction):
        n = doc.get(transaction=transaction).get("n")
        transaction.update(doc, {"n": n + 1})
        return n

    assert increase(db.transaction()) == 0
    assert doc.get().get("n") == 1


def test_failing_body_writes_nothing(db, doc):
    @firestore.transactional
    def fail(transaction):
        doc.get(transaction=transaction)
        transaction.update(doc, {"n": 1})
        raise LookupError("the body's own")

    with pytest.raises(LookupError):
        fail(db.transaction())
    assert doc.get().get("n") == 0


def test_failed_precondition_of_one_write_undoes_the_transaction(db, doc):
    other = db.collection("setups").document("other")
    other.create({"n": 5})

    @firestore.transactional
    def create_again(transaction):
        transaction.update(doc, {"n": 1})
        transaction.create(other, {"n": 2})

    with pytest.raises(exceptions.AlreadyExists):
        create_again(db.transaction())
    assert (doc.get().get("n"), other.get().get("n")) == (0, 5)


def test_document_is_not_made_after_it_was_written_in_the_same_request(db, doc):
    batch = db.batch()
    batch.update(doc, {"n": 1})
    batch.create(doc, {"n": 2})
    with pytest.raises(exceptions.InvalidArgument):
        batch.commit()
    assert doc.get().get("n") == 0


@optimistic_only
def test_loser_of_a_race_is_run_again_and_sees_the_winners_write(db, doc):
    seen = []

    @firestore.transactional
    def increase(transaction):
        seen.append(doc.get(transaction=transaction).get("n"))
        if len(seen) == 1:
            doc.update({"n": 10})
        transaction.update(doc, {"n": seen[-1] + 1})

    increase(db.transaction())
    assert seen == [0, 10]
    assert doc.get().get("n") == 11


@optimistic_only
def test_transaction_that_always_loses_is_given_up_after_five_attempts(db, doc):
    attempts = []

    @firestore.transactional
    def lose(transaction):
        doc.get(transaction=transaction)
        attempts.append(doc.update({"n": len(attempts) + 1}))
        transaction.update(doc, {"n": -1})

    with pytest.raises(ValueError, match="5 attempts") as failure:
        lose(db.transaction())
    assert isinstance(failure.value.__cause__, exceptions.Aborted)
    assert doc.get().get("n") == len(attempts) == 5


@optimistic_only
def test_document_that_appears_after_it_was_missed_aborts(db):
    ghost = db.collection("setups").document("ghost")
    seen = []

    @firestore.transactional
    def claim(transaction):
        seen.append(ghost.get(transaction=transaction).exists)
        if len(seen) == 1:
            ghost.create({"owner": "other"})
        if not seen[-1]:
            transaction.set(ghost, {"owner": "me"})

    claim(db.transaction())
    assert seen == [False, True]
    assert ghost.get().get("owner") == "other"


@optimistic_only
def test_new_match_of_a_query_that_was_read_aborts(db, doc):
    seen = []

    @firestore.transactional
    def count(transaction):
        seen.append([item.id for item in due(db).stream(transaction=transaction)])
        if len(seen) == 1:
            db.collection("setups").document("b").create({"n": 0})
        transaction.set(db.document("totals/due"), {"ids": seen[-1]})

    count(db.transaction())
    assert seen == [["a"], ["a", "b"]]
    assert db.document("totals/due").get().get("ids") == ["a", "b"]


def test_change_of_what_was_not_read_does_not_abort(db, doc):
    runs = []

    @firestore.transactional
    def copy(transaction):
        runs.append(doc.get(transaction=transaction))
        db.document("setups/b").set({"n": 5})
        transaction.set(db.document("setups/c"), {"n": 6})

    copy(db.transaction())
    assert len(runs) == 1


def test_all_reads_of_a_transaction_see_one_snapshot(db, doc):
    @firestore.transactional
    def read_twice(transaction):
        first = doc.get(transaction=transaction).get("n")
        doc.update({"n": 9})
        return (
            first,
            doc.get(transaction=transaction).get("n"),
            len(list(due(db).stream(transaction=transaction))),
        )

    assert read_twice(db.transaction(read_only=True)) == (0, 0, 1)


# Google's emulator ends each deadlock only after half a minute.
RACES = 4 if "FIRESTORE_EMULATOR_HOST" in os.environ else 20


def test_concurrent_transactions_lose_no_update(db, doc):
    @firestore.transactional
    def increase(transaction):
        transaction.update(doc, {"n": doc.get(transaction=transaction).get("n") + 1})

    def persist(_):
        while True:
            try:
                return increase(db.transaction())
            except (ValueError, exceptions.Aborted):
                continue

    with ThreadPoolExecutor(min(RACES // 2, 4)) as pool:
        list(pool.map(persist, range(RACES)))
    assert doc.get().get("n") == RACES


def test_unknown_transaction_is_refused(db, doc):
    request = {"database": db._database_string, "writes": [], "transaction": b"no such transaction"}
    with pytest.raises(exceptions.InvalidArgument):
        db._firestore_api.commit(request=request, metadata=db._rpc_metadata)
