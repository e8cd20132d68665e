"""Typed merge, comparison and removal: what server-side apply is made of.

Follows sigs.k8s.io/structured-merge-diff `typed` (merge, compare, toset, remove): leaves are scalars, atomic
lists and maps, and empty containers; associative lists are matched by their keys.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from localcloud.kube.apply.fields import EMPTY, FieldSet, Path, by_first_element, item_element
from localcloud.kube.schema.schemas import ANYTHING, Schema, Shape

_MISSING = object()


class DuplicateItemError(ValueError):
    """An associative list holds two items with the same keys."""


def _is_leaf(value: Any, schema: Schema) -> bool:
    return (
        not isinstance(value, dict | list)
        or schema.is_atomic
        or (schema is not ANYTHING and (schema.shape is Shape.SCALAR))
        or (schema.shape is Shape.ANY and isinstance(value, list))
    )


def children(value: Any, schema: Schema) -> Iterator[tuple[str, Any, Schema]]:
    """Yield (path element, value, schema) of everything directly inside a value that is not a leaf."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield "f:" + name, inner, schema.field(name) or ANYTHING
    elif isinstance(value, list):
        seen: set[str] = set()
        for item in value:
            element = item_element(item, schema)
            if element in seen:
                raise DuplicateItemError(f"duplicate entries for key {element[2:]}")
            seen.add(element)
            yield element, item, schema.item


def field_set(value: Any, schema: Schema, path: Path = ()) -> FieldSet:
    """Return the paths that a manager who applies `value` owns."""
    if _is_leaf(value, schema):
        return frozenset({path})
    paths: set[Path] = set()
    for element, inner, inner_schema in children(value, schema):
        below = (*path, element)
        paths |= field_set(inner, inner_schema, below)
        if inner == {} or not (element[0] == "f" and schema.is_named(element[2:])):
            paths.add(below)
    return frozenset(paths)


@dataclass(slots=True)
class Comparison:
    """The paths by which two values differ."""

    added: set[Path] = field(default_factory=set)
    modified: set[Path] = field(default_factory=set)
    removed: set[Path] = field(default_factory=set)


def compare(old: Any, new: Any, schema: Schema) -> Comparison:
    """Return what was added, modified and removed on the way from `old` to `new`."""
    found = Comparison()
    _compare(old, new, schema, ((), found, False))
    return found


def _compare(old: Any, new: Any, schema: Schema, at: tuple[Path, Comparison, bool]) -> None:
    path, found, is_implied = at
    old, new = _as_container(old, new), _as_container(new, old)
    is_leaf = _is_compared_whole(old, new, schema)
    is_added_or_removed = (old is _MISSING or new is _MISSING) and (is_leaf or not is_implied)
    if old is _MISSING or new is _MISSING:
        if is_added_or_removed:
            (found.added if old is _MISSING else found.removed).add(path)
    elif is_leaf and old != new:
        found.modified.add(path)
    if is_leaf:
        return
    before = {element: (value, below) for element, value, below in _children_or_none(old, schema)}
    after = {element: (value, below) for element, value, below in _children_or_none(new, schema)}
    for element in {**before, **after}:
        old_value, old_schema = before.get(element, (_MISSING, ANYTHING))
        new_value, new_schema = after.get(element, (_MISSING, old_schema))
        is_inside = not is_added_or_removed and element[0] == "f" and schema.implies(element[2:])
        _compare(old_value, new_value, new_schema, ((*path, element), found, is_inside))


def _as_container(value: Any, other: Any) -> Any:
    # A null beside a map or list is an empty one: it is there, but everything in it is gone.
    return type(other)() if value is None and isinstance(other, dict | list) else value


def _children_or_none(value: Any, schema: Schema) -> Iterator[tuple[str, Any, Schema]]:
    return iter(()) if value is _MISSING else children(value, schema)


def _is_compared_whole(old: Any, new: Any, schema: Schema) -> bool:
    present = [value for value in (old, new) if value is not _MISSING]
    if any(_is_leaf(value, schema) for value in present) or len({type(value) for value in present}) > 1:
        return True
    return not any(present)  # two empty containers


def merge(live: Any, config: Any, schema: Schema) -> Any:
    """Return `live` with everything that `config` says laid over it."""
    if type(live) is not type(config) or _is_leaf(config, schema) or _is_leaf(live, schema):
        return config
    if isinstance(live, dict):
        merged = dict(live)
        for name, value in config.items():
            below = schema.field(name) or ANYTHING
            merged[name] = merge(live[name], value, below) if name in live else value
        return merged
    return _merge_items(live, config, schema)


def _merge_items(live: list[Any], config: list[Any], schema: Schema) -> list[Any]:
    left = {element: item for element, item, _ in children(live, schema)}
    right = {element: item for element, item, _ in children(config, schema)}
    return [
        merge(left[element], right[element], schema.item)
        if element in left and element in right
        else right.get(element, left.get(element))
        for element in _merged_order(list(left), list(right))
    ]


def _merged_order(left: list[str], right: list[str]) -> list[str]:
    # Shared items keep the order of the config. A live-only item comes as early as its place in the live list
    # allows: once every shared item in front of it that is not yet due was passed over.
    shared = [element for element in right if element in left]
    order: list[str] = []
    at_left = at_right = 0
    while at_left < len(left) or at_right < len(right):
        here = left[at_left] if at_left < len(left) else None
        if here is not None and at_right < len(right):
            due = next((element for element in shared if element not in order), None)
            if here != right[at_right] and here in right and due is not None and here != due:
                at_left += 1
                continue
        if here is not None and here not in right:
            order.append(here)
            at_left += 1
            continue
        if here is not None and (here in order or (at_right < len(right) and here == right[at_right])):
            at_left += 1
        if at_right < len(right):
            order.append(right[at_right])
            at_right += 1
    return order


def remove_items(value: Any, paths: FieldSet, schema: Schema) -> Any:
    """Return `value` without what `paths` names; a container that loses its last entry becomes None."""
    if not value or _is_leaf(value, schema):
        return value
    groups = by_first_element(paths)
    kept: list[tuple[str, Any]] = []
    for element, inner, below in children(value, schema):
        inside = groups.get(element, EMPTY)
        if () in inside:
            continue
        kept.append((element, remove_items(inner, inside, below) if inside else inner))
    if not kept:
        return None
    if isinstance(value, dict):
        return {element[2:]: inner for element, inner in kept}
    return [inner for _, inner in kept]
