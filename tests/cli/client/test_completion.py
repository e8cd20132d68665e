"""What the shell offers for SETUP."""

from __future__ import annotations

import pytest
import typer
from typer.main import get_command

from milvus_l7.domain.reasons.errors import StateUnavailable
from milvus_l7_cli.client.backend import Backend
from milvus_l7_cli.client.lookup import completions
from milvus_l7_cli.main import app
from tests.builders import new_setup
from tests.fakes.operator import Operator

SETUP = new_setup()
OTHER = new_setup(release="other", namespace="search")


def offered(incomplete: str, backend: Backend | None = None) -> list[str]:
    operator = Operator()
    operator.has(SETUP, OTHER)
    context = typer.Context(get_command(app), obj=backend or operator.backend)
    return completions(context, incomplete)


@pytest.mark.parametrize(
    ("incomplete", "names"),
    [
        ("", [SETUP.setup_id, OTHER.setup_id]),
        ("milvus-testing", [SETUP.setup_id, OTHER.setup_id]),
        ("my", ["my-release"]),
        ("search.", ["search.other"]),
        ("x", []),
    ],
)
def test_ids_are_offered_or_their_last_parts(incomplete: str, names: list[str]) -> None:
    assert offered(incomplete) == names


def test_nothing_is_offered_or_said_if_the_state_cannot_be_reached(capfd: pytest.CaptureFixture[str]) -> None:
    class Broken(Operator):
        def page(self, *_: object) -> object:
            raise StateUnavailable("down")

    operator = Operator()
    operator.engine.setups.page = Broken().page  # type: ignore[method-assign,assignment]
    assert offered("", operator.backend) == []
    assert capfd.readouterr() == ("", "")
