"""One Pod on the node: its container's process, readiness, restarts and back-off."""

from __future__ import annotations

import http.client
import shutil
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from localcloud.node import mounts
from localcloud.node.milvus import Container, Folders, MilvusImage
from localcloud.node.pod_status import ContainerFacts

Object = dict[str, Any]

PROBE_TIMEOUT_S = 2.0
DEFAULT_FAILURE_THRESHOLD = 3


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds between probes, and the CrashLoopBackOff: first delay (it doubles) and cap."""

    readiness_s: float
    crash_s: float
    crash_cap_s: float


@dataclass(slots=True)
class Sandbox:
    """The Milvus container of one Pod. Not thread-safe: the node's one thread drives it by `tick`."""

    pod: Object
    container: Object
    folders: Folders
    facts: ContainerFacts
    running: Container | None = None
    _next_start: float = 0.0
    _next_probe: float = 0.0
    _failures: int = field(default=0)

    @property
    def ports(self) -> Mapping[int, int]:
        """Return the host ports of the running container by container port; empty while none runs."""
        return self.running.ports if self.running else {}

    def tick(self, image: MilvusImage, fetch: mounts.Fetch, timing: Timing, now: str) -> None:
        """Notice an exit, start what is due, probe what is due. Never blocks longer than a probe."""
        if self.running and self.running.process.poll() is not None:
            self._record_exit(timing)
        if self.running is None and time.monotonic() >= self._next_start:
            self._start(image, fetch, timing, now)
        if self.running and self.running.ports and time.monotonic() >= self._next_probe:
            self._probe()
            self._next_probe = time.monotonic() + timing.readiness_s

    def stop(self, image: MilvusImage, grace_s: float) -> None:
        """End the container and forget its root file system; its volume and log stay. Safe to call twice."""
        if self.running:
            image.stop(self.running, grace_s)
            self.running = None
        shutil.rmtree(self.folders.root, ignore_errors=True)

    def _start(self, image: MilvusImage, fetch: mounts.Fetch, timing: Timing, now: str) -> None:
        shutil.rmtree(self.folders.root, ignore_errors=True)
        (self.folders.root / "milvus" / "configs").mkdir(parents=True)
        try:
            mounts.mount_all(self.pod, self.container, self.folders.root, fetch)
        except mounts.MissingVolume as error:
            self.facts = replace(self.facts, waiting_reason="ContainerCreating", waiting_message=str(error))
            self._next_start = time.monotonic() + timing.readiness_s
            return
        self.running = image.start(self.folders)
        self._failures = 0
        self.facts = replace(self.facts, is_running=True, started_at=now, waiting_message="")

    def _record_exit(self, timing: Timing) -> None:
        code = self.running.process.returncode if self.running else 0
        self.running = None
        delay_s = min(timing.crash_s * 2**self.facts.restarts, timing.crash_cap_s)
        self._next_start = time.monotonic() + delay_s
        self.facts = replace(
            self.facts,
            is_running=False,
            is_ready=False,
            restarts=self.facts.restarts + 1,
            # A process that was ended by signal N exits with 128 + N, as far as a container can tell.
            last_exit=code if code >= 0 else 128 - code,
            waiting_reason="CrashLoopBackOff",
            waiting_message=f"back-off {delay_s:g}s restarting failed container={self.facts.name}",
        )

    def _probe(self) -> None:
        probe = self.container.get("readinessProbe") or {}
        self._failures = 0 if self._answers(probe) else self._failures + 1
        threshold = probe.get("failureThreshold", DEFAULT_FAILURE_THRESHOLD)
        is_ready = self._failures == 0 or (self.facts.is_ready and self._failures < threshold)
        self.facts = replace(self.facts, is_ready=is_ready)

    def _answers(self, probe: Object) -> bool:
        """Return the result of the chart's HTTP probe; before the first success every port must answer, too.

        Milvus answers /healthz with 200 for a moment before its components have registered; the real chart's
        `initialDelaySeconds: 90` hides that, and we do not wait that long.
        """
        get = probe.get("httpGet") or {}
        port = self.ports.get(_port_number(self.container, get.get("port")))
        if port is None:
            return False
        if not self.facts.is_ready and not all(_is_listening(host_port) for host_port in self.ports.values()):
            return False
        return _http_ok(port, str(get.get("path") or "/"))


def new_sandbox(pod: Object, container: Object, state: Path) -> Sandbox:
    """Return the sandbox of a Pod that has not been started; files go below `state`."""
    metadata = pod["metadata"]
    owners = [owner["name"] for owner in metadata.get("ownerReferences") or []]
    volume = f"{metadata['namespace']}.{owners[0] if owners else metadata['name']}"
    logs = state / "logs" / metadata["namespace"]
    logs.mkdir(parents=True, exist_ok=True)
    folders = Folders(
        root=state / "pods" / metadata["uid"],
        volume=state / "volumes" / volume,
        log=logs / f"{metadata['name']}.log",
    )
    return Sandbox(pod, container, folders, ContainerFacts(container["name"], container.get("image", "")))


def _port_number(container: Object, port: int | str | None) -> int:
    if isinstance(port, int):
        return port
    named = {item.get("name"): item["containerPort"] for item in container.get("ports") or []}
    return int(named.get(port, 0))


def _is_listening(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(PROBE_TIMEOUT_S)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _http_ok(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PROBE_TIMEOUT_S)
    try:
        connection.request("GET", path)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return 200 <= status < 400
