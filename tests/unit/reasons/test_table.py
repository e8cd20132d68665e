"""Reasons are documented, completely and for users."""

from __future__ import annotations

from pathlib import Path

import pytest

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.table import table

ANTIQUATED = ("meanwhile", "for ever", "taken away", "shall ", "somebody", "next look", "looked at")


def test_documentation_is_generated_from_the_code() -> None:
    written = Path(__file__).parents[3] / "docs" / "reasons.md"
    assert written.read_text(encoding="utf-8") == table()


@pytest.mark.parametrize("reason", Reason)
def test_reason_has_a_sentence_of_meaning_and_one_of_remedy(reason: Reason) -> None:
    assert reason.meaning.endswith(".")
    assert reason.remedy.endswith(".")


@pytest.mark.parametrize("reason", Reason)
def test_reason_is_told_in_plain_words(reason: Reason) -> None:
    text = f"{reason.meaning} {reason.remedy}".lower()
    assert not [word for word in ANTIQUATED if word in text]
