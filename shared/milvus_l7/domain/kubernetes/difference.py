"""What applying an object would change, for users: only fields that someone set, never a credential."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import count
from typing import Any

from milvus_l7.domain.kubernetes.change import Change, Plan
from milvus_l7.domain.kubernetes.manifests import Manifest
from milvus_l7.domain.text import untrusted
from milvus_l7.domain.text.differences import Part, Path, by_key, differences

HIDDEN = "<hidden>"
# Kinds whose data may be a credential: user.yaml, in a ConfigMap, can hold those of the object storage.
CONFIDENTIAL = frozenset({"Secret", "ConfigMap"})

# Kept by the API server itself; they differ between any two reads.
_SERVER_METADATA = frozenset(
    {
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "generation",
        "managedFields",
        "resourceVersion",
        "selfLink",
        "uid",
    }
)
_IDENTITY = frozenset({"apiVersion", "kind", "status"})


def difference(before: Manifest | None, after: Manifest) -> Plan:
    """Return the changes from the live object (None: there is none) to the one that a dry run returned.

    Status and what the API server keeps itself are left out. A missing object is never an empty plan.
    """
    target = f"{after['kind']} {after['metadata'].get('namespace', '')}/{after['metadata']['name']}"
    hides = after["kind"] in CONFIDENTIAL
    found = differences(own(before or {}), own(after), _parts)
    fields = ((_field(path), old, new) for path, old, new in found)
    return tuple(
        Change(target, field, _shown(field, old, hides=hides), _shown(field, new, hides=hides))
        for field, old, new in fields
    )


def deletion(live: Manifest) -> Change:
    """Return the change that deletes an object."""
    metadata = live["metadata"]
    return Change(f"{live['kind']} {metadata['namespace']}/{metadata['name']}", "", "present", None)


def own(manifest: Manifest) -> dict[str, Any]:
    """Return what somebody has set in an object: no status, no identity, nothing of the server's own."""
    metadata = untrusted.mapping(manifest, "metadata")
    own = {key: value for key, value in manifest.items() if key not in _IDENTITY}
    return own | {"metadata": {k: v for k, v in metadata.items() if k not in _SERVER_METADATA}}


def _parts(before: Any, after: Any) -> Iterable[Part] | None:
    """Return what is inside two objects, of which one may be missing, or two lists of one length."""
    if isinstance(after, Mapping) and isinstance(before, Mapping | None) and (before or after):
        return by_key(before or {}, after)
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        return zip(count(), before, after, strict=False)
    return None


def _field(path: Path) -> str:
    """Return a path as text.

    Dotted, except for keys that hold dots themselves: `metadata.annotations[cloud.google.com/neg]`.
    """
    field = ""
    for step in path:
        if isinstance(step, int) or "." in step or "/" in step:
            field += f"[{step}]"
        else:
            field += f".{step}" if field else step
    return field


def _shown(field: str, value: Any, *, hides: bool) -> Any:
    secret = hides and field.startswith(("data", "stringData"))
    # An annotation can hold a whole earlier manifest (kubectl's last-applied-configuration).
    annotated = hides and field.startswith("metadata.annotations")
    return HIDDEN if value is not None and (secret or annotated) else value
