"""Field paths and sets of them, in the notation of `managedFields` (fieldsV1).

A path is a tuple of elements: `f:name` (a field), `k:{"port":80}` (a list item by its keys), `v:"x"` (an item
of a set). A field set is a frozen set of paths, so union, difference and intersection are Python's own.
Source of the notation: sigs.k8s.io/structured-merge-diff `fieldpath`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from localcloud.kube.schema.schemas import Schema, Shape

Path = tuple[str, ...]
FieldSet = frozenset[Path]
Json = dict[str, Any]

EMPTY: FieldSet = frozenset()


def compact(value: Any) -> str:
    """Return JSON without spaces and with sorted keys: the form used inside path elements."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def item_element(item: Any, schema: Schema) -> str:
    """Return the path element of one item of an associative list or a set; `schema` is the list's."""
    if not schema.keys:
        return "v:" + compact(item)
    values = {}
    for key in schema.keys:
        value = item.get(key) if isinstance(item, dict) else None
        if value is None:
            field = schema.item.field(key)
            value = field.default if field else None
        if value is not None:
            values[key] = value
    return "k:" + compact(values)


def decode(node: Json, prefix: Path = ()) -> FieldSet:
    """Return the field set of a fieldsV1 object."""
    paths: set[Path] = set()
    for element, child in node.items():
        if element == ".":
            paths.add(prefix)
        elif not child:
            paths.add((*prefix, element))
        else:
            paths |= decode(child, (*prefix, element))
    return frozenset(paths)


def encode(paths: Iterable[Path]) -> Json:
    """Return the fieldsV1 object of a field set."""
    members = sorted(paths)
    root: Json = {}
    for path in members:
        node = root
        for element in path:
            node = node.setdefault(element, {})
    for path in members:
        node = root
        for element in path:
            node = node[element]
        if node and path:
            node["."] = {}
    return _ordered(root)


def _ordered(node: Json) -> Json:
    return {key: _ordered(node[key]) for key in sorted(node, key=_order)}


def _order(element: str) -> tuple[int, str]:
    rank = {".": 0, "f": 1, "k": 2, "v": 3}[element[0]]
    return (rank, element)


def in_walk_order(paths: FieldSet) -> list[Path]:
    """Return the paths as the server walks a set: at every level the members, then what is below them."""
    groups = by_first_element(paths)
    members = sorted(element for element, inside in groups.items() if () in inside)
    walked: list[Path] = [(element,) for element in members]
    for element in sorted(groups):
        inside = groups[element] - {()}
        walked += [(element, *rest) for rest in in_walk_order(inside)]
    return walked


def display(path: Path) -> str:
    """Return `.spec.ports[port=80,protocol="TCP"].name`: the form in which conflicts name a field."""
    shown = []
    for element in path:
        text = element[2:]
        if element[0] == "f":
            shown.append("." + text)
        elif element[0] == "v":
            shown.append(f"[={text}]")
        else:
            keys = ",".join(f"{key}={compact(value)}" for key, value in json.loads(text).items())
            shown.append(f"[{keys}]")
    return "".join(shown)


def with_named_parents(paths: FieldSet, schema: Schema) -> FieldSet:
    """Return `paths` and the named fields above them: a set with `.a.b` owns `.a`, but not a map's key."""
    found = set(paths)
    for path in paths:
        node: Schema | None = schema
        for depth, element in enumerate(path[:-1]):
            if node is None:
                break
            if element[0] == "f" and node.is_named(element[2:]):
                found.add(path[: depth + 1])
            node = descend(node, element)
    return frozenset(found)


def descend(schema: Schema, element: str) -> Schema | None:
    """Return the schema below one path element."""
    if element[0] == "f":
        return schema.field(element[2:])
    return schema.item if schema.shape is Shape.LIST else None


def by_first_element(paths: FieldSet) -> dict[str, FieldSet]:
    """Return the paths below each first element, without it; `()` says that it is a member itself."""
    groups: dict[str, set[Path]] = {}
    for path in paths:
        if path:
            groups.setdefault(path[0], set()).add(path[1:])
    return {element: frozenset(rest) for element, rest in groups.items()}
