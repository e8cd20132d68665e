"""Queries: filters, order, cursors, paging.

Runs against Google's emulator if FIRESTORE_EMULATOR_HOST is set.
"""

import os
import uuid

import pytest
from google.api_core import exceptions
from google.cloud import firestore
from google.cloud.firestore import FieldFilter, Query

from localcloud.firestore import CompositeIndex, FirestoreEmulator, IndexField

INDEXES = [
    CompositeIndex("setups", (IndexField("state"), IndexField("wake_at"))),
    CompositeIndex("setups", (IndexField("state"), IndexField("wake_at", is_descending=True))),
    CompositeIndex("setups", (IndexField("wake_at", is_descending=True), IndexField("__name__"))),
]


@pytest.fixture(scope="module")
def emulator():
    with pytest.MonkeyPatch.context() as patch, FirestoreEmulator(composite_indexes=INDEXES) as emulator:
        if "FIRESTORE_EMULATOR_HOST" not in os.environ:
            patch.setenv("FIRESTORE_EMULATOR_HOST", emulator.address)
        yield emulator


@pytest.fixture
def db(emulator):
    client = firestore.Client(project=f"contract-{uuid.uuid4().hex[:12]}")
    yield client
    client.close()


@pytest.fixture
def setups(db):
    """Six setups; `f` has no `wake_at`."""
    batch = db.batch()
    rows = {
        "a": {"state": "waiting", "wake_at": 30},
        "b": {"state": "waiting", "wake_at": 10},
        "c": {"state": "done", "wake_at": 20},
        "d": {"state": "waiting", "wake_at": 20},
        "e": {"state": None, "wake_at": 40.5},
        "f": {"state": "waiting", "nested": {"x.y": 1}},
    }
    for name, fields in rows.items():
        batch.create(db.collection("setups").document(name), fields)
    batch.commit()
    return db.collection("setups")


def ids(query):
    return "".join(snapshot.id for snapshot in query.stream())


@pytest.mark.parametrize(
    ("field", "operator", "value", "expected"),
    [
        ("state", "==", "waiting", "abdf"),
        ("state", "==", None, "e"),
        ("state", "!=", "waiting", "c"),
        ("state", "!=", None, "cabdf"),
        ("state", "in", ["done", "absent"], "c"),
        ("wake_at", "<", 20, "b"),
        ("wake_at", "<=", 20, "bcd"),
        ("wake_at", ">", 30, "e"),
        ("wake_at", ">=", 30, "ae"),
        ("wake_at", "==", 20.0, "cd"),
        ("wake_at", ">", "text", ""),
        ("wake_at", "<", "text", ""),
        ("nested.`x.y`", "==", 1, "f"),
        ("missing", "==", 1, ""),
    ],
)
def test_filter(setups, field, operator, value, expected):
    assert ids(setups.where(filter=FieldFilter(field, operator, value))) == expected


def test_filters_are_combined_with_and(setups):
    query = setups.where(filter=FieldFilter("state", "==", "waiting"))
    assert ids(query.where(filter=FieldFilter("wake_at", "<=", 20))) == "bd"
    assert ids(query.where(filter=FieldFilter("wake_at", "==", 20))) == "d"


def test_filter_on_the_document_name(setups):
    assert ids(setups.where(filter=FieldFilter("__name__", ">", setups.document("d")))) == "ef"


def test_unordered_query_is_in_the_order_of_names(setups):
    assert ids(setups) == "abcdef"


def test_order_leaves_out_documents_without_the_field(setups):
    assert ids(setups.order_by("wake_at")) == "bcdae"


def test_equal_values_are_ordered_by_name_in_the_last_direction(setups):
    assert ids(setups.order_by("wake_at", direction=Query.DESCENDING)) == "eadcb"


def test_order_by_several_fields(setups):
    by_name = setups.order_by("wake_at", direction=Query.DESCENDING).order_by("__name__")
    assert ids(by_name) == "eacdb"


def test_values_of_different_types_have_an_order(db):
    values = [
        None,
        False,
        True,
        float("nan"),
        -1,
        0.5,
        2,
        "",
        "a",
        "b",
        b"\x00",
        [1],
        [1, 2],
        {"a": 1},
        {"b": 0},
    ]
    for number, value in enumerate(reversed(values)):
        db.collection("mixed").document(f"{number:02}").create({"v": value, "place": len(values) - number})
    places = [item.get("place") for item in db.collection("mixed").order_by("v").stream()]
    assert places == sorted(places)


def test_limit_and_offset(setups):
    assert ids(setups.order_by("wake_at").limit(2)) == "bc"
    assert ids(setups.order_by("wake_at").offset(3).limit(5)) == "ae"


@pytest.mark.parametrize(
    ("cursor", "expected"),
    [
        ("start_at", "cdae"),
        ("start_after", "ae"),
        ("end_at", "bcd"),
        ("end_before", "b"),
    ],
)
def test_cursor_is_before_or_after_all_equal_values(setups, cursor, expected):
    query = getattr(setups.order_by("wake_at"), cursor)({"wake_at": 20})
    assert ids(query) == expected


def test_cursor_in_descending_order(setups):
    query = setups.order_by("wake_at", direction=Query.DESCENDING)
    assert ids(query.start_after({"wake_at": 20})) == "b"


def test_pages_by_snapshot_cursor_visit_every_match_once(setups):
    query = setups.where(filter=FieldFilter("state", "==", "waiting")).order_by("wake_at").limit(2)
    visited, last = [], None
    while page := (query if last is None else query.start_after(last)).get():
        visited += [snapshot.id for snapshot in page]
        last = page[-1]
    assert visited == ["b", "d", "a"]


def test_pages_may_end_within_equal_values(setups):
    page = setups.order_by("wake_at").limit(2).get()
    assert ids(setups.order_by("wake_at").start_after(page[-1])) == "dae"


def test_limit_to_last(setups):
    assert [item.id for item in setups.order_by("wake_at").limit_to_last(2).get()] == ["a", "e"]


def test_projection_returns_only_the_selected_fields(setups):
    found = setups.where(filter=FieldFilter("wake_at", "==", 30)).select(["state"]).get()
    assert [item.to_dict() for item in found] == [{"state": "waiting"}]
    assert [item.to_dict() for item in setups.select([]).limit(1).get()] == [{}]


def test_collection_is_not_its_subcollections(db, setups):
    db.document("setups/a/setups/inner").create({"state": "waiting"})
    assert ids(setups) == "abcdef"


def test_collection_group_spans_all_parents(db, setups):
    db.document("setups/a/history/1").create({})
    db.document("setups/b/history/2").create({})
    db.document("setups/b/history-old/3").create({})
    assert ids(db.collection_group("history")) == "12"
    assert ids(db.collection("setups").document("b").collection("history")) == "2"


def test_count(setups):
    waiting = setups.where(filter=FieldFilter("state", "==", "waiting"))
    assert waiting.count().get()[0][0].value == 4
    assert waiting.count(alias="n").get()[0][0].alias == "n"
    assert setups.limit(2).count().get()[0][0].value == 2


def test_query_sees_the_last_write(setups):
    setups.document("b").update({"state": "done"})
    assert ids(setups.where(filter=FieldFilter("state", "==", "done"))) == "bc"
    setups.document("b").delete()
    assert ids(setups.where(filter=FieldFilter("state", "==", "done"))) == "c"


def test_too_many_cursor_values_are_refused(setups):
    query = setups.order_by("wake_at")._to_protobuf()
    query.start_at = {"values": [{"integer_value": 1}] * 3}
    request = {
        "parent": setups.parent or setups._client._database_string + "/documents",
        "structured_query": query,
    }
    with pytest.raises(exceptions.InvalidArgument):
        list(setups._client._firestore_api.run_query(request=request, metadata=setups._client._rpc_metadata))


REFUSED = {
    "order by name before the compared field": lambda all_: all_.where(
        filter=FieldFilter("n", ">", 0)
    ).order_by("__name__"),
    "an order twice": lambda all_: all_.order_by("n").order_by("n", direction="DESCENDING"),
    "two not-equal filters": lambda all_: all_.where(filter=FieldFilter("n", "!=", 0)).where(
        filter=FieldFilter("n", "!=", 1)
    ),
    "not-equal twice": lambda all_: all_.where(filter=FieldFilter("n", "!=", 0)).where(
        filter=FieldFilter("m", "!=", None)
    ),
}


@pytest.mark.parametrize("build", REFUSED.values(), ids=REFUSED)
def test_query_that_is_refused(setups, build):
    with pytest.raises(exceptions.InvalidArgument):
        list(build(setups).stream())
