"""The requirements files hold what pyproject.toml says, and nothing is said twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra import requirements

PROJECT = """
[project]
name = "milvus-l7"
dependencies = ["PyYAML==6.0.3", "typer==0.29.2"]

[project.optional-dependencies]
function = ["functions-framework==3.10.2", "pyyaml"]
x509 = ["cryptography==50.0.2"]
first-one = ["milvus-l7[function]"]
second = ["milvus-l7[function,x509]", "dnspython==2.9.2"]
dev = ["pytest==9.2.0"]

[build-system]
requires = ["setuptools==84.2.1", "PyYAML==6.0.3"]
"""


def repository(folder: Path, project: str = PROJECT) -> Path:
    """One with two functions and no requirements files."""
    (folder / "pyproject.toml").write_text(project, encoding="utf-8")
    for name in ("first_one", "second"):
        (folder / "functions" / name).mkdir(parents=True)
        (folder / "functions" / name / "main.py").touch()
    return folder


def pins(path: Path) -> list[str]:
    return [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]


def test_function_gets_what_its_extra_comes_to_and_nothing_of_the_command(tmp_path: Path) -> None:
    assert requirements.main([], repository(tmp_path)) == 0
    assert pins(tmp_path / "functions" / "first_one" / "requirements.txt") == [
        "functions-framework==3.10.2",
        "PyYAML==6.0.3",
    ]


def test_root_gets_what_all_functions_need_and_no_tools(tmp_path: Path) -> None:
    requirements.main([], repository(tmp_path))
    assert pins(tmp_path / "requirements.txt") == [
        "cryptography==50.0.2",
        "dnspython==2.9.2",
        "functions-framework==3.10.2",
        "PyYAML==6.0.3",
    ]


def test_second_run_finds_nothing_to_write(tmp_path: Path) -> None:
    requirements.main([], repository(tmp_path))
    assert requirements.stale(tmp_path) == {}


def test_check_names_what_is_stale_and_leaves_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert requirements.main(["--check"], repository(tmp_path)) == 1
    assert "functions/second/requirements.txt: is not what" in capsys.readouterr().out
    assert not (tmp_path / "requirements.txt").exists()


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ("second =", "third =", "no extra second"),
        ("cryptography==50.0.2", "cryptography", "cryptography without a version"),
        ("cryptography==50.0.2", "cryptography>=50", "write it as name==version"),
        ("pytest==9.2.0", "pyyaml==6.0.2", "two versions: PyYAML==6.0.3 and pyyaml==6.0.2"),
    ],
)
def test_what_is_not_clear_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], before: str, after: str, complaint: str
) -> None:
    repository(tmp_path, PROJECT.replace(before, after))
    assert requirements.main([], tmp_path) == 1
    assert complaint in capsys.readouterr().err


def test_every_pin_is_a_constraint_too() -> None:
    constraints = (
        (requirements.ROOT / "constraints.txt").read_text(encoding="utf-8").lower().replace("_", "-")
    )
    pinned = {f"{key}=={pin.partition('==')[2]}" for key, pin in requirements.project().pins.items()}
    assert pinned <= set(constraints.replace("ruamel.yaml", "ruamel-yaml").splitlines())
