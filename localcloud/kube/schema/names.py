"""The rules for names, labels and annotations of Kubernetes objects.

Source: k8s.io/apimachinery `pkg/util/validation` and `pkg/api/validation`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from localcloud.kube.resources import Resource
from localcloud.kube.status import Cause

Json = dict[str, Any]

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LABEL_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_LABEL_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
_DATA_KEY = re.compile(r"[-._a-zA-Z0-9]+")

SUBDOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
    "and must start and end with an alphanumeric character (e.g. 'example.com', regex used for "
    r"validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
LABEL_RULE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must "
    "start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for "
    "validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_LABEL_1035_RULE = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
    "alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', "
    "regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
)
_QUALIFIED_RULE = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with "
    "an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "
    "validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_LABEL_VALUE_RULE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', "
    "and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or "
    "'12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)

_RULES = {  # kind -> (expression, longest, wording)
    "Namespace": (_LABEL, 63, LABEL_RULE),
    "Service": (_LABEL_1035, 63, _LABEL_1035_RULE),
}
_SUBDOMAIN_NAMES = (_SUBDOMAIN, 253, SUBDOMAIN_RULE)


def invalid_value(field: str, value: Any, rule: str) -> Cause:
    """Return a cause of reason FieldValueInvalid in the server's words."""
    shown = json.dumps(value, ensure_ascii=False)
    return Cause("FieldValueInvalid", f"Invalid value: {shown}: {rule}", field)


def required(field: str, detail: str = "") -> Cause:
    """Return a cause of reason FieldValueRequired in the server's words."""
    return Cause("FieldValueRequired", f"Required value: {detail}" if detail else "Required value", field)


def metadata_causes(resource: Resource, obj: Json) -> Iterator[Cause]:
    """Return what is wrong with the name, the labels and the annotations."""
    meta = obj["metadata"]
    name = meta.get("name", "")
    if not name:
        yield required("metadata.name", "name or generateName is required")
    elif resource.group != "rbac.authorization.k8s.io":
        expression, longest, rule = _RULES.get(resource.kind, _SUBDOMAIN_NAMES)
        if len(name) > longest:
            yield invalid_value("metadata.name", name, f"must be no more than {longest} characters")
        if not expression.fullmatch(name):
            yield invalid_value("metadata.name", name, rule)
    for key, value in (meta.get("labels") or {}).items():
        yield from _qualified_causes("metadata.labels", key)
        if len(value) > 63:
            yield invalid_value("metadata.labels", value, "must be no more than 63 bytes")
        elif not _LABEL_VALUE.fullmatch(value):
            yield invalid_value("metadata.labels", value, _LABEL_VALUE_RULE)
    for key in meta.get("annotations") or {}:
        yield from _qualified_causes("metadata.annotations", key)


def _qualified_causes(field: str, key: str) -> Iterator[Cause]:
    prefix, slash, name = key.rpartition("/")
    if slash and (not _SUBDOMAIN.fullmatch(prefix.lower()) or len(prefix) > 253):
        yield invalid_value(field, key, f"prefix part {SUBDOMAIN_RULE}")
    if not name:
        yield invalid_value(field, key, "name part must be non-empty")
    elif len(name) > 63:
        yield invalid_value(field, key, "name part must be no more than 63 bytes")
    elif not _QUALIFIED.fullmatch(name):
        yield invalid_value(field, key, _QUALIFIED_RULE)


def is_data_key(key: str) -> bool:
    """Return True for what may be a key of a Secret or ConfigMap."""
    return len(key) <= 253 and bool(_DATA_KEY.fullmatch(key)) and key not in {".", ".."}


def is_label(text: str) -> bool:
    """Return True for a DNS label (RFC 1123)."""
    return len(text) <= 63 and bool(_LABEL.fullmatch(text))


def is_subdomain(text: str) -> bool:
    """Return True for a lower-case DNS name."""
    return len(text) <= 253 and bool(_SUBDOMAIN.fullmatch(text))
