"""A plan: the changes that would bring the cluster to the desired state. Empty: nothing to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Change:
    """One field of one object. Values of Secrets are never held, only the fact that they differ."""

    target: str  # "Service default/my-release-milvus" | "Release default/my-release"
    field: str  # dotted path
    before: Any  # None: not set
    after: Any  # None: removed


Plan = tuple[Change, ...]
