"""`milvus-l7 local`."""

from __future__ import annotations

from pathlib import Path

import pytest

from milvus_l7_cli.commands.local import require_embedded_cloud
from milvus_l7_cli.errors import CliError


def test_command_without_a_checkout_says_where_the_embedded_cloud_is(tmp_path: Path) -> None:
    with pytest.raises(CliError, match="in milvus-l7's repository") as error:
        require_embedded_cloud(tmp_path)
    assert "make demo" in error.value.lines[1]


def test_checkout_with_everything_installed_is_enough() -> None:
    require_embedded_cloud()
