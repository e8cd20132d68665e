"""Package the functions: one folder each, with `main.py` at its root and the package `milvus_l7` beside it.

    python -m infra.bundle dist            # dist/prepare_tls/main.py, dist/prepare_tls/milvus_l7/, ...
    python -m infra.bundle --together app  # app/functions/prepare_tls/main.py, ..., app/milvus_l7/

A folder of the first kind can be deployed alone; the embedded cloud runs it. The second is in the image.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable, Sequence
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
    _copy_package(folder)
    shutil.copy(ROOT / "constraints.txt", folder)
    return folder


def together(folder: Path) -> Path:
    """Write all functions, and the package once beside them, into a new folder, and return it."""
    for name in function_names():
        shutil.copytree(ROOT / "functions" / name, folder / "functions" / name, ignore=LEFT_OUT)
    _copy_package(folder)
    return folder


def _copy_package(folder: Path) -> None:
    shutil.copytree(ROOT / "shared" / "milvus_l7", folder / "milvus_l7", ignore=LEFT_OUT)
    (folder / "milvus_l7" / "topology.json").write_text(json.dumps(topology()), encoding="utf-8")


def main(arguments: Sequence[str]) -> None:
    """Write what the arguments say, and name each folder written."""
    *options, target = arguments
    written = [together(Path(target))] if options == ["--together"] else _each(Path(target))
    for folder in written:
        sys.stdout.write(f"{folder}\n")


def _each(target: Path) -> Iterable[Path]:
    return (bundle(name, target) for name in function_names())


if __name__ == "__main__":
    main(sys.argv[1:])
