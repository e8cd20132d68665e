"""`make conformance`: the contract suites, and the whole demo, against the real servers of this machine.

    KUBEBUILDER_ASSETS       folder with `kube-apiserver` and `etcd` (controller-runtime's envtest)
    gcloud, java on the path Google's Firestore and Pub/Sub emulators, as components of the Cloud SDK

What would run on a fake or on our own emulator is left out; what is not there is said, and left out. Nothing
of this is needed for `make test`. Every process that is started is ended.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest

from localcloud.addresses import free_port
from tests.fidelity import KUBERNETES, SUITES

ASSETS = "KUBEBUILDER_ASSETS"
START_DEADLINE_S = 60
OURS = frozenset({"emulator", "fake"})  # as tests name the servers that they run on
DEMOS: Sequence[Sequence[str]] = ((), ("--certificate", "google-managed"))


@dataclass(frozen=True, slots=True)
class GoogleEmulator:
    """A component of the Cloud SDK: where its jar is, and how it is started."""

    variable: str
    jars: str  # glob below `platform/`
    main: tuple[str, ...]  # after `-cp <jar>`

    def command(self, platform: Path, port: int) -> list[str] | None:
        """Return the command; None if the component is not installed."""
        jar = next(iter(sorted(platform.glob(self.jars))), None)
        java = shutil.which("java")
        if jar is None or java is None:
            return None
        return [java, "-Duser.language=en", "-cp", str(jar), *self.main, "--host=127.0.0.1", f"--port={port}"]


EMULATORS = (
    GoogleEmulator(
        "FIRESTORE_EMULATOR_HOST",
        "cloud-firestore-emulator/*.jar",
        ("com.google.cloud.datastore.emulator.firestore.CloudFirestore", "start"),
    ),
    GoogleEmulator(
        "PUBSUB_EMULATOR_HOST",
        "pubsub-emulator/lib/cloud-pubsub-emulator-*.jar",
        ("com.google.cloud.pubsub.testing.v1.Main",),
    ),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one comparison."""

    what: str
    against: str
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __str__(self) -> str:
        counts = f"{self.passed} passed, {self.failed} failed, {self.skipped} not comparable"
        return f"{self.what:<28} {self.against:<40} {counts}"


def main() -> int:
    """Compare, say what was held against what, and return 1 if anything differs that is not declared."""
    outcomes: list[Outcome] = []
    with google_emulators() as hosts:
        for variable, host in hosts.items():
            outcomes.append(suites(variable, f"Google's emulator at {host}", {variable: host}))
    if ASSETS in os.environ:
        outcomes.append(suites(KUBERNETES, f"kube-apiserver in {os.environ[ASSETS]}", {}))
    if len(hosts) == len(EMULATORS):
        outcomes += [demo(options) for options in DEMOS]
    missing = [each.variable for each in EMULATORS if each.variable not in hosts]
    missing += [] if ASSETS in os.environ else [ASSETS]
    print("\n".join(["", *map(str, outcomes), *(f"not here: what {each} stands for" for each in missing)]))
    return 1 if any(outcome.failed for outcome in outcomes) else 0


@contextmanager
def google_emulators() -> Iterator[dict[str, str]]:
    """Start those that this machine has, with nothing in them; their addresses by variable."""
    with ExitStack() as stack:
        found = {each.variable: stack.enter_context(google_emulator(each)) for each in EMULATORS}
        yield {variable: host for variable, host in found.items() if host}


def suites(key: str, against: str, environment: dict[str, str]) -> Outcome:
    """Run the suites of one emulator against the real server."""
    files = SUITES[key]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "tests.conformance",
            f"--junitxml={report}",
            "--tb=short",
        ]
        subprocess.run([*command, *files], env=os.environ | environment, check=False)
        (found,) = ElementTree.parse(report).getroot().iter("testsuite")
    tests, skipped = int(found.attrib["tests"]), int(found.attrib["skipped"])
    failed = int(found.attrib["failures"]) + int(found.attrib["errors"])
    return Outcome(f"{len(files)} suites", against, tests - failed - skipped, failed, skipped)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is not held against a real server. A hook of pytest; this module is the plug-in."""
    left_out = [item for item in items if not OURS.isdisjoint(_parameters(item))]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


def _parameters(item: pytest.Item) -> list[str]:
    return item.name.partition("[")[2].rstrip("]").split("-")


def demo(options: Sequence[str]) -> Outcome:
    """Run the whole demo on Google's emulators."""
    with google_emulators() as hosts:
        stores = [f"--emulator={variable}={host}" for variable, host in hosts.items()]
        done = subprocess.run([sys.executable, "-m", "demo", *stores, *options], check=False)
    failed = int(done.returncode != 0)
    return Outcome(" ".join(("demo", *options)), "Google's emulators", 1 - failed, failed)


@contextmanager
def google_emulator(emulator: GoogleEmulator) -> Iterator[str]:
    """Start one for the body of the `with`; its address, or "" if this machine does not have it."""
    port, gcloud = free_port(), shutil.which("gcloud")
    platform = Path(gcloud).resolve().parents[1] / "platform" if gcloud else Path("platform")
    command = emulator.command(platform, port)
    if command is None:
        yield ""
        return
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        try:
            wait_listening(port, process)
            yield f"127.0.0.1:{port}"
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_listening(port: int, process: subprocess.Popen[bytes]) -> None:
    """Return once somebody listens on the port. `RuntimeError` if the process ends or takes too long."""
    deadline = time.monotonic() + START_DEADLINE_S
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    raise RuntimeError(f"{process.args!r} did not start within {START_DEADLINE_S} s")


if __name__ == "__main__":
    sys.exit(main())
