"""Run Terraform, or OpenTofu, on a copy of a folder, against the provider that has only its arguments."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.offline.provider import serving
from infra.offline.roots import INFRA
from infra.offline.schema import SCHEMA

# State stays in the copy, whatever the folder says.
LOCAL_STATE = 'terraform {\n  backend "local" {}\n}\n'
BINARIES = ("terraform", "tofu")


class RefusedError(Exception):
    """A command has failed; the text is what it said."""


def binary() -> str | None:
    """Return the path of Terraform, or else of OpenTofu; None if neither is there."""
    return next((found for name in BINARIES if (found := shutil.which(name))), None)


@dataclass(frozen=True, slots=True)
class Workspace:
    """A copy of one folder, initialised."""

    folder: Path
    binary: str
    environment: Mapping[str, str]

    def run(self, *arguments: str) -> str:
        """Return what a command prints; `RefusedError` if it fails."""
        ended = subprocess.run(
            [self.binary, *arguments],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if ended.returncode:
            raise RefusedError(ended.stdout)
        return ended.stdout

    def plan(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Return what would be made of nothing, as Terraform writes a plan in JSON."""
        values = self.folder / "offline.auto.tfvars.json"
        values.write_text(json.dumps(variables), encoding="utf-8")
        self.run("plan", "-input=false", "-no-color", "-out=offline.plan")
        return dict(json.loads(self.run("show", "-json", "offline.plan")))


@contextmanager
def workspace(name: str, program: str) -> Iterator[Workspace]:
    """Copy the folder `infra/NAME` and what it reads, and initialise the copy."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / name
        shutil.copytree(INFRA / name, folder, ignore=shutil.ignore_patterns(".terraform*"))
        shutil.copy(INFRA / "topology.yaml", scratch)
        (folder / "offline_override.tf").write_text(LOCAL_STATE, encoding="utf-8")
        schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
        with serving(schema, Path(scratch)) as attached:
            ready = Workspace(folder, program, _environment(attached))
            ready.run("init", "-input=false", "-no-color")
            yield ready


def _environment(attached: Mapping[str, str]) -> Mapping[str, str]:
    """Return the environment without what a person has set for other deployments."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TF_", "GOOGLE_"))}
    return {**kept, **attached, "CHECKPOINT_DISABLE": "1", "TF_CLI_CONFIG_FILE": os.devnull}
