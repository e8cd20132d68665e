"""The gates of `make check` bite: each tool's failure fails it, and each tool sees what it is there for."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
TOOLS = ("ruff", "lint-imports", "python", "vulture", "detect-secrets-hook", "mypy")
COPIED = ("Makefile", "pyproject.toml", ".ci")

PEM = "-----BEGIN {}-----\nMIIEpAIBAAKCAQEA\n"
PLANTED = {
    "key.pem": PEM.format("PRIVATE KEY"),
    "account.json": '{"private_key": "' + PEM.format("RSA PRIVATE KEY").replace("\n", "\\n") + '"}',
    "aws.yaml": "key: " + "AKIA" + "Q3EGRIJ7ZNXH2VTB",
    "settings.py": "pass" + 'word = "' + 'Tr0ub4dor-and-3"\n',
    "client.py": "client_" + 'secret = "' + 'a-lower-case-name"\n',
}


@dataclass(frozen=True, slots=True)
class Import:
    """One that a contract forbids."""

    contract: str
    importer: str
    imported: str


def contracts() -> list[dict[str, Any]]:
    """The import contracts of the project."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return list(project["tool"]["importlinter"]["contracts"])


def forbidden(contract: dict[str, Any]) -> Import:
    """An import that breaks the contract."""
    name = contract["name"]
    match contract["type"]:
        case "forbidden":
            return Import(name, contract["source_modules"][0], contract["forbidden_modules"][0])
        case "layers":
            inside = f"{contract['containers'][0]}." if contract.get("containers") else ""
            lowest, highest = (_layer(contract["layers"][at]) for at in (-1, 0))
            return Import(name, inside + lowest, inside + highest)
        case "independence":
            return Import(name, contract["modules"][0], contract["modules"][1])
    raise NotImplementedError(f"how to break a contract of type {contract['type']}")


def _layer(line: str) -> str:
    """The first module of a layer; `a | b` and `(a)` are import-linter's."""
    return line.replace(":", "|").split("|")[0].strip(" ()")


def make(folder: Path, target: str, venv: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a target with the tools of a virtual environment, which counts as installed.

    The folder's own packages are found before those that are installed.
    """
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))
    }
    path = f"{folder}:{folder / 'shared'}:{folder / 'cli'}"
    return subprocess.run(
        ["make", "--no-print-directory", "-o", f"{venv}/.installed", f"VENV={venv}", target],
        cwd=folder,
        env={**environment, "PYTHONPATH": path, "COLUMNS": "400", **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def copied(folder: Path) -> Path:
    """The gates' own files, in a folder of their own."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name)
        else:
            shutil.copy(source, folder)
    return folder


@pytest.fixture
def gates(tmp_path: Path) -> Path:
    return copied(tmp_path)


@pytest.fixture
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment in which every tool is content."""
    folder = tmp_path_factory.mktemp("venv")
    (folder / "bin").mkdir()
    for name in TOOLS:
        _write_tool(folder, name, status=0)
    return folder


def _write_tool(venv: Path, name: str, status: int) -> None:
    path = venv / "bin" / name
    path.write_text(f"#!/bin/sh\nseq 40 | sed 's/^/{name} line /'\nexit {status}\n", encoding="utf-8")
    path.chmod(0o755)


def test_check_passes_and_says_little_when_every_tool_passes(gates: Path, tools: Path) -> None:
    answer = make(gates, "check", tools)
    assert answer.returncode == 0, answer.stdout
    assert len(answer.stdout.splitlines()) == len(TOOLS) + 1  # Python runs two gates


@pytest.mark.parametrize("name", TOOLS)
def test_check_fails_and_shows_everything_when_one_tool_fails(gates: Path, tools: Path, name: str) -> None:
    _write_tool(tools, name, status=1)
    answer = make(gates, "check", tools)
    assert answer.returncode != 0
    assert {f"{name} line 1", f"{name} line 40"} <= set(answer.stdout.splitlines())


def test_hooks_call_exactly_the_gates_of_check(gates: Path, tools: Path) -> None:
    called = [line.partition(":")[0] for line in make(gates, "check", tools).stdout.splitlines()]
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    hooks = [hook for repository in config["repos"] for hook in repository["hooks"]]
    assert [hook["entry"].split()[-1] for hook in hooks] == called
    assert {hook["entry"].split()[0] for hook in hooks} == {"make"}


def test_each_import_contract_can_be_broken(gates: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    for package in project["tool"]["importlinter"]["root_packages"]:
        _copy_package(package, gates)
    planted = [forbidden(contract) for contract in contracts()]
    for violation in planted:
        path = _source(gates, violation.importer)
        path.write_text(
            f"{path.read_text(encoding='utf-8')}\nimport {violation.imported}\n", encoding="utf-8"
        )
    answer = make(gates, "layers", Path(sys.prefix))
    assert answer.returncode != 0
    for violation in planted:
        assert f"{violation.contract} BROKEN" in answer.stdout, answer.stdout
        assert f"{violation.importer} -> {violation.imported} (l." in answer.stdout, answer.stdout


def _copy_package(name: str, folder: Path) -> None:
    """Its modules, at the same place below `folder`."""
    source = next(path for path in (ROOT / name, *ROOT.glob(f"*/{name}")) if (path / "__init__.py").exists())
    for path in source.rglob("*.py"):
        target = folder / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)


def _source(folder: Path, module: str) -> Path:
    """The file of a module."""
    relative = Path(*module.split("."))
    places = [base / relative for base in (folder, *(path for path in folder.iterdir() if path.is_dir()))]
    candidates = [path for place in places for path in (place.with_suffix(".py"), place / "__init__.py")]
    return next(path for path in candidates if path.exists())


def test_pins_gate_finds_requirements_that_are_not_what_the_project_says(gates: Path) -> None:
    _copy_package("infra", gates)
    for path in (ROOT / "requirements.txt", *ROOT.glob("functions/*/*")):
        if path.suffix in {".py", ".txt"}:
            target = gates / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    assert make(gates, "pins", Path(sys.prefix)).returncode == 0
    with (gates / "functions" / "repoll" / "requirements.txt").open("a", encoding="utf-8") as planted:
        planted.write("pandas==3.1.1\n")
    answer = make(gates, "pins", Path(sys.prefix))
    assert answer.returncode != 0
    assert "functions/repoll/requirements.txt: is not what pyproject.toml says" in answer.stdout


@pytest.mark.parametrize(("ci", "status"), [("", 0), ("true", 2)])
def test_terraform_that_is_missing_is_said_and_fails_in_ci_only(
    gates: Path, tools: Path, tmp_path: Path, ci: str, status: int
) -> None:
    """The path has what `make` needs, and nothing else."""
    for name in ("bash", "make"):
        (tmp_path / "path").mkdir(exist_ok=True)
        (tmp_path / "path" / name).symlink_to(shutil.which(name) or "")
    answer = make(gates, "terraform", tools, PATH=str(tmp_path / "path"), CI=ci)
    assert "terraform: NOT CHECKED, because neither terraform nor tofu is on the path" in answer.stdout
    assert answer.returncode == status


@pytest.mark.parametrize("name", PLANTED)
def test_secret_scan_finds_a_planted_secret(gates: Path, name: str) -> None:
    (gates / "deep" / "down").mkdir(parents=True)
    (gates / "deep" / "down" / name).write_text(PLANTED[name], encoding="utf-8")
    answer = make(gates, "secrets", Path(sys.prefix))
    assert answer.returncode != 0
    assert f"deep/down/{name}" in answer.stdout


def test_secret_scan_is_content_with_names_of_secrets_and_sees_nothing_generated(gates: Path) -> None:
    (gates / "request.yaml").write_text(
        '{"secret": "own-tls", "secretName": "my-release-tls"}', encoding="utf-8"
    )
    (gates / ".venv").mkdir()
    (gates / ".venv" / "key.pem").write_text(PLANTED["key.pem"], encoding="utf-8")
    answer = make(gates, "secrets", Path(sys.prefix))
    assert answer.returncode == 0, answer.stdout


def test_dead_code_gate_finds_an_unused_function(gates: Path) -> None:
    for path in _dead_code_settings()["paths"]:
        (gates / path).mkdir(exist_ok=True) if not path.endswith(".py") else None
    (gates / "infra" / "planted.py").write_text("def nobody_calls_this() -> None: ...\n", encoding="utf-8")
    answer = make(gates, "dead-code", Path(sys.prefix))
    assert answer.returncode != 0
    assert "unused function 'nobody_calls_this'" in answer.stdout


def test_every_name_that_may_look_dead_still_does() -> None:
    """Otherwise the list would hide what dies later under the same name."""
    code = [path for path in _dead_code_settings()["paths"] if not path.endswith(".py")]
    command = [sys.executable, "-m", "vulture", "--config", "pyproject.toml", *code]
    report = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout
    reported = {line.split("'")[1] for line in report.splitlines()}
    assert set(_allowed()) - reported == set()


def _dead_code_settings() -> dict[str, Any]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return dict(project["tool"]["vulture"])


def _allowed() -> Iterator[str]:
    listed = next(path for path in _dead_code_settings()["paths"] if path.endswith(".py"))
    for statement in ast.parse((ROOT / listed).read_text(encoding="utf-8")).body:
        match statement:
            case ast.Expr(value=ast.Attribute(attr=name)) | ast.Expr(value=ast.Name(id=name)):
                yield name
