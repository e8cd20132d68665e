"""What each emulator was held against, read from the suites: `python -m tests.fidelity > docs/fidelity.md`.

A test that only our emulator can pass is marked so, with the reason; what no test shows is in `DIFFERENCES`
of a suite: what differs, and why that is left so.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
FIRESTORE, PUBSUB, KUBERNETES = "FIRESTORE_EMULATOR_HOST", "PUBSUB_EMULATOR_HOST", "KUBEBUILDER_ASSETS"
CONTROLLERS, OTHERS = "controllers", "others"

KUBE_API = (
    *("kube_apply", "kube_clients", "kube_emulator", "kube_equivalence", "kube_lists", "kube_objects"),
    *("kube_patches", "kube_validation", "kube_watch"),
)
# What the product, and Helm, do with the Kubernetes API.
KUBE_CLIENTS = (
    *("adoption", "annotation_values", "any_edit", "cluster_objects", "cluster_stages", "drift_checks"),
    *("field_managers", "half_way", "helm", "helm_stage", "kube_helm", "live_edits", "plans"),
    *("poisoned_charts", "reasons_of_the_load_balancer", "reasons_of_the_release", "releases_as_found"),
    "way_back",
)

# The suites of each emulator, by the variable that names the real server to them, if there is one.
SUITES: Mapping[str, Sequence[str]] = {
    KUBERNETES: [f"tests/contract/test_{part}.py" for part in (*KUBE_API, *KUBE_CLIENTS)],
    FIRESTORE: [
        *(f"tests/contract/test_firestore_{part}.py" for part in ("documents", "queries", "transactions")),
        "tests/contract/test_plan_store.py",
        "tests/contract/test_repoll.py",
        "tests/contract/test_setups.py",
    ],
    PUBSUB: [
        "tests/contract/test_pubsub_pull.py",
        "tests/contract/test_pubsub_push.py",
        "tests/contract/test_events.py",
    ],
    CONTROLLERS: [
        "tests/unit/localcloud/controllers/test_ingresses.py",
        "tests/unit/localcloud/controllers/test_managed_certificates.py",
        "tests/unit/localcloud/controllers/test_translation.py",
    ],
    OTHERS: [
        "tests/contract/test_dns_zones.py",
        "tests/contract/test_gke_api.py",
        "tests/contract/test_metadata.py",
    ],
}

HELD_AGAINST = {
    KUBERNETES: ("Kubernetes API", "kube-apiserver, with etcd (`KUBEBUILDER_ASSETS`); last 1.34.4"),
    FIRESTORE: ("Firestore", "Google's emulator (`FIRESTORE_EMULATOR_HOST`); last 1.19.9"),
    PUBSUB: ("Pub/Sub", "Google's emulator (`PUBSUB_EMULATOR_HOST`); last 0.8.20"),
    CONTROLLERS: (
        "GKE's controllers",
        "the texts and the order of kubernetes/ingress-gce acbcf5d66 over a fake Compute Engine, and of "
        "gke-managed-certs 3498c2a, kept in `tests/unit/frontend/controller_texts.py`",
    ),
    OTHERS: ("Cloud DNS, GKE API, metadata server", "Google's client libraries and documentation only"),
}

HEAD = """\
# How true the embedded cloud is

What each emulator was held against, what differs, and why. Generated from the suites by `make docs`;
`make conformance` runs them against the real servers that a machine has, and the whole demo on Google's
emulators.

| emulator | held against | suites | tests on both | tests of ours alone |
|---|---|---|---|---|
"""


@dataclass
class Collected:
    """What the suites say of themselves. A plug-in of pytest."""

    shared: dict[str, int] = field(default_factory=dict)  # tests by suite
    alone: dict[str, dict[str, str]] = field(default_factory=dict)  # by suite: test -> why
    differences: dict[str, Sequence[tuple[str, str]]] = field(default_factory=dict)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Take down every test that was found."""
        for item in session.items:
            suite, _, _ = item.nodeid.partition("::")
            module: Any = item.getparent(pytest.Module)
            self.differences[suite] = getattr(module.obj, "DIFFERENCES", ())
            why = _why_alone(item)
            if why:
                name = item.originalname if isinstance(item, pytest.Function) else item.name
                self.alone.setdefault(suite, {})[name] = why
            elif _is_shared(item):
                self.shared[suite] = self.shared.get(suite, 0) + 1


def _why_alone(item: pytest.Item) -> str:
    for mark in item.iter_markers("skipif"):
        variable, _, why = str(mark.kwargs.get("reason", "")).partition(" is set: ")
        if variable in SUITES:
            return why
    return ""


def _is_shared(item: pytest.Item) -> bool:
    """Return whether the test runs on the real server too; those of the Kubernetes API say where they run."""
    suite = item.nodeid.partition("::")[0]
    is_named = "emulator" in item.name.partition("[")[2]
    return suite not in SUITES[KUBERNETES] or is_named or suite.endswith("_equivalence.py")


def document() -> str:
    """Return the text of `docs/fidelity.md`."""
    found = Collected()
    files = [file for suites in SUITES.values() for file in suites]
    pytest.main(["--collect-only", *files], plugins=[found])
    rows = "".join(_row(key, found) for key in SUITES)
    return HEAD + rows + "".join(_section(key, found) for key in SUITES)


def _row(key: str, found: Collected) -> str:
    name, against = HELD_AGAINST[key]
    alone = sum(len(found.alone.get(suite, {})) for suite in SUITES[key])
    shared = sum(found.shared.get(suite, 0) for suite in SUITES[key])
    return f"| {name} | {against} | {len(SUITES[key])} | {shared} | {alone} |\n"


def _section(key: str, found: Collected) -> str:
    lines = list(_lines(key, found))
    if not lines:
        return ""
    return f"\n## {HELD_AGAINST[key][0]}\n\n| what differs | why |\n|---|---|\n" + "".join(lines)


def _lines(key: str, found: Collected) -> Iterator[str]:
    for suite in SUITES[key]:
        for what, why in found.differences.get(suite, ()):
            yield f"| {what} | {why} |\n"
    for suite in SUITES[key]:
        for test, why in found.alone.get(suite, {}).items():
            yield f"| {test.removeprefix('test_').replace('_', ' ')} | {why} |\n"


def main() -> None:
    """Print the document; in a process of its own, because pytest prints, too."""
    if "--inside" in sys.argv:
        Path(sys.argv[-1]).write_text(document(), encoding="utf-8")
        return
    target = ROOT / "docs" / "fidelity.md"
    hidden = dict.fromkeys((FIRESTORE, PUBSUB, KUBERNETES), "")
    environment = {key: value for key, value in os.environ.items() if key not in hidden}
    command = [
        sys.executable,
        "-m",
        "tests.fidelity",
        "--inside",
        sys.argv[-1] if len(sys.argv) > 1 else target,
    ]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
