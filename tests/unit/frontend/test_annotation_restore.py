"""Taking our entries out of the Service's annotations again: back to the first text, others' entries kept."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milvus_l7.domain.frontend.service_annotations import (
    ALPHA_APP_PROTOCOLS,
    APP_PROTOCOLS,
    BACKEND_CONFIG,
    BETA_BACKEND_CONFIG,
    KEYS,
    NEG,
    merged,
    restored,
)
from milvus_l7.domain.setup.facts import ServiceFacts

SERVICE = ServiceFacts("my-release-milvus", "milvus", 19530)
UNNAMED = ServiceFacts("my-release-milvus", "", 19530)
CONFIG = "my-release-milvus-backendconfig"
NOTHING: dict[str, str | None] = dict.fromkeys(KEYS)


def known(existing: Mapping[str, str]) -> dict[str, str | None]:
    """What is remembered before the first write."""
    return {key: existing.get(key) for key in KEYS}


def applied(existing: Mapping[str, str], back: Mapping[str, str | None]) -> dict[str, str]:
    after = {**existing, **back}
    return {key: text for key, text in after.items() if text is not None}


def changed(existing: dict[str, str], service: ServiceFacts = SERVICE) -> dict[str, str]:
    return existing | merged(existing, service, CONFIG)


def test_a_service_that_had_none_has_none_again() -> None:
    back = restored(changed({"other": "x"}), NOTHING, SERVICE, CONFIG)
    assert back == {NEG: None, APP_PROTOCOLS: None, BACKEND_CONFIG: None}


def test_nothing_is_touched_that_was_never_remembered() -> None:
    assert restored(changed({}), {}, SERVICE, CONFIG) == {}
    assert restored(changed({}), {NEG: None}, SERVICE, CONFIG) == {NEG: None}


def test_an_entry_that_was_there_comes_back_in_its_first_text() -> None:
    first = {
        NEG: '{"ingress":false ,"exposed_ports":{}}',
        APP_PROTOCOLS: '{"milvus":"HTTPS"}',
        BACKEND_CONFIG: '{"ports":{"milvus":"old"},"default":"theirs"}',
    }
    assert applied(changed(first), restored(changed(first), known(first), SERVICE, CONFIG)) == first


def test_what_said_the_right_thing_before_us_stays() -> None:
    first = {NEG: '{"ingress" : true}', APP_PROTOCOLS: '{"milvus":"HTTP2"}'}
    back = restored(changed(first), known(first), SERVICE, CONFIG)
    assert back == {BACKEND_CONFIG: None}


def test_entries_added_since_survive_and_ours_go() -> None:
    present = {
        NEG: '{"ingress": true, "exposed_ports": {"9091": {}}}',
        APP_PROTOCOLS: '{"milvus": "HTTP2", "metrics": "HTTP"}',
        BACKEND_CONFIG: json.dumps({"ports": {"milvus": CONFIG, "metrics": "m"}, "default": "d"}),
    }
    back = restored(present, NOTHING, SERVICE, CONFIG)
    assert {key: json.loads(text or "") for key, text in back.items()} == {
        NEG: {"exposed_ports": {"9091": {}}},
        APP_PROTOCOLS: {"metrics": "HTTP"},
        BACKEND_CONFIG: {"ports": {"metrics": "m"}, "default": "d"},
    }


@pytest.mark.parametrize(
    "present",
    [
        {NEG: '{"ingress": 1}', APP_PROTOCOLS: '{"milvus": "HTTPS"}'},
        {BACKEND_CONFIG: '{"ports": {"milvus": "theirs"}}'},
        {BACKEND_CONFIG: '{"ports": ["milvus"]}'},
    ],
)
def test_our_entry_that_somebody_changed_stays(present: dict[str, str]) -> None:
    assert restored(present, NOTHING, SERVICE, CONFIG) == {}


def test_an_annotation_that_somebody_removed_is_not_brought_back() -> None:
    assert restored({}, {**NOTHING, NEG: '{"ingress": false}'}, SERVICE, CONFIG) == {}


@pytest.mark.parametrize("first", ['{"ports": {"": "theirs"}}', '{"ports": {"19530": "theirs"}}', None])
def test_an_unnamed_port_is_found_under_the_key_that_was_chosen(first: str | None) -> None:
    existing = {} if first is None else {BACKEND_CONFIG: first}
    back = restored(changed(existing, UNNAMED), known(existing), UNNAMED, CONFIG)
    assert back[BACKEND_CONFIG] == first


def test_what_was_carried_over_from_the_beta_annotation_goes_with_ours() -> None:
    first = {BETA_BACKEND_CONFIG: '{"default": "theirs", "ports": {"milvus": "old"}}'}
    present = changed(first)
    assert restored(present, known(first), SERVICE, CONFIG)[BACKEND_CONFIG] is None
    added = present | {BACKEND_CONFIG: json.dumps({"default": "new", "ports": {"milvus": CONFIG}})}
    back = restored(added, known(first), SERVICE, CONFIG)[BACKEND_CONFIG]
    assert json.loads(back or "") == {"default": "new", "ports": {"milvus": "old"}}


@pytest.mark.parametrize(
    "text", ["{", "[]", "null", '{"a": NaN, "ingress": true}', "[" * 200_000, '{"a":1,"a":1}']
)
@pytest.mark.parametrize("key", KEYS)
def test_what_cannot_be_read_is_left_alone(key: str, text: str) -> None:
    assert restored({key: text}, NOTHING, SERVICE, CONFIG) == {}
    assert restored({key: '{"ingress": true}'}, {key: text}, SERVICE, CONFIG) == {}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(["milvus", "metrics", "19530", "", "9091"])
PORTS = st.none() | st.dictionaries(NAMES, st.sampled_from([CONFIG, "theirs", ""]))
OBJECTS = st.dictionaries(
    st.sampled_from(["ingress", "milvus", "", "default", "x"]), JSON | st.just("HTTP2"), max_size=4
)


@st.composite
def texts(draw: st.DrawFn) -> str:
    value = draw(OBJECTS)
    if draw(st.booleans()):
        value["ports"] = draw(PORTS)
    separators = draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", ":  ")]))
    return draw(st.sampled_from(["", " ", json.dumps(value, separators=separators)]))


EXISTING = st.dictionaries(st.sampled_from([*KEYS, BETA_BACKEND_CONFIG, "other"]), texts())
SERVICES = st.sampled_from([SERVICE, UNNAMED])


@given(EXISTING, SERVICES)
def test_restoring_gives_the_first_annotations_back_byte_for_byte(
    first: dict[str, str], service: ServiceFacts
) -> None:
    present = changed(first, service)
    after = applied(present, restored(present, known(first), service, CONFIG))
    assert after == first
    assert restored(after, known(first), service, CONFIG) == {}


@given(EXISTING, SERVICES, JSON)
def test_foreign_entries_added_after_merging_survive(
    first: dict[str, str], service: ServiceFacts, entry: object
) -> None:
    present = changed(first, service)
    for key in (NEG, APP_PROTOCOLS, BACKEND_CONFIG):
        present[key] = json.dumps({**json.loads(present[key]), "added-since": entry})
    after = applied(present, restored(present, known(first), service, CONFIG))
    for key in (NEG, APP_PROTOCOLS, BACKEND_CONFIG):
        base = json.loads((first.get(key) or "").strip() or "{}")
        if key == BACKEND_CONFIG and not first.get(key, "").strip():
            base = json.loads(first.get(BETA_BACKEND_CONFIG, "").strip() or "{}")
        found = json.loads(after[key])
        assert {k: v for k, v in found.items() if v or k != "ports"} == {
            k: v for k, v in (base | {"added-since": entry}).items() if v or k != "ports"
        }
    assert restored(after, known(first), service, CONFIG) == {}


@given(
    st.dictionaries(st.sampled_from([*KEYS, BETA_BACKEND_CONFIG]), st.text(max_size=20) | texts()),
    st.dictionaries(st.sampled_from(KEYS), st.none() | st.text(max_size=20) | texts()),
    SERVICES,
)
def test_no_content_makes_it_raise(
    existing: dict[str, str], before: dict[str, str | None], service: ServiceFacts
) -> None:
    back = restored(existing, before, service, CONFIG)
    assert back.keys() <= existing.keys() & before.keys()


def test_the_alpha_protocols_are_restored_too() -> None:
    first = {ALPHA_APP_PROTOCOLS: '{"metrics":"HTTP"}'}
    back = restored(changed(first), known(first), SERVICE, CONFIG)
    assert back[ALPHA_APP_PROTOCOLS] == first[ALPHA_APP_PROTOCOLS]
