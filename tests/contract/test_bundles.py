"""A function deployed alone: its bundle serves with nothing but its own requirements."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from infra.bundle import bundle, function_names
from tests.contract.clean_environment import clean_environment

ROOT = Path(__file__).parents[2]

# Serves the bundle as the functions framework does, and imports what its adapters import on first use.
PROBE = """
import importlib, sys
from functions_framework import create_app

folder, name = sys.argv[1:3]
client = create_app(name, f"{folder}/main.py").test_client()
assert client.post("/", data=b"no event").status_code == 400
from milvus_l7 import bootstrap
from milvus_l7.domain.setup.chain import Stage
assert bootstrap.__file__.startswith(folder), bootstrap.__file__
bootstrap.runner(Stage(name)) if name in set(Stage) else getattr(bootstrap, name)()
for module in sys.argv[3:]:
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


@pytest.mark.parametrize("name", function_names())
def test_bundle_serves_with_just_its_requirements(name: str, tmp_path: Path) -> None:
    folder = bundle(name, tmp_path / "dist")
    environment = clean_environment(folder / "requirements.txt", tmp_path / "venv")
    shown = subprocess.run(
        [environment / "bin" / "python", "-I", "-c", PROBE, str(folder), name, *LAZY[name]],
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
