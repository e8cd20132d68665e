"""Put the topology into the package `milvus_l7` when a wheel is built; all else is said in pyproject.toml."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import yaml
from setuptools import setup
from setuptools.command.build_py import build_py

SOURCE = Path(__file__).parent / "infra" / "topology.yaml"


class BuildWithTopology(build_py):
    """Writes `topology.json` beside the modules; an editable install reads the source instead."""

    def run(self) -> None:
        """Build the packages from nothing, so that no module of an earlier build is left in them."""
        if not self.editable_mode:
            shutil.rmtree(self.build_lib, ignore_errors=True)
        super().run()
        for path in self._topology():
            path.write_text(json.dumps(yaml.safe_load(SOURCE.read_text(encoding="utf-8"))), encoding="utf-8")

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        """Return what `run` writes."""
        return [*super().get_outputs(include_bytecode), *map(str, self._topology())]

    def _topology(self) -> list[Path]:
        return [] if self.editable_mode else [Path(self.build_lib) / "milvus_l7" / "topology.json"]


setup(cmdclass={"build_py": BuildWithTopology})
