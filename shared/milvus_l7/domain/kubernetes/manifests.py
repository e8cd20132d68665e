"""Kubernetes objects as JSON, and the mark of those that milvus-l7 made."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from milvus_l7.domain.setup.desired import Desired
from milvus_l7.domain.text import untrusted

Manifest = Mapping[str, Any]  # a Kubernetes object as JSON

MANAGED_BY = "app.kubernetes.io/managed-by"
# No object has it: a store's first write makes the second revision. An apply that names it can only create,
# because kube-apiserver compares the version of an object that is there, and of no other
# (k8s.io/apiserver `pkg/registry/generic/registry/store.go`, Update). The Java operator SDK creates so, too.
NO_VERSION = "1"
_PRECONDITIONS = ("uid", "resourceVersion")
OURS = "milvus-l7"  # value of that label, and the field manager of what we apply
# The labels of what we made, and of what somebody else made and we work with, which is never deleted.
MADE: Mapping[str, str] = {MANAGED_BY: OURS}
ADOPTED: Mapping[str, str] = {"milvus-l7/adopted": "true"}

LONG_AGO = datetime.min.replace(tzinfo=UTC)  # when something was that does not tell its time


def moment(told: object) -> datetime | None:
    """Return a time in an object, in UTC; None if it is none, or tells no time zone."""
    try:
        found = datetime.fromisoformat(untrusted.text(told))
        return found.astimezone(UTC) if found.tzinfo else None
    except (ValueError, OverflowError):
        return None


def is_ours(live: Manifest | None) -> bool:
    """Return whether we made the object, or would make it: only such ones are ever deleted."""
    return live is None or MADE.items() <= untrusted.mapping(live, "metadata", "labels").items()


def is_adopted(live: Manifest | None) -> bool:
    """Return whether the object is somebody else's that was adopted."""
    return ADOPTED.items() <= untrusted.mapping(live, "metadata", "labels").items()


def is_held(live: Manifest | None) -> bool:
    """Return whether the object is ours to write: made by us, or adopted."""
    return is_ours(live) or is_adopted(live)


def mark(live: Manifest | None) -> Mapping[str, str]:
    """Return the labels with which we write an object."""
    return MADE if is_ours(live) else ADOPTED


def is_terminating(live: Manifest | None) -> bool:
    """Return whether the object is being deleted; finalizers, or a Pod's processes, may keep it a while."""
    return bool(untrusted.mapping(live, "metadata").get("deletionTimestamp"))


def address(live: Manifest | None) -> str | None:
    """Return the IP address of the load balancer that a Service or an Ingress has got, or None.

    Having one does not mean that it serves.
    """
    entries = untrusted.objects(untrusted.mapping(live, "status", "loadBalancer").get("ingress"))
    return untrusted.text(entries[0].get("ip")) or None if entries else None


def empty_apply(live: Manifest) -> Manifest:
    """Return the object without any field: applied, it removes the fields that we alone have set."""
    metadata = {key: live["metadata"][key] for key in ("namespace", "name")}
    return {"apiVersion": live["apiVersion"], "kind": live["kind"], "metadata": metadata}


def metadata(desired: Desired, name: str, labels: Mapping[str, str] = MADE) -> dict[str, Any]:
    """Return the metadata of an object that we write, with our label."""
    return {"namespace": desired.namespace, "name": name, "labels": dict(labels)}


def onto(live: Manifest | None, manifest: Manifest) -> Manifest:
    """Return the manifest as it is applied onto the object as it was read, and onto nothing else.

    Without one it can only be created. What a dry run returned for an object that it would make has no
    version, and names none.
    """
    read = {key: live["metadata"][key] for key in _PRECONDITIONS if key in live["metadata"]} if live else {}
    named = read if live else {"resourceVersion": NO_VERSION}
    return {**manifest, "metadata": {**manifest["metadata"], **named}}


def unconditional(manifest: Manifest) -> Manifest:
    """Return the manifest without what `onto` adds."""
    kept = {key: value for key, value in manifest["metadata"].items() if key not in _PRECONDITIONS}
    return {**manifest, "metadata": kept}
