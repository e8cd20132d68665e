"""Files in ConfigMaps, compared by what they mean: quotes, line ends and the order of keys are none of it."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import yaml

from milvus_l7.domain.kubernetes import kinds
from milvus_l7.domain.kubernetes.manifests import Manifest
from milvus_l7.domain.text import bounded_yaml
from milvus_l7.domain.text.differences import Path

LIMITS = bounded_yaml.Limits(256 * 1024, depth=64, nodes=20_000)


def is_same(manifest: Manifest, path: Path, old: Any, new: Any) -> bool:
    """Return whether two values of a field mean the same although they may be written differently."""
    if manifest.get("kind") != kinds.CONFIG_MAP.kind or path[:1] != ("data",) or len(path) != 2:
        return False
    return isinstance(old, str) and isinstance(new, str) and _meaning(old) == _meaning(new)


@lru_cache(maxsize=32)
def _meaning(content: str) -> Any:
    """Return the YAML in a text, its scalars as text; of what is none, the text without its line ends."""
    lines = "\n".join(line.rstrip() for line in content.strip().splitlines())
    try:
        bounded_yaml.check(content, LIMITS)
        loaded = yaml.load(content, yaml.BaseLoader)  # noqa: S506 (it makes nothing but texts, lists and maps)
    except (ValueError, yaml.YAMLError, LookupError, TypeError, AttributeError, ArithmeticError):
        return lines
    return loaded if isinstance(loaded, dict | list) else lines
