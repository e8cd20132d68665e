"""The hooks of a chart: objects that Helm makes, waits for and deletes around an upgrade."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from milvus_l7.domain.kubernetes.manifests import Manifest
from milvus_l7.domain.text import bounded_yaml
from milvus_l7.domain.text.untrusted import mapping, text

LIMITS = bounded_yaml.Limits(1024 * 1024, depth=64, nodes=50_000)
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_BEFORE = "before-hook-creation"  # Helm's policy where a hook names none
_DONE: Mapping[str, Manifest] = {
    "Job": {
        "succeeded": 1,
        "conditions": [
            {"type": "Complete", "status": "True"},
            {"type": "SuccessCriteriaMet", "status": "True"},
        ],
    },
    "Pod": {"phase": "Succeeded"},
}


@dataclass(frozen=True, slots=True)
class Hook:
    """One hook as Helm stores it."""

    text: str
    manifest: Manifest
    events: Sequence[str]  # pre-upgrade, post-upgrade, ...
    policies: Sequence[str]  # when its object is deleted

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Hook:
        """Return the hook; raises `ValueError` if it is no YAML object, or beyond any that we know."""
        content = text(stored.get("manifest"))
        bounded_yaml.check(content, LIMITS)
        try:
            found = yaml.load(content, _LOADER)  # noqa: S506 (a safe one)
        except (yaml.YAMLError, ArithmeticError, TypeError, AttributeError, LookupError):
            raise ValueError("a hook is not YAML") from None
        if not isinstance(found, dict):
            raise ValueError("a hook is no object")  # noqa: TRY004 (one error for what cannot be read)
        events, policies = stored.get("events"), stored.get("delete_policies")
        named = policies if isinstance(policies, list) and policies else [_BEFORE]
        return cls(content, found, events if isinstance(events, list) else [], named)

    @property
    def kind(self) -> str:
        """Return the kind of its object."""
        return text(self.manifest.get("kind"))

    @property
    def name(self) -> str:
        """Return what its object is called in messages."""
        return f"{self.kind} {text(mapping(self.manifest, 'metadata').get('name'))}"

    @property
    def told(self) -> str:
        """Return when it runs and what becomes of it, for people."""
        fate = ", then deleted" if "hook-succeeded" in self.policies else ""
        return f"runs as hook ({', '.join(map(str, self.events))}){fate}"

    def finished(self, namespace: str) -> Manifest:
        """Return its object as it is when it has run."""
        named = {"namespace": namespace, "resourceVersion": "1", "generation": 1}
        metadata = {**mapping(self.manifest, "metadata"), **named}
        return {**self.manifest, "metadata": metadata, "status": _DONE.get(self.kind, {})}

    def runs_at(self, action: str) -> bool:
        """Return whether it runs before or after the action: upgrade, rollback."""
        return f"pre-{action}" in self.events or f"post-{action}" in self.events
