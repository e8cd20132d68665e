"""One embedded cloud for all end-to-end tests of a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from localcloud.cloud import Cloud
from tests.e2e.stage_play import open_cloud


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with open_cloud() as started:
        yield started
