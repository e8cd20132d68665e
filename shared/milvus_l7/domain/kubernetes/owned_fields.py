"""What one manager has applied to a live object, as a manifest: its own fields, with their present values.

Applied again with one more field, by the same manager, nothing else changes hands. The notation of field sets
is explained in `domain.kubernetes.field_managers`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from milvus_l7.domain.kubernetes import field_managers
from milvus_l7.domain.kubernetes.field_managers import Fields
from milvus_l7.domain.kubernetes.manifests import Manifest
from milvus_l7.domain.text import untrusted


def applied_by(live: Manifest, manager: str) -> Manifest:
    """Return the object with just the fields of the manager's last apply, and what names it."""
    fields = field_managers.applied_fields(live, manager)
    own = dict(_fields(live, fields))
    named = {key: live["metadata"][key] for key in ("namespace", "name")}
    metadata = {**untrusted.mapping(own, "metadata"), **named}
    return {"apiVersion": live["apiVersion"], "kind": live["kind"], **own, "metadata": metadata}


def with_field(manifest: Manifest, path: tuple[str, ...], value: Any) -> Manifest:
    """Return the manifest with one more field.

    It names no version: the fields of others do not matter to it.
    """
    key, *rest = path
    inner = with_field(untrusted.mapping(manifest, key), tuple(rest), value) if rest else value
    return {**manifest, key: inner}


def _picked(value: Any, fields: Fields) -> Any:
    if not fields:
        return value
    if isinstance(value, Mapping):
        return dict(_fields(value, fields))
    if isinstance(value, list):
        return [_picked(item, below) for item in value for below in _of_item(fields, item)]
    return value


def _fields(value: Mapping[str, Any], fields: Fields) -> Iterator[tuple[str, Any]]:
    for element, below in fields.items():
        key = element[2:]
        if element.startswith("f:") and key in value and isinstance(below, Mapping):
            yield key, _picked(value[key], below)


def _of_item(fields: Fields, item: Any) -> Iterator[Fields]:
    below = field_managers.item_fields(fields, item)
    if isinstance(below, Mapping):
        yield {element: inner for element, inner in below.items() if element != "."}
