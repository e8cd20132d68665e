"""`milvus-l7 --version`."""

from __future__ import annotations

from importlib.metadata import version

from typer.testing import CliRunner

from milvus_l7_cli.main import app
from milvus_l7_cli.version import version_line


def test_version_is_printed_without_project_or_command() -> None:
    result = CliRunner().invoke(app, ["--version"], env={"GOOGLE_CLOUD_PROJECT": None})
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"{version_line()}\n"
    assert result.stdout.startswith("milvus-l7 ")


def test_version_is_that_of_the_installed_distribution() -> None:
    assert version_line("typer") == f"milvus-l7 {version('typer')}"


def test_source_tree_that_is_not_installed_says_so() -> None:
    assert version_line("milvus-l7-not-installed") == "milvus-l7 (version unknown: not installed)"


def test_help_names_the_option() -> None:
    result = CliRunner().invoke(app, ["--help"])
    assert "--version" in result.stdout
    assert "Put Milvus on GKE" in result.stdout
