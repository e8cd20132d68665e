"""Objects that somebody made by hand and that we take over: whose they are, how they were, how they go back.

A record is JSON: [[path, value], ...] for every field that we may set, null for one that was not set. It is
written before the first write and outlives generations.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from milvus_l7.domain.kubernetes import owned_fields
from milvus_l7.domain.kubernetes.manifests import ADOPTED, MANAGED_BY, OURS, Manifest
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Permanent
from milvus_l7.domain.setup.facts import Adopted
from milvus_l7.domain.text import untrusted
from milvus_l7.domain.text.excerpt import excerpt

# Who gets the fields back: what `kubectl` itself applies as, so that it meets no foreign owner afterwards.
KUBECTL = "kubectl"
LONGEST_RECORD = 32 * 1024  # characters of JSON
_SHOWN = 80

Path = tuple[str, ...]
# What tools that write an object again and again leave on it.
_CLAIMS: tuple[tuple[str, str, str], ...] = (
    ("labels", MANAGED_BY, "is managed by"),
    ("annotations", "meta.helm.sh/release-name", "belongs to the Helm release"),
    ("annotations", "argocd.argoproj.io/tracking-id", "belongs to the Argo CD application"),
    ("labels", "kustomize.toolkit.fluxcd.io/name", "belongs to the Flux Kustomization"),
    ("labels", "helm.toolkit.fluxcd.io/name", "belongs to the Flux HelmRelease"),
)


def claim(live: Manifest) -> str | None:
    """Return whose the object is who would write it again, in words; None: nobody's but a person's."""
    metadata = untrusted.mapping(live, "metadata")
    for owner in untrusted.objects(metadata.get("ownerReferences")):
        return f"is owned by {excerpt(owner.get('kind'), _SHOWN)} {excerpt(owner.get('name'), _SHOWN)}"
    for where, key, words in _CLAIMS:
        if key in untrusted.mapping(metadata, where):
            return f"{words} {excerpt(untrusted.mapping(metadata, where)[key], _SHOWN)}"
    return None


def named(live: Manifest) -> str:
    """Return what the object is called in messages."""
    metadata = untrusted.mapping(live, "metadata")
    return f"{live['kind']} {metadata['name']} in namespace {metadata['namespace']}"


def not_adopted(live: Manifest) -> str:
    """Return the words that refuse an object of somebody else's without leave to adopt it."""
    found = claim(live)
    why = f": it {found}" if found else ', and the request lacks "adopt": true'
    return f"{named(live)} was not made by milvus-l7{why}"


def refuse_unfit(live: Manifest, fault: str | None) -> None:
    """Raise `Permanent(NOT_ADOPTABLE)` if somebody claims the object, or it does not fit for that fault."""
    found = claim(live) or fault
    if found is not None:
        raise Permanent(Reason.NOT_ADOPTABLE, f"{named(live)} cannot be adopted: it {found}")


def recorded(live: Manifest, paths: Iterable[Path] = ()) -> Adopted:
    """Return the record of an object, with what it has at those paths.

    A field that only an apply of ours has set was not found. Raises `Permanent(NOT_ADOPTABLE)` if it is
    larger than a record may be.
    """
    ours = owned_fields.applied_by(live, OURS)
    values = [(path, None if _at(ours, path) is not None else _at(live, path)) for path in paths]
    found = json.dumps(values) if values else ""
    if len(found) > LONGEST_RECORD:
        refuse_unfit(live, f"holds more than the {LONGEST_RECORD} characters that can be given back")
    return Adopted(live["kind"], live["metadata"]["name"], untrusted.text(live["metadata"].get("uid")), found)


def given_back(live: Manifest, record: Adopted | None) -> Manifest:
    """Return what is applied as `KUBECTL`, before our own fields are let go: the object as it was found.

    Without a record it keeps what it has, but for our label.
    """
    manifest = owned_fields.applied_by(live, KUBECTL)
    if record is None or not record.found:
        return _merged(manifest, _unlabelled(live))
    for path, value in json.loads(record.found):
        if value is not None:
            manifest = owned_fields.with_field(manifest, tuple(path), value)
    return manifest


def _unlabelled(live: Manifest) -> Manifest:
    ours = owned_fields.applied_by(live, OURS)
    labels = untrusted.mapping(ours, "metadata", "labels")
    kept = {key: value for key, value in labels.items() if key not in ADOPTED}
    return {**ours, "metadata": {**ours["metadata"], "labels": kept}}


def _merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    inner = {
        key: _merged(untrusted.mapping(under, key), value) if isinstance(value, Mapping) else value
        for key, value in over.items()
    }
    return {**under, **inner}


def _at(manifest: Any, path: Path) -> Any:
    for step in path:
        manifest = manifest.get(step) if isinstance(manifest, Mapping) else None
    return manifest
