"""The line below the table of all setups."""

from __future__ import annotations

import pytest

from milvus_l7.domain.setup.document import Setup
from milvus_l7_cli.views.setups import totals
from tests.cli.setups import ACCEPTED, verified


@pytest.mark.parametrize(
    ("setups", "of", "line"),
    [
        ([], 0, "0 setups."),
        ([], 4, "0 of 4 setups."),
        ([ACCEPTED], 1, "1 setup: 1 accepted."),
        ([ACCEPTED] * 1000 + [verified()], 1001, "1,001 setups: 1,000 accepted, 1 verified."),
    ],
)
def test_setups_are_counted_in_one_line(setups: list[Setup], of: int, line: str) -> None:
    assert totals(setups, of) == line
