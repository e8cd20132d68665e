"""Package the functions: one folder each, with `main.py` at its root and the package `milvus_l7` beside it.

    python -m infra.bundle dist            # dist/prepare_tls/main.py, dist/prepare_tls/milvus_l7/, ...

The folder is what is deployed, and what the embedded cloud runs.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent
TOPOLOGY = ROOT / "infra" / "topology.yaml"
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc")


def topology() -> dict[str, Any]:
    """Return the parsed `infra/topology.yaml`."""
    return dict(yaml.safe_load(TOPOLOGY.read_text(encoding="utf-8")))


def function_names() -> list[str]:
    """Return the names of the topology's functions, in the order of the chain."""
    return list(topology()["functions"])


def bundle(name: str, target: Path) -> Path:
    """Write the bundle of one function to `target/name`, and return that folder.

    What was there is replaced.
    """
    folder = target / name
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "functions" / name, folder, ignore=LEFT_OUT)
    shutil.copytree(ROOT / "shared" / "milvus_l7", folder / "milvus_l7", ignore=LEFT_OUT)
    (folder / "milvus_l7" / "topology.json").write_text(json.dumps(topology()), encoding="utf-8")
    shutil.copy(ROOT / "constraints.txt", folder)
    return folder


if __name__ == "__main__":
    for function in function_names():
        sys.stdout.write(f"{bundle(function, Path(sys.argv[1]))}\n")
