"""Reasons are documented, completely and for users."""

from __future__ import annotations

import re
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


FOLDERS = ("tests/e2e", "tests/contract")
TEXTS = "tests/unit/frontend/controller_texts.py"  # which a contract test goes through


@pytest.mark.parametrize("reason", Reason)
def test_reason_is_told_by_an_end_to_end_or_contract_test(reason: Reason) -> None:
    root = Path(__file__).parents[3]
    files = [file for folder in FOLDERS for file in (root / folder).rglob("*.py")]
    named = re.compile(rf"\bReason\.{reason.name}\b|\"{reason.value}\"")
    assert any(named.search(file.read_text(encoding="utf-8")) for file in (*files, root / TEXTS))
