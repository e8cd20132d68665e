"""Is an object what its schema says? Unknown fields are dropped or refused, wrong types are refused.

kube-apiserver decodes built-in kinds into Go types (a wrong type is a 400) and validates custom resources
against their OpenAPI schema (a 422 with causes); both drop fields they do not know.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from localcloud.kube.schema.schemas import Schema, Shape
from localcloud.kube.status import Cause

Json = dict[str, Any]

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "array": (list,),
    "object": (dict,),
}


@dataclass(frozen=True, slots=True)
class TypeMismatch:
    """A value of another JSON type than the schema wants."""

    path: str
    found: str
    wanted: str


@dataclass(slots=True)
class Report:
    """What was found on the way: unknown fields and wrong types, each with its path."""

    unknown: list[str] = field(default_factory=list)
    mismatches: list[TypeMismatch] = field(default_factory=list)


def conform(value: Any, schema: Schema, report: Report, path: str = "") -> Any:
    """Return `value` without nulls and fields that the schema does not know; the rest goes to `report`."""
    wanted = schema.node.get("type")
    found = json_type(value)
    if wanted and found != wanted and not (wanted == "number" and found == "integer"):
        report.mismatches.append(TypeMismatch(path, found, wanted))
        return value
    if isinstance(value, dict):
        return _conform_fields(value, schema, report, path)
    if isinstance(value, list):
        return [conform(item, schema.item, report, f"{path}[{at}]") for at, item in enumerate(value)]
    return value


def _conform_fields(value: Json, schema: Schema, report: Report, path: str) -> Json:
    clean = {}
    for name, inner in value.items():
        below = schema.field(name)
        at = f"{path}.{name}" if path else name
        if below is None:
            report.unknown.append(at)
        elif inner is not None:
            clean[name] = conform(inner, below, report, at)
    return clean


def without_empty(value: Any, schema: Schema, *, is_custom: bool = False) -> Any:
    """Return `value` without nulls and the empty lists and maps that kube-apiserver's Go types leave out.

    Of a custom resource only the metadata has a Go type.
    """
    if isinstance(value, list):
        return [without_empty(item, schema.item) for item in value]
    if not isinstance(value, dict) or schema.shape is not Shape.STRUCT:
        return value
    result = {}
    for name, inner in value.items():
        below = schema.field(name)
        if below is None or (is_custom and name != "metadata"):
            result[name] = inner
        elif inner is not None and (inner not in ([], {}) or not schema.omits_empty(name)):
            result[name] = without_empty(inner, below)
    return result


def nulls(value: Any, schema: Schema, path: str = "") -> list[TypeMismatch]:
    """Return the nulls that an apply left in a custom resource: it took the last field out of a struct."""
    if not isinstance(value, dict):
        return []
    found = []
    for name, inner in value.items():
        below, at = schema.field(name), f"{path}.{name}".lstrip(".")
        if inner is None and below is not None:
            found.append(TypeMismatch(at, "null", below.node.get("type", "object")))
        elif below is not None:
            found += nulls(inner, below, at)
    return found


def json_type(value: Any) -> str:
    """Return `string`, `integer`, `number`, `boolean`, `array`, `object` or `null`."""
    if isinstance(value, bool):
        return "boolean"
    return next((name for name, types in _TYPES.items() if isinstance(value, types)), "null")


def limits(value: Any, schema: Schema, path: str = "") -> list[Cause]:
    """Return what a custom resource's schema refuses: required, pattern, maxLength, maxItems."""
    if isinstance(value, dict):
        missing = [name for name in schema.node.get("required", ()) if name not in value]
        causes = [Cause("FieldValueRequired", "Required value", f"{path}.{name}") for name in missing]
        for name, inner in value.items():
            below = schema.field(name)
            if below is not None and below.shape is not Shape.ANY:
                causes += limits(inner, below, f"{path}.{name}" if path else name)
        return causes
    if isinstance(value, list):
        return _too_many(value, schema, path) or [
            cause for at, item in enumerate(value) for cause in limits(item, schema.item, f"{path}[{at}]")
        ]
    return _string_limits(value, schema, path) if isinstance(value, str) else []


def _too_many(value: list[Any], schema: Schema, path: str) -> list[Cause]:
    most = schema.node.get("maxItems", len(value))
    if len(value) <= most:
        return []
    return [Cause("FieldValueTooMany", f"Too many: {len(value)}: must have at most {most} items", path)]


def _string_limits(value: str, schema: Schema, path: str) -> list[Cause]:
    causes = []
    longest = schema.node.get("maxLength")
    if longest is not None and len(value) > longest:
        causes.append(Cause("FieldValueTooLong", f"Too long: may not be more than {longest} bytes", path))
    pattern = schema.node.get("pattern")
    if pattern and not re.search(pattern, value):
        message = f"Invalid value: {_quoted(value)}: {path} in body should match '{pattern}'"
        causes.append(Cause("FieldValueInvalid", message, path))
    return causes


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def type_cause(wrong: TypeMismatch) -> Cause:
    """Return the cause for a wrong type as a custom resource's validation words it."""
    detail = f'{wrong.path} in body must be of type {wrong.wanted}: "{wrong.found}"'
    return Cause("FieldValueTypeInvalid", f'Invalid value: "{wrong.found}": {detail}', wrong.path)
