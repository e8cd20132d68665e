"""`make bench`: cold start, memory and warm time of each function, and the cost of waiting. Figures only.

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

from demo.deployment import embedded_cloud
from infra.bundle import bundle, function_names
from localcloud.cloud import PROJECT
from milvus_l7.domain.setup.chain import SETUP_STAGES
from milvus_l7.domain.setup.document import Status
from tests import bench_drift, bench_engine, bench_repoll
from tests.e2e.stage_play import Play

FRESH_PROCESSES = 9
WARM_RUNS = 30

# What handling an event loads beyond `import main`: adapters import their client library on first use.
STATE = ["google.cloud.firestore", "google.pubsub_v1"]
CLUSTER = [
    *STATE,
    "google.auth",
    "google.cloud.container_v1",
    "milvus_l7.adapters.kubernetes.objects:rest_client",
]
LOADED = {
    "accept_request": STATE,
    "repoll": STATE,
    "prepare_tls": [*CLUSTER, "helm_python", "ruamel.yaml"],
    "configure_health_check": CLUSTER,
    "provision_certificate": [*CLUSTER, "cryptography.x509"],
    "create_ingress": CLUSTER,
    "verify_endpoint": [*CLUSTER, "cryptography.x509", "dns.resolver", "pymilvus"],
    "plan_setup": [*CLUSTER, "helm_python", "ruamel.yaml", "cryptography.x509"],
    "check_drift": [*CLUSTER, "helm_python", "ruamel.yaml", "cryptography.x509", "dns.resolver", "pymilvus"],
    "tear_down": [*CLUSTER, "helm_python", "ruamel.yaml", "pymilvus"],
}
FLOOR = ["functions_framework", "google.cloud.firestore"]

MEASURE = r"""
import importlib, re, sys, time
wall, cpu = time.perf_counter(), time.process_time()
for name in sys.argv[1:]:
    module, _, function = name.partition(":")
    loaded = importlib.import_module(module)
    if function:
        getattr(loaded, function)()
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
peak = re.search(r"VmHWM:\s+(\d+)", open("/proc/self/status").read())
print(wall * 1000, cpu * 1000, int(peak[1]) / 1024)
"""


Figures = tuple[float, float, float]  # wall ms, CPU ms, resident MiB


def fresh_process(folder: Path, modules: list[str]) -> Figures:
    """What importing the modules costs in a fresh process in `folder`."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "GOOGLE_CLOUD_PROJECT": PROJECT}
    command = [sys.executable, "-c", MEASURE, *modules]
    shown = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    wall, cpu, rss = (float(figure) for figure in shown.stdout.split())
    return wall, cpu, rss


def show_cold_starts() -> None:
    """Print the table of cold starts. All take turns, so that a noisy minute hits all alike."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        cases = {"(floor)": (folder, FLOOR)}
        for name in function_names():
            cases[name] = (bundle(name, folder), ["main", *LOADED[name]])
        rows = defaultdict(list)
        for turn in range(FRESH_PROCESSES + 1):
            for name, (place, modules) in cases.items():
                figures = fresh_process(place, modules)
                if turn:  # the first writes the byte code
                    rows[name].append(figures)
    print(f"{'cold start':24} {'wall ms':>8} {'CPU ms':>8} {'MiB':>6} {'x floor':>8}   (least CPU of each)")
    least = min(cpu for _, cpu, _ in rows["(floor)"])
    for name, found in rows.items():
        wall, cpu, rss = (statistics.median(column) for column in zip(*found, strict=True))
        ratio = min(cpu for _, cpu, _ in found) / least
        print(f"{name:24} {wall:8.0f} {cpu:8.0f} {rss:6.0f} {ratio:8.2f}")


def show_warm_stages() -> None:
    """Set a release up, then run its chain again and again; print the stages' own and the engine's time."""
    with embedded_cloud() as cloud:
        os.environ.update(cloud.environment)
        play = Play(cloud, "bench")
        play.install()
        play.publish()
        play.wait(Status.VERIFIED)
        sizes = {name: cloud.functions.log_path(name).stat().st_size for name in SETUP_STAGES}
        for run in range(2, WARM_RUNS + 2):
            play.publish()
            play.wait(Status.VERIFIED, run=run)
        print(f"\n{'warm stage':24} {'work ms':>8} {'engine ms':>9} {'p95':>6}   of {WARM_RUNS} runs")
        for name in SETUP_STAGES:
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
    p95 = statistics.quantiles(figures["engine_ms"], n=20, method="inclusive")[-1]
    work, engine = (statistics.median(figures[key]) for key in ("work_ms", "engine_ms"))
    print(f"{name:24} {work:8.0f} {engine:9.0f} {p95:6.0f}")


def show_demo() -> None:
    """Print how long `make demo` takes."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "demo"], check=True, capture_output=True)
    print(f"\ndemo after installation: {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as cache:
        os.environ["KUBECACHEDIR"] = cache  # Helm's, also in the demo's process
        show_cold_starts()
        bench_engine.show()
        bench_repoll.show()
        bench_drift.show()
        show_warm_stages()
        show_demo()
