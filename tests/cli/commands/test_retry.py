"""`milvus-l7 retry`: what it publishes, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from milvus_l7.domain.setup.document import TearDown
from milvus_l7.domain.setup.supervision import Supervision
from tests.builders import CLUSTER
from tests.cli.setups import CAUSE, SETUP, TORN_DOWN, changed, operator_of


@pytest.mark.parametrize(
    "changes", [{}, {"teardown": TearDown(restore_l4=True, cause=CAUSE), "stages": TORN_DOWN}]
)
def test_retry_publishes_the_stored_request(changes: dict[str, Any]) -> None:
    operator = operator_of(SETUP, **changes)
    answer = operator.run("retry", "my-release")
    (published,) = operator.published
    assert published == (
        "l7-setup-requested",
        {"cluster": CLUSTER, "release": "my-release", "domain": SETUP.desired.domain},
    )
    assert answer.code == 0


def test_retry_of_a_set_up_that_follows_a_tear_down_publishes_that() -> None:
    operator = operator_of(changed(replace(SETUP, teardown=TearDown(), stages=TORN_DOWN)))
    assert operator.run("retry", "my-release").code == 0
    assert operator.published[0][1]["domain"] == "other.milvus.io"


@pytest.mark.parametrize(
    "changes",
    [
        {"teardown": TearDown(), "stages": TORN_DOWN},
        {"teardown": TearDown(restore_l4=True, cause=CAUSE)},
        {"supervision": Supervision(paused=True)},
    ],
)
def test_retry_turns_nothing_round(changes: dict[str, Any]) -> None:
    operator = operator_of(SETUP, **changes)
    answer = operator.run("retry", "my-release")
    assert (answer.code, operator.published) == (1, [])
    assert "milvus-l7" in answer.err
