"""Label and field selectors of list, watch and deletecollection."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from localcloud.kube.status import bad_request

Json = dict[str, Any]
Predicate = Callable[[Json], bool]

_SET = re.compile(r"^\s*(\S+)\s+(in|notin)\s*\(([^()]*)\)\s*$")
_EQUALITY = re.compile(r"^\s*([^\s!=]+)\s*(==|=|!=)\s*([^\s=]*)\s*$")
_EXISTENCE = re.compile(r"^\s*(!?)\s*([^\s!=(),]+)\s*$")
_SEPARATOR = re.compile(r",(?![^()]*\))")

_FIELDS = {
    "metadata.name",
    "metadata.namespace",
    "type",
    "reason",
    "status.phase",
    "spec.nodeName",
    "source",
    "reportingComponent",
}


def label_predicate(selector: str) -> Predicate:
    """Return the check of labels against `a=b,c!=d,e in (f,g),h,!i`; `ApiError` 400 if unreadable."""
    parts = [_label_requirement(part) for part in _SEPARATOR.split(selector) if part.strip()]
    return lambda obj: all(part(obj.get("metadata", {}).get("labels") or {}) for part in parts)


def _label_requirement(text: str) -> Predicate:
    if found := _SET.match(text):
        key, operator, listed = found.groups()
        values = {value.strip() for value in listed.split(",")}
        if operator == "in":
            return lambda labels: labels.get(key) in values
        return lambda labels: labels.get(key) not in values
    if found := _EQUALITY.match(text):
        key, operator, value = found.groups()
        return lambda labels: (labels.get(key) == value) is (operator != "!=")
    if found := _EXISTENCE.match(text):
        negated, key = found.groups()
        return lambda labels: (key in labels) is not bool(negated)
    raise bad_request(f"unable to parse requirement: {text!r}")


def field_predicate(selector: str) -> Predicate:
    """Return the check of fields against `metadata.name=x,type!=y`; `ApiError` 400 if unsupported."""
    parts = [_field_requirement(part) for part in selector.split(",") if part.strip()]
    return lambda obj: all(part(obj) for part in parts)


def _field_requirement(text: str) -> Predicate:
    found = _EQUALITY.match(text)
    if not found:
        raise bad_request(f"invalid selector: {text!r}; can't understand {text!r}")
    path, operator, value = found.groups()
    if path not in _FIELDS and not path.startswith("involvedObject."):
        raise bad_request(f"field label not supported: {path}")
    return lambda obj: (_text_at(obj, path) == value) is (operator != "!=")


def _text_at(obj: Any, path: str) -> str:
    for name in path.split("."):
        obj = obj.get(name) if isinstance(obj, dict) else None
    return "" if obj is None else str(obj)
