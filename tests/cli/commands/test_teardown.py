"""`milvus-l7 teardown`: what it says, asks and publishes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from milvus_l7.domain.setup.document import OrderMark, TearDown
from tests.builders import CLUSTER
from tests.cli.setups import CAUSE, SETUP, TORN_DOWN, operator_of, verified
from tests.fakes.finished_setup import FACTS
from tests.fakes.state import START

NAMES = {"cluster": CLUSTER, "release": "my-release", "namespace": "default"}


@pytest.mark.parametrize("restore_l4", [True, False])
def test_teardown_says_what_goes_and_publishes(restore_l4: bool) -> None:
    operator = operator_of(verified(), facts=FACTS)
    answer = operator.run("teardown", "my-release", "--yes", *(["--restore-l4"] if restore_l4 else []))
    assert operator.published == [("l7-teardown-requested", NAMES | {"restore_l4": restore_l4})]
    assert f"This deletes from {SETUP.setup_id}:" in answer.err
    assert "https://my-release.milvus.io at 192.0.2.1" in answer.err
    assert ("restarts into plaintext" in answer.err) == restore_l4
    assert answer.code == 0


def test_teardown_without_a_terminal_needs_yes() -> None:
    operator = operator_of(verified())
    answer = operator.run("teardown", "my-release", typed="y\n")
    assert (answer.code, operator.published) == (64, [])
    assert "Not a terminal; pass --yes to confirm." in answer.err


def test_teardown_of_a_given_up_setup_is_watched_to_its_good_end() -> None:
    operator = operator_of(SETUP)
    gone = TearDown(restore_l4=True, cause=CAUSE)
    order = OrderMark(START, "published-1")
    operator.later = [lambda: operator.has(replace(SETUP, order=order, teardown=gone, stages=TORN_DOWN))]
    answer = operator.run("teardown", "my-release", "--yes", "--watch")
    assert answer.code == 0
    assert "✓ tear_down done" in answer.out
