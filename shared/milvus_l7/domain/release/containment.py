"""Does an upgrade stay within TLS and the Service type? Two renderings are compared object by object."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from milvus_l7.domain.kubernetes.manifests import Manifest
from milvus_l7.domain.text.differences import Part, by_key, differences
from milvus_l7.domain.text.untrusted import mapping, text

# Fields of a Service that exist, or differ, only because of its type.
_TYPE_FIELDS = frozenset(
    {
        "allocateLoadBalancerNodePorts",
        "externalTrafficPolicy",
        "healthCheckNodePort",
        "loadBalancerClass",
        "loadBalancerIP",
        "loadBalancerSourceRanges",
        "type",
    }
)
_WORKLOADS = frozenset({"DaemonSet", "Deployment", "StatefulSet"})
SHOWN = 5


def unexpected_changes(before: Sequence[Manifest], after: Sequence[Manifest], fullname: str) -> str:
    """Return what the upgrade would do beyond Service type, `user.yaml` and Pods' checksums; "" if nothing.

    Names objects and fields, never values: they may be secret.
    """
    old, new = {_key(o): o for o in before}, {_key(o): o for o in after}
    lost = [f"{_words(key)} would be deleted" for key in sorted(old.keys() - new.keys())]
    gained = [f"{_words(key)} would be created" for key in sorted(new.keys() - old.keys())]
    changed = [
        f"{_words(key)} would change in {'.'.join(map(str, path))}"
        for key in sorted(old.keys() & new.keys())
        for path, _, _ in differences(_fixed(old[key], fullname), _fixed(new[key], fullname), _parts)
    ]
    found = [*lost, *gained, *changed]
    more = f"; and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return "; ".join(found[:SHOWN]) + more


def _key(manifest: Manifest) -> tuple[str, ...]:
    metadata = mapping(manifest, "metadata")
    names = (text(metadata.get("namespace")), text(metadata.get("name")))
    return (text(manifest.get("apiVersion")), text(manifest.get("kind")), *names)


def _words(key: tuple[str, ...]) -> str:
    return f"{key[1]} {key[3]}"


def _fixed(manifest: Manifest, fullname: str) -> Any:
    """Return the part of an object that must not change."""
    kind, name = manifest.get("kind"), mapping(manifest, "metadata").get("name")
    if (kind, name) == ("Service", fullname):
        spec = {k: v for k, v in mapping(manifest, "spec").items() if k not in _TYPE_FIELDS}
        return {**manifest, "spec": {**spec, "ports": _without_node_ports(spec.get("ports"))}}
    if (kind, name) == ("ConfigMap", fullname):
        kept = {key: value for key, value in mapping(manifest, "data").items() if key != "user.yaml"}
        return {**manifest, "data": kept}
    if kind in _WORKLOADS:
        return _without_checksums(manifest)
    return manifest


def _without_node_ports(ports: Any) -> Any:
    if not isinstance(ports, list):
        return ports
    return [{k: v for k, v in p.items() if k != "nodePort"} if isinstance(p, Mapping) else p for p in ports]


def _without_checksums(manifest: Manifest) -> Any:
    annotations = mapping(manifest, "spec", "template", "metadata", "annotations")
    kept = {key: value for key, value in annotations.items() if not key.startswith("checksum/")}
    template = mapping(manifest, "spec", "template")
    metadata = {**mapping(template, "metadata"), "annotations": kept}
    return {**manifest, "spec": {**mapping(manifest, "spec"), "template": {**template, "metadata": metadata}}}


def _parts(before: Any, after: Any) -> Iterable[Part] | None:
    return by_key(before, after) if isinstance(before, Mapping) and isinstance(after, Mapping) else None
