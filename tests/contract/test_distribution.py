"""What is distributed: a wheel with two packages, whose command works in any folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from infra.bundle import topology

ROOT = Path(__file__).parents[2]
BUILT_FROM = ("pyproject.toml", "setup.py", "README.md", "LICENSE", "NOTICE", "shared", "cli", "infra")
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

# The folder's packages come before those that are installed.
COMMAND = """
import sys
folder = sys.argv.pop(1)
sys.path.insert(0, folder)
import milvus_l7, milvus_l7_cli
from milvus_l7_cli.main import main
for package in (milvus_l7, milvus_l7_cli):
    assert package.__file__.startswith(folder), package.__file__
main()
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, because a build leaves files beside its source."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in BUILT_FROM:
        path = ROOT / name
        shutil.copytree(path, source / name) if path.is_dir() else shutil.copy(path, source)
    stale = source / "build" / "lib" / "milvus_l7" / "of_an_earlier_build.py"
    stale.parent.mkdir(parents=True)
    stale.touch()
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index"]
    shown = subprocess.run(
        [*command, "--wheel-dir", target, source], capture_output=True, text=True, check=False
    )
    assert shown.returncode == 0, shown.stdout + shown.stderr
    (built,) = target.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    return set(ZipFile(wheel).namelist())


@pytest.fixture(scope="module")
def metadata(wheel: Path, names: set[str]) -> Message:
    (name,) = (name for name in names if name.endswith(".dist-info/METADATA"))
    return HeaderParser().parsestr(ZipFile(wheel).read(name).decode())


@pytest.fixture(scope="module")
def unpacked(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    ZipFile(wheel).extractall(folder)
    return folder


def milvus_l7(unpacked: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """The unpacked command, with the third-party packages of this environment."""
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(("GOOGLE_", "PYTHON"))
    }
    return subprocess.run(
        [sys.executable, "-I", "-c", COMMAND, str(unpacked), *arguments],
        cwd=cwd,
        env={**environment, "NO_COLOR": "1", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_wheel_holds_the_two_packages_and_nothing_else(names: set[str]) -> None:
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"milvus_l7", "milvus_l7_cli"}


def test_wheel_holds_exactly_the_modules_of_the_source(names: set[str]) -> None:
    roots = (ROOT / "shared", ROOT / "cli")
    modules = {str(path.relative_to(root)) for root in roots for path in root.rglob("*.py")}
    assert {name for name in names if name.endswith(".py")} == modules


def test_both_packages_say_that_they_are_typed(names: set[str]) -> None:
    assert {"milvus_l7/py.typed", "milvus_l7_cli/py.typed"} <= names


def test_wheel_carries_the_topology(wheel: Path) -> None:
    assert json.loads(ZipFile(wheel).read("milvus_l7/topology.json")) == topology()


def test_metadata_says_version_licence_and_pinned_dependencies(metadata: Message) -> None:
    required = [line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line]
    assert metadata["Version"] == PROJECT["version"]
    assert metadata["License-Expression"] == "Apache-2.0"
    assert sorted(required) == sorted(PROJECT["dependencies"])
    assert all("==" in line for line in required)


def test_unpacked_command_tells_its_version_from_another_folder(unpacked: Path, tmp_path: Path) -> None:
    shown = milvus_l7(unpacked, "--version", cwd=tmp_path)
    assert (shown.stdout, shown.returncode) == (f"milvus-l7 {PROJECT['version']}\n", 0), shown.stderr


def test_unpacked_command_knows_the_topics(unpacked: Path, tmp_path: Path) -> None:
    """Which it reads from the packaged topology."""
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from milvus_l7_cli.client import backend\n"
        "print(backend.request_topic())"
    )
    command = [sys.executable, "-I", "-c", script, str(unpacked)]
    shown = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert shown.stdout == "l7-setup-requested\n", shown.stderr


def test_unpacked_command_refuses_an_invalid_request(unpacked: Path, tmp_path: Path) -> None:
    (tmp_path / "request.yaml").write_text("release: my-release\n", encoding="utf-8")
    shown = milvus_l7(unpacked, "plan", "--project", "p", "-f", "request.yaml", cwd=tmp_path)
    assert shown.returncode == 64
    assert "cluster" in shown.stderr
    assert "Traceback" not in shown.stderr


def test_unpacked_command_says_where_the_embedded_cloud_is(unpacked: Path, tmp_path: Path) -> None:
    shown = milvus_l7(unpacked, "local", "demo", cwd=tmp_path)
    assert shown.returncode == 1
    assert "The embedded cloud is not part of the installed command" in shown.stderr
