"""What kube-apiserver refuses with 422, for the kinds and fields that matter here.

Source: kubernetes/kubernetes `pkg/apis/{core,networking,apps}/validation`. Not complete: what is not checked
here is let through.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator
from typing import Any

from localcloud.kube.resources import Resource
from localcloud.kube.schema import conformance, names, schemas
from localcloud.kube.schema.names import invalid_value, required
from localcloud.kube.schema.schemas import Schema
from localcloud.kube.status import Cause

Json = dict[str, Any]


def causes(resource: Resource, obj: Json) -> list[Cause]:
    """Return everything that is wrong with an object that was defaulted; empty if it may be stored."""
    found = list(names.metadata_causes(resource, obj))
    if resource.is_custom:
        return found + conformance.limits(obj, schemas.of(resource))
    found += _enum_causes(obj, schemas.of(resource), "")
    kind_causes = _KINDS.get(resource.kind)
    return found + list(kind_causes(obj)) if kind_causes else found


def update_causes(resource: Resource, live: Json, obj: Json) -> list[Cause]:
    """Return what an update may not change."""
    found = []
    for path in _IMMUTABLE.get(resource.kind, ()):
        old, new = _at(live, path), _at(obj, path)
        if old not in (None, "") and old != new:
            found.append(invalid_value(path, new, "field is immutable"))
    if resource.kind == "Service":
        found += _address_causes(live["spec"], obj["spec"])
        found += _balancer_status_causes(live, obj)
    if resource.kind in {"Secret", "ConfigMap"} and live.get("immutable"):
        fields = ("data", "binaryData")
        rule = "field is immutable when `immutable` is set"
        found += [
            Cause("FieldValueForbidden", f"Forbidden: {rule}", name)
            for name in fields
            if live.get(name) != obj.get(name)
        ]
    return found


def _address_causes(old: Json, new: Json) -> list[Cause]:
    before, after = old.get("clusterIPs"), new.get("clusterIPs")
    if not before or before == after or "ExternalName" in {old["type"], new["type"]}:
        return []
    return [invalid_value("spec.clusterIPs[0]", after, "may not change once set")]


def _balancer_status_causes(live: Json, obj: Json) -> list[Cause]:
    path = "status.loadBalancer.ingress"
    if not _at(obj, path) or _at(obj, path) == _at(live, path) or obj["spec"]["type"] == "LoadBalancer":
        return []
    message = "Forbidden: may only be used when `spec.type` is 'LoadBalancer'"
    return [Cause("FieldValueForbidden", message, path)]


_IMMUTABLE = {
    "Secret": ("type",),
    "Deployment": ("spec.selector",),
    "ReplicaSet": ("spec.selector",),
    "StatefulSet": ("spec.selector", "spec.serviceName"),
    "IngressClass": ("spec.controller",),
    "RoleBinding": ("roleRef",),
}


def _at(obj: Any, path: str) -> Any:
    for name in path.split("."):
        obj = obj.get(name) if isinstance(obj, dict) else None
    return obj


def _enum_causes(value: Any, node: Schema, path: str) -> list[Cause]:
    if isinstance(value, dict):
        return [
            cause
            for name, inner in value.items()
            for cause in _enum_causes(
                inner, node.field(name) or schemas.ANYTHING, f"{path}.{name}".lstrip(".")
            )
        ]
    if isinstance(value, list):
        return [
            cause for at, item in enumerate(value) for cause in _enum_causes(item, node.item, f"{path}[{at}]")
        ]
    allowed = node.node.get("enum")
    if not allowed or value in allowed:
        return []
    listed = ", ".join(f'"{text}"' for text in sorted(allowed) if text)
    message = f'Unsupported value: "{value}": supported values: {listed}'
    return [Cause("FieldValueNotSupported", message, path)]


# Of a Secret's values, or a ConfigMap's, together: kubernetes/kubernetes `pkg/apis/core`, MaxSecretSize.
MOST_BYTES = 1024 * 1024
_TOO_LONG = f"Too long: may not be more than {MOST_BYTES} bytes"


def _decoded_bytes(data: Json) -> int:
    try:
        return sum(len(base64.b64decode(value)) for value in data.values())
    except (binascii.Error, TypeError):
        return 0  # refused for that


def _secret(obj: Json) -> Iterator[Cause]:
    data = obj.get("data") or {}
    for key in data:
        if not names.is_data_key(key):
            rule = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
            yield invalid_value(f"data[{key}]", key, rule)
    if _decoded_bytes(data) > MOST_BYTES:
        yield Cause("FieldValueTooLong", _TOO_LONG, "data")
    if obj["type"] == "kubernetes.io/tls":
        for key in ("tls.crt", "tls.key"):
            if key not in data:
                yield required(f"data[{key}]")


def _config_map(obj: Json) -> Iterator[Cause]:
    for name in ("data", "binaryData"):
        for key in obj.get(name) or {}:
            if not names.is_data_key(key):
                rule = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
                yield invalid_value(f"{name}[{key}]", key, rule)
    texts = sum(len(str(value).encode()) for value in (obj.get("data") or {}).values())
    if texts + _decoded_bytes(obj.get("binaryData") or {}) > MOST_BYTES:
        yield Cause("FieldValueTooLong", _TOO_LONG, "[]")


def _service(obj: Json) -> Iterator[Cause]:
    spec = obj["spec"]
    ports = spec.get("ports") or []
    if not ports and spec["type"] != "ExternalName" and spec.get("clusterIP") != "None":
        yield required("spec.ports")
    if spec.get("loadBalancerSourceRanges") and spec["type"] != "LoadBalancer":
        message = "Forbidden: may only be used when `type` is 'LoadBalancer'"
        yield Cause("FieldValueForbidden", message, "spec.LoadBalancerSourceRanges")
    seen: set[str] = set()
    for at, port in enumerate(ports):
        path = f"spec.ports[{at}]"
        name = port.get("name", "")
        if not name and len(ports) > 1:
            yield required(f"{path}.name")
        elif name in seen and name:
            yield Cause("FieldValueDuplicate", f'Duplicate value: "{name}"', f"{path}.name")
        elif name and not names.is_label(name):
            yield invalid_value(f"{path}.name", name, names.LABEL_RULE)
        seen.add(name)
        if not 1 <= port.get("port", 0) <= 65535:
            rule = "must be between 1 and 65535, inclusive"
            yield invalid_value(f"{path}.port", port.get("port", 0), rule)


def _ingress(obj: Json) -> Iterator[Cause]:
    spec = obj.get("spec") or {}
    if not spec.get("rules") and not spec.get("defaultBackend"):
        yield invalid_value("spec", [], "either `defaultBackend` or `rules` must be specified")
    if "defaultBackend" in spec:
        yield from _backend(spec["defaultBackend"], "spec.defaultBackend")
    for at, rule in enumerate(spec.get("rules") or []):
        base = f"spec.rules[{at}]"
        host = rule.get("host", "")
        if host and not names.is_subdomain(host.removeprefix("*.")):
            yield invalid_value(f"{base}.host", host, names.SUBDOMAIN_RULE)
        paths = (rule.get("http") or {}).get("paths")
        if "http" in rule and not paths:
            yield required(f"{base}.http.paths")
        for index, path in enumerate(paths or []):
            yield from _ingress_path(path, f"{base}.http.paths[{index}]")


def _ingress_path(path: Json, base: str) -> Iterator[Cause]:
    kind, text = path.get("pathType"), path.get("path", "")
    if not kind:
        yield required(f"{base}.pathType", "pathType must be specified")
    if (kind in {"Exact", "Prefix"} and not text.startswith("/")) or (text and not text.startswith("/")):
        yield invalid_value(f"{base}.path", text, "must be an absolute path")
    yield from _backend(path.get("backend") or {}, f"{base}.backend")


def _backend(backend: Json, base: str) -> Iterator[Cause]:
    service = backend.get("service")
    if service is None:
        if "resource" not in backend:
            yield required(base, "cannot set both resource and service backends")
        return
    if not service.get("name"):
        yield required(f"{base}.service.name")
    port = service.get("port") or {}
    if not port.get("name") and not port.get("number"):
        yield required(base, "port name or number is required")


def _deployment(obj: Json) -> Iterator[Cause]:
    spec = obj["spec"]
    template = spec.get("template") or {}
    wanted = (spec.get("selector") or {}).get("matchLabels") or {}
    if not spec.get("selector"):
        yield required("spec.selector")
    labels = (template.get("metadata") or {}).get("labels") or {}
    if any(labels.get(key) != value for key, value in wanted.items()):
        rule = "`selector` does not match template `labels`"
        yield invalid_value("spec.template.metadata.labels", labels, rule)
    yield from _pod_spec(template.get("spec") or {}, "spec.template.spec")
    strategy = spec.get("strategy") or {}
    if strategy.get("type") == "Recreate" and "rollingUpdate" in strategy:
        message = "Forbidden: may not be specified when strategy `type` is 'Recreate'"
        yield Cause("FieldValueForbidden", message, "spec.strategy.rollingUpdate")


def _pod_spec(spec: Json, base: str) -> Iterator[Cause]:
    containers = spec.get("containers") or []
    if not containers:
        yield required(f"{base}.containers")
    for at, container in enumerate(containers):
        for name in ("name", "image"):
            if not container.get(name):
                yield required(f"{base}.containers[{at}].{name}")


def _pod(obj: Json) -> Iterator[Cause]:
    yield from _pod_spec(obj.get("spec") or {}, "spec")


_KINDS: dict[str, Callable[[Json], Iterator[Cause]]] = {
    "Secret": _secret,
    "ConfigMap": _config_map,
    "Service": _service,
    "Ingress": _ingress,
    "Deployment": _deployment,
    "ReplicaSet": _deployment,
    "StatefulSet": _deployment,
    "Pod": _pod,
}


def undecodable_base64(obj: Json) -> str | None:
    """Return the key of the first value of a Secret's `data` that is not base64, if there is one."""
    for key, value in (obj.get("data") or {}).items():
        try:
            base64.b64decode(value, validate=True)
        except binascii.Error:
            return str(key)
    return None
