"""Which queries need a declared index. Always on the embedded emulator: Google's asks for none."""

import uuid

import pytest
from google.api_core import exceptions
from google.cloud import firestore
from google.cloud.firestore import FieldFilter, Query

from localcloud.firestore import CompositeIndex, FirestoreEmulator, IndexField

INDEXES = [
    CompositeIndex("declared", (IndexField("state"), IndexField("wake_at"))),
    CompositeIndex("merged", (IndexField("state"), IndexField("wake_at"))),
    CompositeIndex("merged", (IndexField("owner"), IndexField("wake_at"))),
    CompositeIndex("grouped", (IndexField("state"),), is_group=True),
]


@pytest.fixture(scope="module")
def db():
    with pytest.MonkeyPatch.context() as patch, FirestoreEmulator(composite_indexes=INDEXES) as emulator:
        patch.setenv("FIRESTORE_EMULATOR_HOST", emulator.address)
        client = firestore.Client(project=f"contract-{uuid.uuid4().hex[:12]}")
        yield client
        client.close()


def where(query, *fields):
    for field in fields:
        query = query.where(filter=FieldFilter(field, "==", 1))
    return query


def late(query):
    return query.where(filter=FieldFilter("wake_at", "<=", 1))


def down(query, field):
    return query.order_by(field, direction=Query.DESCENDING)


SERVED = {
    "everything": lambda db: db.collection("plain"),
    "several equalities": lambda db: where(db.collection("plain"), "state", "owner"),
    "equality with order by the same field": lambda db: where(db.collection("plain"), "state").order_by(
        "state"
    ),
    "equality with order by name": lambda db: where(db.collection("plain"), "state").order_by("__name__"),
    "range on one field": lambda db: late(db.collection("plain")),
    "range and descending order on one field": lambda db: down(late(db.collection("plain")), "wake_at"),
    "declared": lambda db: late(where(db.collection("declared"), "state")).order_by("wake_at"),
    "declared, read backwards": lambda db: down(where(db.collection("declared"), "state"), "wake_at"),
    "merged": lambda db: where(db.collection("merged"), "state", "owner").order_by("wake_at"),
    "all of a group": lambda db: db.collection_group("plain"),
    "declared for a group": lambda db: where(db.collection_group("grouped"), "state"),
}
REFUSED = {
    "equality with order": lambda db: where(db.collection("plain"), "state").order_by("wake_at"),
    "equality with range": lambda db: late(where(db.collection("plain"), "state")),
    "in with order": lambda db: (
        db.collection("plain").where(filter=FieldFilter("state", "in", [1, 2])).order_by("wake_at")
    ),
    "two orders": lambda db: db.collection("plain").order_by("state").order_by("wake_at"),
    "order against the name": lambda db: down(db.collection("plain"), "wake_at").order_by("__name__"),
    "names backwards": lambda db: down(db.collection("plain"), "__name__"),
    "a field too many": lambda db: where(db.collection("declared"), "state", "owner").order_by("wake_at"),
    "declared, but the name against it": lambda db: down(
        where(db.collection("declared"), "state").order_by("wake_at"), "__name__"
    ),
    "equality in a group": lambda db: where(db.collection_group("plain"), "state"),
    "declared for another scope": lambda db: where(db.collection_group("declared"), "state").order_by(
        "wake_at"
    ),
}


@pytest.mark.parametrize("query", SERVED.values(), ids=SERVED)
def test_query_with_an_index_is_answered(db, query):
    assert list(query(db).stream()) == []


@pytest.mark.parametrize("query", REFUSED.values(), ids=REFUSED)
def test_query_without_an_index_is_refused(db, query):
    with pytest.raises(exceptions.FailedPrecondition, match="The query requires an index"):
        list(query(db).stream())


def test_count_needs_the_index_of_its_query(db):
    with pytest.raises(exceptions.FailedPrecondition, match="wake_at ASC"):
        where(db.collection("plain"), "state").order_by("wake_at").count().get()


def test_limit_to_last_is_read_backwards_from_the_declared_index(db):
    assert where(db.collection("declared"), "state").order_by("wake_at").limit_to_last(1).get() == []
