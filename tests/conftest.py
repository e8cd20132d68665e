"""What all tests share."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator

import pytest

# Helm caches the API's description, by default in the user's home; it reads this variable when it is loaded.
CACHE = tempfile.mkdtemp(prefix="milvus-l7-tests-")
os.environ["KUBECACHEDIR"] = CACHE


@pytest.fixture(scope="session", autouse=True)
def helm_cache() -> Iterator[None]:
    yield
    shutil.rmtree(CACHE, ignore_errors=True)
