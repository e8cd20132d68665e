"""What a user reads when something is wrong: a sentence and an exit code, never a traceback."""

from __future__ import annotations

from dataclasses import replace

import pytest
from google.api_core.exceptions import ServiceUnavailable
from google.auth.exceptions import DefaultCredentialsError
from typer.testing import CliRunner

from milvus_l7.domain.reasons.errors import StateUnavailable
from milvus_l7.domain.setup.desired import SetupId
from milvus_l7.domain.setup.document import Setup
from milvus_l7_cli.client.publisher import Publisher
from milvus_l7_cli.errors import CliError
from milvus_l7_cli.exit_codes import ExitCode
from milvus_l7_cli.main import app
from tests.fakes.operator import Answer, Operator
from tests.fakes.state import FakeSetups


class BrokenSetups(FakeSetups):
    """A state store that cannot be reached."""

    error: Exception

    def page(self, after: SetupId | None, limit: int) -> list[Setup]:
        raise self.error


def run_without_state(error: Exception) -> Answer:
    operator = Operator()
    setups = BrokenSetups()
    setups.error = error
    operator.backend = replace(operator.backend, setups=setups)
    return operator.run("status")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (StateUnavailable("Firestore: ServiceUnavailable: 503"), "gcloud auth application-default login"),
        (DefaultCredentialsError("no credentials"), "gcloud auth application-default login"),
        (
            StateUnavailable("setup document has schema_version 9"),
            "command line of the deployed release",
        ),
    ],
)
def test_unreachable_state_is_one_sentence(error: Exception, said: str) -> None:
    answer = run_without_state(error)
    assert (answer.code, answer.out) == (1, "")
    assert "project milvus-testing-nonprod" in answer.err or "schema_version" in answer.err
    assert said in answer.err
    assert len(answer.err.splitlines()) == 1


def test_bug_of_ours_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        run_without_state(ZeroDivisionError())


def test_project_must_be_named() -> None:
    result = CliRunner().invoke(app, ["status"], env={"GOOGLE_CLOUD_PROJECT": None})
    assert result.exit_code == 64
    assert "Set GOOGLE_CLOUD_PROJECT, or pass --project" in result.stderr


@pytest.mark.parametrize(
    "arguments", [["nothing"], ["status", "--nothing"], ["explain"], ["status", "-o", "xml"], ["request"], []]
)
def test_wrong_command_line_is_wrong_input(arguments: list[str]) -> None:
    assert CliRunner().invoke(app, arguments).exit_code == 64


def test_help_lists_every_exit_code() -> None:
    result = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "1000"})
    assert result.exit_code == 0
    for code in ExitCode:
        assert f"{code.value} {code.meaning}" in result.stdout


class RefusingClient:
    """Stands for Pub/Sub's client."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def publish(self, **_: object) -> object:
        raise self.error


def test_topic_that_cannot_be_published_to_is_named() -> None:
    client = Publisher("p")
    client.__dict__["_client"] = RefusingClient(ServiceUnavailable("no route"))
    with pytest.raises(CliError, match="Cannot reach Pub/Sub in project p"):
        client.publish("l7-setup-requested", {})
