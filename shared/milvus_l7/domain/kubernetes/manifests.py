"""The Kubernetes objects that a setup needs, as JSON.

Names: a Service's name has at most 63 characters (RFC 1035 label), and names of the other kinds may have 253
(RFC 1123 subdomain), so a Service's name with a suffix always fits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from milvus_l7.domain.setup.desired import Desired
from milvus_l7.domain.text import untrusted

Manifest = Mapping[str, Any]

MANAGED_BY = "app.kubernetes.io/managed-by"
OURS = "milvus-l7"


def is_ours(live: Manifest | None) -> bool:
    """Whether we made the object, or would make it: only such objects are labelled, and ever deleted."""
    if live is None:
        return True
    return bool(untrusted.mapping(live, "metadata", "labels").get(MANAGED_BY) == OURS)


def nothing_of(live: Manifest) -> Manifest:
    """The object without any field: applied, it takes back the fields that we have set."""
    metadata = {key: live["metadata"][key] for key in ("namespace", "name")}
    return {"apiVersion": live["apiVersion"], "kind": live["kind"], "metadata": metadata}


def _metadata(desired: Desired, name: str, *, labelled: bool) -> dict[str, Any]:
    metadata: dict[str, Any] = {"namespace": desired.namespace, "name": name}
    return metadata | ({"labels": {MANAGED_BY: OURS}} if labelled else {})
