"""The provider's arguments are read out of the package that describes them."""

from __future__ import annotations

from typing import Any

import pytest

from infra.offline.schema import Reader

BOUND = "@cdktn/provider-google.pubsubTopic.PubsubTopic"


def argument(name: str, kind: dict[str, Any], *, optional: bool = True, remarks: str = "") -> dict[str, Any]:
    link = f"{{@link https://registry.example/pubsub_topic#{name} PubsubTopic#{name}}}"
    return {"name": "x", "type": kind, "optional": optional, "docs": {"remarks": f"{remarks} {link}"}}


def listed(element: dict[str, Any], kind: str = "array") -> dict[str, Any]:
    return {"collection": {"kind": kind, "elementtype": element}}


def either(kind: dict[str, Any]) -> dict[str, Any]:
    """A value, or what the language binding resolves to one."""
    return {"union": {"types": [{"fqn": "cdktn.IResolvable"}, kind]}}


TEXT, NUMBER, TRUTH = ({"primitive": name} for name in ("string", "number", "boolean"))
INNER = {"fqn": f"{BOUND}Policy"}
TYPES: dict[str, Any] = {
    BOUND: {
        "base": "cdktn.TerraformResource",
        "docs": {"summary": "Represents a {@link https://registry.example google_pubsub_topic}."},
        "properties": [
            {"name": "tfResourceType", "immutable": True, "type": TEXT},
            {"name": "createTime", "immutable": True, "type": TEXT},
            {"name": "nameInput", "immutable": True, "type": TEXT},
            {"name": "policy", "immutable": True, "type": {"fqn": f"{BOUND}PolicyOutputReference"}},
            {"name": "name", "type": TEXT},
        ],
    },
    f"{BOUND}Config": {
        "properties": [
            argument("name", TEXT, optional=False),
            argument("retention_s", NUMBER),
            argument("is_open", either(TRUTH)),
            argument("labels", listed(TEXT, "map")),
            argument("regions", listed(TEXT)),
            argument("mode", TEXT, remarks='Possible values: ["ON", "OFF"]'),
            argument("policy", INNER, optional=False),
            argument("rule", either(listed(INNER))),
            {"name": "dependsOn", "type": TEXT, "docs": {}},  # of every resource
        ]
    },
    f"{BOUND}Policy": {"properties": [argument("level", TEXT)]},
}


@pytest.fixture(scope="module")
def topic() -> dict[str, Any]:
    return Reader(TYPES).resource("google_pubsub_topic")


def test_arguments_have_their_types_and_whether_they_are_needed(topic: dict[str, Any]) -> None:
    given = {name: each for name, each in topic["attributes"].items() if "computed" not in each}
    assert given == {
        "name": {"type": "string", "required": True},
        "retention_s": {"type": "number", "optional": True},
        "is_open": {"type": "bool", "optional": True},
        "labels": {"type": ["map", "string"], "optional": True},
        "regions": {"type": ["list", "string"], "optional": True},
        "mode": {"type": "string", "optional": True, "values": ["ON", "OFF"]},
    }


def test_what_only_the_provider_sets_is_told_apart(topic: dict[str, Any]) -> None:
    computed = {name for name, each in topic["attributes"].items() if "computed" in each}
    assert computed == {"create_time", "id"}


def test_blocks_say_how_often_they_may_stand(topic: dict[str, Any]) -> None:
    inner = {"attributes": {"level": {"type": "string", "optional": True}}, "blocks": {}}
    assert topic["blocks"] == {"policy": {**inner, "min": 1, "max": 1}, "rule": {**inner, "min": 0, "max": 0}}


def test_resource_that_the_provider_does_not_have_is_named() -> None:
    with pytest.raises(KeyError, match="google_pubsub_topik"):
        Reader(TYPES).resource("google_pubsub_topik")
