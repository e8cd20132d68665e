"""Does an upgrade stay within TLS, the Service's type and annotations? By what its renderings differ in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from milvus_l7.domain.kubernetes import kinds
from milvus_l7.domain.kubernetes.manifests import Manifest
from milvus_l7.domain.release import intent
from milvus_l7.domain.release.intent import Intent
from milvus_l7.domain.text import excerpt
from milvus_l7.domain.text.differences import Path
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
_USER_YAML = ("data", "user.yaml")
_ANNOTATIONS = ("metadata", "annotations")
_POD_ANNOTATIONS = ("spec", "template", *_ANNOTATIONS)
SHOWN = 5


def unexpected_changes(
    before: Sequence[Manifest], after: Sequence[Manifest], fullname: str, annotations: Sequence[str] = ()
) -> str:
    """Return what the upgrade would do beyond what it is for; "" if nothing.

    That is the Service's type, those of its annotations, `user.yaml`, and Pods' checksums. Names objects and
    fields, never values: they may be secret.
    """
    there = {intent.place(each, ""): each for each in before}  # an object may be rendered twice
    found = [
        words
        for each in intent.intents([list(there.values())], after, "").values()
        for words in _unexpected(each, fullname, annotations)
    ]
    return excerpt.listed(found, SHOWN)


def _unexpected(meant: Intent, fullname: str, annotations: Sequence[str]) -> Iterator[str]:
    if meant.before is None or meant.after is None:
        yield f"{meant.name} would be {'created' if meant.before is None else 'deleted'}"
        return
    for path, _, _ in meant.differences:
        if not _is_expected(meant.after, path, fullname, annotations):
            yield f"{meant.name} would change in {intent.described(path)}"


def _is_expected(manifest: Manifest, path: Path, fullname: str, annotations: Sequence[str]) -> bool:
    kind, is_main = manifest.get("kind"), text(mapping(manifest, "metadata").get("name")) == fullname
    if kind == kinds.SERVICE.kind and is_main:
        is_type = path[:1] == ("spec",) and path[1:2] and path[1] in _TYPE_FIELDS
        is_node_port = path[:2] == ("spec", "ports") and path[-1] == "nodePort"
        is_annotation = path[:2] == _ANNOTATIONS and path[-1] in annotations
        return bool(is_type or is_node_port or is_annotation)
    if kind == kinds.CONFIG_MAP.kind and is_main:
        return path == _USER_YAML
    return kind in _WORKLOADS and path[:-1] == _POD_ANNOTATIONS and str(path[-1]).startswith("checksum/")
