"""What is deployed: each function's bundle works with nothing but its own requirements."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

import pytest

from infra.bundle import bundle, function_names

ROOT = Path(__file__).parents[2]

# Imports everything in the bundle, while every package outside the allowed set seems not to be installed.
PROBE = """
import importlib, pkgutil, sys
sys.path.insert(0, sys.argv[1])
forbidden = set(sys.argv[2].split(","))

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in forbidden:
            raise ModuleNotFoundError(f"{name} is not in the function's requirements")

sys.meta_path.insert(0, Blocker())
import main
from milvus_l7 import bootstrap
from milvus_l7.domain.setup.chain import Stage
assert bootstrap.__file__.startswith(sys.argv[1]), bootstrap.__file__
name = sys.argv[3]
bootstrap.runner(Stage(name)) if name in set(Stage) else getattr(bootstrap, name)()
for module in sys.argv[4:]:
    importlib.import_module(module)
    if module == "milvus_l7.adapters.kubernetes.objects":
        importlib.import_module(module).rest_client()
"""

# Packages that the adapters behind a function import on first use.
LAZY = {
    "accept_request": ["google.cloud.firestore", "google.pubsub_v1", "tzdata"],
    "repoll": ["google.cloud.firestore", "google.pubsub_v1"],
    "prepare_tls": [
        "google.cloud.container_v1",
        "google.auth",
        "milvus_l7.adapters.kubernetes.objects",
        "helm_python",
        "tzdata",
    ],
    "configure_health_check": [
        "google.cloud.container_v1",
        "google.auth",
        "milvus_l7.adapters.kubernetes.objects",
    ],
    "provision_certificate": ["milvus_l7.adapters.kubernetes.objects", "cryptography.x509"],
    "create_ingress": ["milvus_l7.adapters.kubernetes.objects"],
    "plan_setup": ["milvus_l7.adapters.kubernetes.objects", "helm_python", "cryptography.x509", "tzdata"],
    "check_drift": [
        "milvus_l7.adapters.kubernetes.objects",
        "helm_python",
        "pymilvus",
        "dns.resolver",
        "cryptography.x509",
        "tzdata",
    ],
    "tear_down": ["milvus_l7.adapters.kubernetes.objects", "helm_python", "pymilvus"],
    "verify_endpoint": [
        "milvus_l7.adapters.kubernetes.objects",
        "pymilvus",
        "dns.resolver",
        "cryptography.x509",
    ],
}


def required(folder: Path) -> set[str]:
    """The distributions that a bundle's requirements install, dependencies included."""
    lines = (folder / "requirements.txt").read_text(encoding="utf-8").splitlines()
    found: set[str] = set()
    queue = [line.split("==")[0] for line in lines if not line.startswith("#")]
    while queue:
        name = re.sub(r"[-_.]+", "-", queue.pop()).lower()
        if name in found:
            continue
        try:
            needs = distribution(name).requires or []
        except ModuleNotFoundError:
            continue
        found.add(name)
        queue += [re.split(r"[ ;<>=!~\[(]", need)[0] for need in needs if "extra ==" not in need]
    return found


def outside(allowed: set[str]) -> set[str]:
    """Importable top-level packages that belong to no allowed distribution, but the one in the bundle."""
    owners = {
        top: {re.sub(r"[-_.]+", "-", name).lower() for name in names}
        for top, names in packages_distributions().items()
    }
    return {top for top, names in owners.items() if not names & allowed} - {"milvus_l7"}


@pytest.mark.parametrize("name", function_names())
def test_bundle_imports_with_just_its_requirements(name: str, tmp_path: Path) -> None:
    folder = bundle(name, tmp_path)
    blocked = ",".join(sorted(outside(required(folder))))
    command = [sys.executable, "-I", "-c", PROBE, str(folder), blocked, name, *LAZY[name]]
    shown = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env={"GOOGLE_CLOUD_PROJECT": "p"},
        cwd=tmp_path,
    )
    assert shown.returncode == 0, shown.stderr


def test_every_function_of_the_topology_has_a_folder_and_no_other_has() -> None:
    folders = {path.parent.name for path in (ROOT / "functions").glob("*/main.py")}
    assert folders == set(function_names())
