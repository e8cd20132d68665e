"""What all tests share."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator

import pytest
from hypothesis import settings

# Helm caches the API's description, by default in the user's home; it reads this variable when it is loaded.
CACHE = tempfile.mkdtemp(prefix="milvus-l7-tests-")
os.environ["KUBECACHEDIR"] = CACHE

# No example is slow by itself; on a busy machine any may be.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="session", autouse=True)
def helm_cache() -> Iterator[None]:
    yield
    shutil.rmtree(CACHE, ignore_errors=True)
