"""The deployed functions: each bundle in its own process, under the real functions framework."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from localcloud.addresses import free_port
from localcloud.guard import Guard

START_TIMEOUT_S = 60.0

# What a developer's shell must not bring into a function: credentials, clusters, proxies, other emulators.
FOREIGN = (
    "GOOGLE_APPLICATION_CREDENTIALS",
    "KUBECONFIG",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "PYTHONPATH",
    "PYTHONSTARTUP",
)


@dataclass(slots=True)
class Function:
    """One function's instance: a gunicorn with one worker, as on Cloud Run."""

    name: str
    folder: Path  # the bundle
    environment: Mapping[str, str]
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Return where its push subscription delivers."""
        return f"http://127.0.0.1:{self.port}/"

    def start(self, guard: Guard, log_path: Path) -> None:
        """Start the instance; `wait_ready` tells when it answers."""
        command = [sys.executable, "-m", "functions_framework", "--source", "main.py"]
        command += ["--target", self.name, "--host", "127.0.0.1", "--port", str(self.port)]
        kept = {key: value for key, value in os.environ.items() if key not in FOREIGN}
        self.process = guard.spawn(
            command, env={**kept, **self.environment}, cwd=self.folder, log_path=log_path
        )

    def is_ready(self) -> bool:
        """Return whether the instance answers HTTP at all."""
        try:
            urllib.request.urlopen(self.url, timeout=1).close()  # noqa: S310 - our own loopback URL
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False
        return True


class Functions:
    """All functions that are deployed: the keys of `environments`; `bundle` is that of the `Deployment`."""

    def __init__(
        self,
        guard: Guard,
        folder: Path,
        bundle: Callable[[str, Path], Path],
        environments: Mapping[str, Mapping[str, str]],
    ) -> None:
        self._guard = guard
        self._folder = folder
        self.all = {
            name: Function(name, bundle(name, folder / "bundles"), environment)
            for name, environment in environments.items()
        }

    def log_path(self, name: str) -> Path:
        """Return where the function's output goes."""
        return self._folder / f"{name}.log"

    def start(self) -> None:
        """Start every function; they become ready in the background."""
        for function in self.all.values():
            function.start(self._guard, self.log_path(function.name))

    def wait_ready(self) -> None:
        """Return when all functions answer; `RuntimeError` naming one that does not."""
        deadline = time.monotonic() + START_TIMEOUT_S
        for function in self.all.values():
            while not function.is_ready():
                ended = function.process is None or function.process.poll() is not None
                if ended or time.monotonic() > deadline:
                    raise RuntimeError(
                        f"function {function.name} did not start; see {self.log_path(function.name)}"
                    )
                time.sleep(0.05)

    def kill(self, name: str) -> None:
        """End the function's instance with SIGKILL, as a crash or an eviction would, and start a new one."""
        function = self.all[name]
        if function.process is not None:
            os.killpg(function.process.pid, signal.SIGKILL)
            self._guard.stop(function.process)
        function.start(self._guard, self.log_path(name))
