"""Chain events and the deliveries that carry them."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milvus_l7.domain.reasons.errors import MalformedEvent
from milvus_l7.domain.request.delivery import chain_event, is_chain_event, named_setup, pushed
from milvus_l7.domain.setup import event
from milvus_l7.domain.setup.chain import SETUP_STAGES, Stage
from tests.builders import TOPOLOGY, new_setup, requested_setup, trigger

GOOD = trigger(new_setup(), Stage.CREATE_INGRESS).payload()
IDS = ("event_id", "setup_id")
BAD_IDS = [
    "",
    ".",
    "..",
    "__all__",
    "a" * 1501,
    "/" * 501,
    "ä" * 251,
    "\ud800",
    "a\udfff",
    5,
    None,
    True,
    [],
    {},
]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def body_of(value: object) -> bytes:
    return json.dumps(value).encode()


def push(data: object = None, **message: object) -> bytes:
    return body_of({"message": {"messageId": "7", **({} if data is None else {"data": data}), **message}})


def test_event_survives_the_journey() -> None:
    sent = trigger(new_setup(), Stage.CREATE_INGRESS)
    assert chain_event(body_of(sent.payload()), sent.topic) == sent


def test_event_carries_ids_only() -> None:
    assert set(trigger(new_setup(), Stage.CREATE_INGRESS).payload()) == {
        "schema_version",
        "event_id",
        "setup_id",
        "generation",
        "stage",
    }


def test_each_stage_is_triggered_by_the_announcement_of_the_one_before() -> None:
    setup = new_setup()
    for stage in Stage:
        if stage.following:
            announced = event.announcement(setup, stage, TOPOLOGY)
            assert announced.topic == TOPOLOGY.trigger(stage.following)
    begun = event.start(requested_setup(), TOPOLOGY, "m1")
    assert begun is not None
    assert begun.topic == TOPOLOGY.trigger(SETUP_STAGES[0]) == TOPOLOGY.functions["accept_request"].announces


@pytest.mark.parametrize(
    "body",
    [
        None,
        b"",
        b"[]",
        b"{",
        body_of({"schema_version": 2}),
        body_of({"schema_version": 1, "event_id": "x", "setup_id": "y", "stage": "z"}),
        *(body_of({**GOOD, name: bad}) for name in IDS for bad in BAD_IDS),
        *(body_of({**GOOD, "generation": bad}) for bad in ("1", None, True, 1.0, -1, 2**63, 10**300, [1])),
        *(body_of({**GOOD, "stage": bad}) for bad in ("", "x" * 65, "a b", "\ud800", 1, None, {})),
        *(body_of({**GOOD, "schema_version": bad}) for bad in (True, "1", None, [[1]], 10**300)),
    ],
)
def test_body_that_is_no_event_is_refused(body: bytes | None) -> None:
    with pytest.raises(MalformedEvent) as refused:
        chain_event(body, "l7-tls-prepared")
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize(
    ("body", "limit"),
    [
        (b'{"a":' * 974, "8 levels"),
        (b"[" * 100_000, "at most 65536"),
        (b"[" * 60_000, "1000 values"),
        (b"x" * 9_900_000, "at most 65536"),
        (b'{"generation": ' + b"9" * 5000 + b"}", "400 digits"),
        (body_of({**GOOD, "more": "\ud800"}), "surrogate"),
    ],
)
def test_event_beyond_a_limit_is_refused_with_the_limit(body: bytes, limit: str) -> None:
    for read in (lambda: chain_event(body, "t"), lambda: named_setup(body)):
        with pytest.raises(MalformedEvent, match=limit):
            read()
    assert not is_chain_event(body)


@given(st.sampled_from([*GOOD, "other"]), json_values)
def test_any_json_in_any_field_is_an_event_or_refused(field: str, value: object) -> None:
    body = body_of({**GOOD, field: value})
    try:
        read = chain_event(body, "t")
    except MalformedEvent:
        return
    assert chain_event(body_of(read.payload()), "t") == read


@given(st.binary(max_size=300).filter(lambda body: body.strip() != b"{}"))
def test_no_bytes_crash_the_readers(body: bytes) -> None:
    for read in (pushed, named_setup, lambda content: chain_event(content, "t")):
        with pytest.raises(MalformedEvent):
            read(body)


@pytest.mark.parametrize("missing", ["event_id", "setup_id", "generation", "stage"])
def test_what_lacks_a_field_of_an_event_is_a_request(missing: str) -> None:
    assert is_chain_event(body_of(GOOD))
    assert not is_chain_event(body_of({name: value for name, value in GOOD.items() if name != missing}))
    assert not is_chain_event(body_of({**GOOD, "release": "my-release"}))


def test_a_message_may_name_a_setup_or_none() -> None:
    assert named_setup(b"{}") is None
    assert named_setup(body_of(GOOD)) == GOOD["setup_id"]
    for bad in BAD_IDS:
        with pytest.raises(MalformedEvent):
            named_setup(body_of({"setup_id": bad}))


def content(body: bytes) -> tuple[str, bytes | None]:
    message = pushed(body)
    return message.message_id, message.body


def test_pushed_message_without_data_has_no_body() -> None:
    assert content(push(attributes={"a": "b"})) == ("7", None)


@pytest.mark.parametrize("data", ["%%%", "ä", "YQ", 5, True, ["YQ=="], {"a": 1}])
def test_data_that_is_not_base64_is_no_body(data: Any) -> None:
    assert content(push(data)) == ("7", None)


def test_the_largest_message_of_pubsub_is_read() -> None:
    largest = b"x" * 10_000_000
    commas = {f"key{number}": "," * 1024 for number in range(100)}
    read = content(push(base64.b64encode(largest).decode(), attributes=commas))
    assert read == ("7", largest)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b'{"message": 5}',
        b'{"message": {}}',
        b'{"message":' * 974,
        b"x" * 17_000_000,
        *(push(messageId=bad) for bad in ("\ud800", "a b", "a" * 101, 7, ["7"], True)),
    ],
)
def test_post_that_is_no_push_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedEvent):
        pushed(body)
