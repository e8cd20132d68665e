"""Files in ConfigMaps that mean the same, however they are written."""

from __future__ import annotations

import pytest

from milvus_l7.domain.release import config_text

CONFIG_MAP = {"kind": "ConfigMap"}


@pytest.mark.parametrize(
    ("old", "new", "is_same"),
    [
        ("a: 1\n", 'a: "1"\n', True),
        ("a: 1\nb: 2\n", "b: 2\r\na: 1", True),
        ("a: [x, y]", "a:\n- x\n- y\n", True),
        ("a: 1", "a: 2", False),
        ("a: yes", "a: true", False),
        ("plain text\n", "plain text", True),
        ("plain text", "other text", False),
        ("{{ not yaml", "{{ not yaml  \n", True),
        ("", "# nothing\n", False),
    ],
)
def test_quotes_line_ends_and_order_are_no_difference(old: str, new: str, is_same: bool) -> None:
    assert config_text.is_same(CONFIG_MAP, ("data", "user.yaml"), old, new) is is_same


def test_other_objects_are_compared_as_they_are_written() -> None:
    assert not config_text.is_same({"kind": "Secret"}, ("data", "a"), "a: 1", 'a: "1"')
    assert not config_text.is_same(CONFIG_MAP, ("metadata", "name"), "a: 1", 'a: "1"')
