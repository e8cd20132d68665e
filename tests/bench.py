"""`make bench`: cold start, memory and warm time of each function. Figures, not assertions.

Everything is compared within one run, because machines differ and are noisy: each function's start beside the
floor it cannot avoid (functions framework and Firestore client), as medians of fresh processes.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from infra.bundle import bundle, function_names
from localcloud.cloud import PROJECT, Cloud
from shared.domain.chain import Stage
from shared.domain.setup import Status
from tests.e2e.stage_play import Play

FRESH_PROCESSES = 5
WARM_RUNS = 15

# What handling an event loads beyond `import main`: adapters import their client library on first use.
STATE = ["google.cloud.firestore", "google.pubsub_v1"]
CLUSTER = [*STATE, "google.auth", "google.cloud.container_v1", "kubernetes.client"]
LOADED = {
    "accept_request": STATE,
    "repoll": STATE,
    "prepare_tls": [*CLUSTER, "helm_python", "ruamel.yaml"],
    "configure_health_check": CLUSTER,
    "provision_certificate": [*CLUSTER, "cryptography.x509"],
    "create_ingress": CLUSTER,
    "verify_endpoint": [*CLUSTER, "cryptography.x509", "dns.resolver", "pymilvus"],
}
FLOOR = ["functions_framework", "google.cloud.firestore"]

MEASURE = """
import importlib, resource, sys, time
wall, cpu = time.perf_counter(), time.process_time()
for name in sys.argv[1:]:
    importlib.import_module(name)
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
print(wall * 1000, cpu * 1000, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def cold(folder: Path, modules: list[str]) -> tuple[float, float, float]:
    """Median wall ms, CPU ms and resident MiB of importing the modules in a fresh process in `folder`."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "GOOGLE_CLOUD_PROJECT": PROJECT}
    rows = []
    for _ in range(FRESH_PROCESSES):
        command = [sys.executable, "-c", MEASURE, *modules]
        shown = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
        rows.append([float(figure) for figure in shown.stdout.split()])
    wall, cpu, rss = (statistics.median(column) for column in zip(*rows, strict=True))
    return wall, cpu, rss


def show_cold_starts() -> None:
    """Print the table of cold starts."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        floor = cold(folder, FLOOR)
        print(f"{'cold start':24} {'wall ms':>8} {'CPU ms':>8} {'MiB':>6}  {'x floor':>7}")
        print(f"{'(floor)':24} {floor[0]:8.0f} {floor[1]:8.0f} {floor[2]:6.0f}  {1:7.2f}")
        for name in function_names():
            wall, cpu, rss = cold(bundle(name, folder), ["main", *LOADED[name]])
            print(f"{name:24} {wall:8.0f} {cpu:8.0f} {rss:6.0f}  {wall / floor[0]:7.2f}")


def show_warm_stages() -> None:
    """Set a release up, then run its chain again and again; print the stages' own and the engine's time."""
    with Cloud() as cloud:
        os.environ.update(cloud.environment)
        play = Play(cloud, "bench")
        play.install()
        play.publish()
        play.wait(Status.VERIFIED)
        sizes = {name: cloud.functions.log_path(name).stat().st_size for name in Stage}
        for run in range(2, WARM_RUNS + 2):
            play.publish()
            play.wait(Status.VERIFIED, run=run)
        print(f"\n{'warm stage':24} {'work ms':>8} {'engine ms':>9} {'p95':>6}   of {WARM_RUNS} runs")
        for name in Stage:
            show_warm(name, cloud.functions.log_path(name), sizes[name])


def show_warm(name: str, log: Path, skip: int) -> None:
    """Print one stage's row from its log, without the first `skip` bytes."""
    figures = defaultdict(list)
    for line in log.read_bytes()[skip:].splitlines():
        if line.startswith(b"{"):
            entry = json.loads(line)
            for key in ("work_ms", "engine_ms"):
                if key in entry:
                    figures[key].append(entry[key])
    p95 = statistics.quantiles(figures["engine_ms"], n=20)[-1]
    work, engine = (statistics.median(figures[key]) for key in ("work_ms", "engine_ms"))
    print(f"{name:24} {work:8.0f} {engine:9.0f} {p95:6.0f}")


def show_demo() -> None:
    """Print how long `make demo` takes."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "localcloud.demo"], check=True, capture_output=True)
    print(f"\ndemo after installation: {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    show_cold_starts()
    show_warm_stages()
    show_demo()
