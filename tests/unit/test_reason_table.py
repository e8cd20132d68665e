"""Reasons are documented, completely and for users."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.domain.reason_table import table
from shared.domain.reasons import Reason


def test_documentation_is_generated_from_the_code() -> None:
    written = Path(__file__).parents[2] / "docs" / "reasons.md"
    assert written.read_text(encoding="utf-8") == table()


@pytest.mark.parametrize("reason", Reason)
def test_reason_has_a_sentence_of_meaning_and_one_of_remedy(reason: Reason) -> None:
    assert reason.meaning.endswith(".")
    assert reason.remedy.endswith(".")
