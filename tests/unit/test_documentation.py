"""What the documentation shows can be published as it stands, and names every field with its default."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from milvus_l7.domain.request.request import json_schema, parse, parse_tear_down

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLES = sorted((ROOT / "examples").glob("*.json"))

SET_UP, TEAR_DOWN = "l7-setup-requested", "l7-teardown-requested"
PARSERS = {SET_UP: parse, TEAR_DOWN: parse_tear_down}


def shown_requests() -> list[tuple[str, str]]:
    """Topic and body of each request in README: an indented JSON object after the topic to publish it to."""
    found = re.finditer(r"^Publish this to `(?P<topic>[^`]+)`.*\n\n(?P<body>(?: {4}.*\n)+)", README, re.M)
    return [(match["topic"], match["body"]) for match in found]


def table() -> dict[str, str]:
    """Default by field, as README's table has it; empty for none."""
    rows = re.findall(r"^\| `([a-z_.0-9]+)` \| (.*?) \| .*\|$", README.replace(" | | ", " |  | "), re.M)
    return {field: default.strip("` ") for field, default in rows}


def fields(schema: dict[str, Any], of: str, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Name and default of each optional field of a schema's object, those of inner objects included."""
    described = schema["$defs"][of]
    for name, field in described["properties"].items():
        inner = [choice["$ref"] for choice in (field, *field.get("anyOf", ())) if "$ref" in choice]
        if inner:
            yield from fields(schema, inner[0].rpartition("/")[2], f"{prefix}{name}.")
        elif prefix or name not in described["required"]:
            yield f"{prefix}{name}", _written(field.get("default"))


def _written(default: object) -> str:
    """Text as it is, other values as JSON; nothing for what has no default, or an empty one."""
    if default is None or default == []:
        return ""
    return default if isinstance(default, str) else json.dumps(default)


def is_tear_down(example: Path) -> bool:
    return example.stem.startswith("tear-down")


def test_readme_shows_a_request_for_each_topic() -> None:
    assert [topic for topic, _ in shown_requests()] == [SET_UP, TEAR_DOWN]


@pytest.mark.parametrize(("topic", "body"), shown_requests())
def test_request_in_readme_is_valid(topic: str, body: str) -> None:
    PARSERS[topic](body.encode())


def test_readme_lists_every_field_with_its_default() -> None:
    assert table() == dict(fields(json_schema(), "Request"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.stem)
def test_example_is_valid(example: Path) -> None:
    PARSERS[TEAR_DOWN if is_tear_down(example) else SET_UP](example.read_bytes())


def test_examples_readme_lists_every_example() -> None:
    text = (ROOT / "examples" / "README.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^\| \[([^\]]+)\]\(\1\)", text, re.M)) == [example.name for example in EXAMPLES]
