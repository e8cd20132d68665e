"""One embedded cloud for all end-to-end tests of a module."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from localcloud.cloud import Cloud


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with Cloud() as started:
        before = dict(os.environ)
        os.environ.update(started.environment)
        yield started
        os.environ.clear()
        os.environ.update(before)
