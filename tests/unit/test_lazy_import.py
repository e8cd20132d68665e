"""Postponed imports."""

from __future__ import annotations

import subprocess
import sys

# In a fresh process, because a module is imported only once in each.
SCRIPT = """
import sys
from milvus_l7.adapters.kubernetes.objects import rest_client
rest_client()
assert "google.auth.transport.requests" not in sys.modules, "kubernetes.config was loaded"
import kubernetes
assert kubernetes.config.load_kube_config.__name__ == "load_kube_config"
assert "google.auth.transport.requests" in sys.modules
"""


def test_unused_parts_of_the_kubernetes_package_load_when_they_are_used() -> None:
    shown = subprocess.run([sys.executable, "-c", SCRIPT], check=False, capture_output=True, text=True)
    assert shown.returncode == 0, shown.stderr
