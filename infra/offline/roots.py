"""Name the folders that Terraform is applied in."""

from __future__ import annotations

from pathlib import Path

INFRA = Path(__file__).parents[1]

# In the order in which they are applied: by a person, then by the pipeline.
NAMES = ("bootstrap", "terraform")
FOLDERS = tuple(INFRA / name for name in NAMES)
