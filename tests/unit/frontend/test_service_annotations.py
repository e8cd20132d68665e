"""Service annotations are merged: what others wrote survives, and merging again changes nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milvus_l7.domain.frontend import service_annotations
from milvus_l7.domain.frontend.service_annotations import (
    ALPHA_APP_PROTOCOLS,
    APP_PROTOCOLS,
    BACKEND_CONFIG,
    BETA_BACKEND_CONFIG,
    NEG,
)
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Permanent
from milvus_l7.domain.setup.facts import ServiceFacts

SERVICE = ServiceFacts("my-release-milvus", "milvus", 19530)
UNNAMED = ServiceFacts("my-release-milvus", "", 19530)
CONFIG = "my-release-milvus-backendconfig"
KEYS = (NEG, APP_PROTOCOLS, ALPHA_APP_PROTOCOLS, BACKEND_CONFIG, BETA_BACKEND_CONFIG)


def merged(existing: dict[str, str], service: ServiceFacts = SERVICE) -> dict[str, Any]:
    annotations = service_annotations.merged(existing, service, CONFIG)
    return {key: json.loads(text) for key, text in annotations.items()}


def test_a_bare_service_gets_all_three() -> None:
    assert merged({"other": "x"}) == {
        NEG: {"ingress": True},
        APP_PROTOCOLS: {"milvus": "HTTP2"},
        BACKEND_CONFIG: {"ports": {"milvus": CONFIG}},
    }


def test_an_unnamed_port_has_an_empty_key_and_is_configured_by_number() -> None:
    found = merged({}, UNNAMED)
    assert found[APP_PROTOCOLS] == {"": "HTTP2"}
    assert found[BACKEND_CONFIG] == {"ports": {"19530": CONFIG}}


def test_an_unnamed_ports_empty_key_would_win_over_its_number() -> None:
    found = merged({BACKEND_CONFIG: '{"ports": {"": "theirs"}}'}, UNNAMED)
    assert found[BACKEND_CONFIG] == {"ports": {"": CONFIG}}


def test_other_ports_and_the_default_survive() -> None:
    found = merged(
        {
            NEG: '{"exposed_ports": {"9091": {}}}',
            APP_PROTOCOLS: '{"metrics": "HTTP"}',
            BACKEND_CONFIG: '{"default": "theirs", "ports": {"metrics": "m", "milvus": "old"}}',
        }
    )
    assert found == {
        NEG: {"exposed_ports": {"9091": {}}, "ingress": True},
        APP_PROTOCOLS: {"metrics": "HTTP", "milvus": "HTTP2"},
        BACKEND_CONFIG: {"default": "theirs", "ports": {"metrics": "m", "milvus": CONFIG}},
    }


def test_an_annotation_that_says_the_right_thing_keeps_its_text() -> None:
    text = '{ "ingress" : true }'
    assert service_annotations.merged({NEG: text}, SERVICE, CONFIG)[NEG] == text


@pytest.mark.parametrize("value", ["false", "1", '"true"', "null"])
def test_only_true_turns_network_endpoint_groups_on(value: str) -> None:
    assert merged({NEG: f'{{"ingress": {value}}}'})[NEG] == {"ingress": True}


def test_the_alpha_protocols_are_merged_into_because_they_win() -> None:
    found = merged({ALPHA_APP_PROTOCOLS: '{"metrics": "HTTP", "milvus": "HTTPS"}'})
    assert found[ALPHA_APP_PROTOCOLS] == {"metrics": "HTTP", "milvus": "HTTP2"}
    assert found[APP_PROTOCOLS] == {"milvus": "HTTP2"}


def test_a_lone_beta_backend_config_is_carried_over() -> None:
    found = merged({BETA_BACKEND_CONFIG: '{"default": "theirs"}'})
    assert found[BACKEND_CONFIG] == {"default": "theirs", "ports": {"milvus": CONFIG}}
    assert BETA_BACKEND_CONFIG not in found


def test_a_beta_backend_config_beside_the_other_has_no_say() -> None:
    found = merged({BETA_BACKEND_CONFIG: "broken", BACKEND_CONFIG: '{"default": "theirs"}'})
    assert found[BACKEND_CONFIG]["default"] == "theirs"


BROKEN = [
    "{",
    "[]",
    "null",
    "true",
    '"text"',
    "{'a': 1}",
    '{"a": NaN}',
    '{"a": 1e999}',
    '{"ingress": false, "ingress": true}',
    "[" * 200_000,
    '{"a": ' + "9" * 5000 + "}",
]


@pytest.mark.parametrize(
    "key", [NEG, APP_PROTOCOLS, ALPHA_APP_PROTOCOLS, BACKEND_CONFIG, BETA_BACKEND_CONFIG]
)
@pytest.mark.parametrize("text", BROKEN, ids=lambda text: text[:20])
def test_what_cannot_be_read_is_refused_not_replaced(key: str, text: str) -> None:
    with pytest.raises(Permanent, match="cannot be merged into") as refused:
        merged({key: text})
    assert refused.value.reason is Reason.ANNOTATION_INVALID
    assert key in refused.value.message
    assert len(refused.value.message) < 250


def test_ports_that_are_no_object_are_refused() -> None:
    with pytest.raises(Permanent, match="ports are not a JSON object"):
        merged({BACKEND_CONFIG: '{"ports": ["milvus"]}'})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
PORTS = st.dictionaries(st.sampled_from(["milvus", "metrics", "19530", "", "9091"]), st.text(max_size=5))
VALUES = st.dictionaries(st.text(max_size=8).filter(lambda key: key != "ports"), JSON, max_size=4)
TEXTS = st.builds(
    lambda value, ports: json.dumps(value | ({"ports": ports} if ports else {})), VALUES, PORTS
) | st.just("")
EXISTING = st.dictionaries(st.sampled_from(KEYS), TEXTS)


@given(EXISTING, st.sampled_from([SERVICE, UNNAMED]))
def test_merging_twice_is_merging_once(existing: dict[str, str], service: ServiceFacts) -> None:
    once = service_annotations.merged(existing, service, CONFIG)
    assert service_annotations.merged(existing | once, service, CONFIG) == once


@given(EXISTING, st.sampled_from([SERVICE, UNNAMED]))
def test_everything_that_is_not_our_port_survives(existing: dict[str, str], service: ServiceFacts) -> None:
    for key, after in merged(existing, service).items():
        before = json.loads(existing.get(key) or "{}")
        own = {"ingress", "ports"} if key != APP_PROTOCOLS else {service.port_name}
        own |= {service.port_name} if key == ALPHA_APP_PROTOCOLS else set()
        kept = {k: v for k, v in before.items() if k not in own}
        assert kept.items() <= after.items() or all(after[k] == v for k, v in kept.items())
        if key == BACKEND_CONFIG:
            theirs = {k: v for k, v in before.get("ports", {}).items() if v != after["ports"][k]}
            assert set(theirs) <= {service.port_name, str(service.port)}
