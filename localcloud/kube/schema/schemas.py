"""The shape of every served object: which fields exist, and how lists and maps merge.

`schemas.json` holds the OpenAPI v3 schemas of kube-apiserver v1.34 for the kinds served here, without their
descriptions, one definition a line (Apache-2.0, https://github.com/kubernetes/kubernetes). The contract suite
compares it with what a real kube-apiserver serves. The custom resources come from module `crds`.
"""

from __future__ import annotations

import json
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from localcloud.kube.resources import RESOURCES, Resource
from localcloud.kube.schema import crds

Json = dict[str, Any]

_PREFIX = "#/components/schemas/"
_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"


class Shape(StrEnum):
    """How a value is looked at when it is merged."""

    STRUCT = "struct"  # named fields
    MAP = "map"  # any keys, one type of value
    LIST = "list"
    SCALAR = "scalar"
    ANY = "any"  # schemaless


@cache
def definitions() -> dict[str, Json]:
    """Return every OpenAPI definition by its name, the custom resources included."""
    text = Path(__file__).with_name("schemas.json").read_text(encoding="utf-8")
    known: dict[str, Json] = json.loads(text)
    return known | {definition_name(row): _custom(row) for row in RESOURCES if row.is_custom}


def _custom(resource: Resource) -> Json:
    schema = crds.open_api_schema(resource)
    schema["properties"]["metadata"] = {"$ref": _PREFIX + _META}
    gvk = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    return schema | {"x-kubernetes-group-version-kind": [gvk]}


def definition_name(resource: Resource) -> str:
    """Return OpenAPI's name of the kind: `io.k8s.api.core.v1.Pod`, `com.google.cloud.v1.BackendConfig`."""
    if resource.is_custom:
        return ".".join([*reversed(resource.group.split(".")), resource.version, resource.kind])
    group = resource.group.removesuffix(".k8s.io").removesuffix(".authorization") or "core"
    return f"io.k8s.api.{group}.{resource.version}.{resource.kind}"


class Schema:
    """One node of a schema; make them with `of`, walk with `field`, `item` and `value`."""

    __slots__ = ("_children", "node", "outer", "shape")

    def __init__(self, node: Json) -> None:
        self.outer = node  # before following $ref: carries `default`
        reference = node.get("$ref")
        self.node: Json = definitions()[reference.removeprefix(_PREFIX)] if reference else node
        self.shape = _shape(self.node)
        self._children: dict[str, Schema] = {}

    def field(self, name: str) -> Schema | None:
        """Return the schema of a named field or of a map's value; None if there is no such field."""
        if self.shape is Shape.ANY:
            return ANYTHING
        if self.shape is Shape.MAP:
            return self._child("*", self.node["additionalProperties"])
        node = self.node.get("properties", {}).get(name)
        return None if node is None else self._child(name, node)

    def is_named(self, name: str) -> bool:
        """Return True for a field that the schema names, False for a map's key."""
        return self.shape is Shape.STRUCT and name in self.node.get("properties", {})

    @property
    def item(self) -> Schema:
        """Return the schema of a list's items."""
        return self._child("[]", self.node["items"]) if "items" in self.node else ANYTHING

    def _child(self, name: str, node: Json) -> Schema:
        known = self._children.get(name)
        if known is None:
            known = self._children[name] = Schema(node)
        return known

    @property
    def is_atomic(self) -> bool:
        """Return True if the value has one owner as a whole (lists without a list type are atomic)."""
        if self.shape is Shape.LIST:
            return bool(self.node.get("x-kubernetes-list-type", "atomic") == "atomic")
        return self.node.get("x-kubernetes-map-type") == "atomic" or (
            self.outer.get("x-kubernetes-map-type") == "atomic"
        )

    @property
    def keys(self) -> tuple[str, ...]:
        """Return the fields that identify an item of a `listType=map` list; empty for other lists."""
        return tuple(self.node.get("x-kubernetes-list-map-keys", ()))

    @property
    def patch_key(self) -> str | None:
        """Return the field by which a strategic merge patch matches items, if it merges them."""
        return self.node.get("x-kubernetes-patch-merge-key")

    @property
    def patch_strategies(self) -> tuple[str, ...]:
        """Return how a strategic merge patch treats the field: `merge`, `replace`, `retainKeys`."""
        return tuple(self.outer.get("x-kubernetes-patch-strategy", "").split(","))

    @property
    def default(self) -> Any:
        """Return the documented default, None if there is none."""
        return self.outer.get("default")

    def implies(self, name: str) -> bool:
        """Return True for a field that kube-apiserver's Go types always carry, so that it is never 'added'.

        These are the structs held by value, and the lists that are written even when they are empty.
        """
        below = self.field(name)
        if below is None or self.shape is not Shape.STRUCT:
            return False
        if below.shape is Shape.LIST:
            return name in self.node.get("required", ())
        return below.shape is Shape.STRUCT and below.outer.get("default") == {}

    def omits_empty(self, name: str) -> bool:
        """Return True for a list or map field that kube-apiserver's Go types leave out when it is empty."""
        below = self.field(name)
        return below is not None and below.shape in {Shape.LIST, Shape.MAP} and not self.implies(name)


def _shape(node: Json) -> Shape:
    kind = node.get("type")
    if kind == "array":
        return Shape.LIST
    if kind == "object":
        if "properties" in node:
            return Shape.STRUCT
        return Shape.MAP if isinstance(node.get("additionalProperties"), dict) else Shape.ANY
    return Shape.SCALAR if kind or "oneOf" in node else Shape.ANY


ANYTHING = Schema({})


@cache
def of(resource: Resource) -> Schema:
    """Return the schema of a resource's objects."""
    return Schema({"$ref": _PREFIX + definition_name(resource)})
