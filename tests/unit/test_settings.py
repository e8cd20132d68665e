"""What a function reads from its environment."""

from __future__ import annotations

import pytest

from milvus_l7 import settings

NAMED = {"GOOGLE_CLOUD_PROJECT": "p", "L7_FIRESTORE_DATABASE": "milvus-l7"}


def test_state_is_in_the_named_database() -> None:
    assert settings.from_environment(NAMED).database == "milvus-l7"


@pytest.mark.parametrize(
    "environment", [{"GOOGLE_CLOUD_PROJECT": "p"}, NAMED | {"L7_FIRESTORE_DATABASE": ""}]
)
def test_state_is_in_the_default_database_unless_one_is_named(environment: dict[str, str]) -> None:
    assert settings.from_environment(environment).database == "(default)"


def test_environment_without_a_project_is_refused_by_name() -> None:
    with pytest.raises(RuntimeError, match="GOOGLE_CLOUD_PROJECT"):
        settings.from_environment({})
