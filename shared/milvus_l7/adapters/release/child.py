"""Run work that cannot be bounded from inside in a process of its own, which is killed at its limits.

    parent --request on stdin--> child --answer on stdout--> parent

Nothing of the request is seen in the child's arguments, environment, or on a disk. What it writes to its
standard error is dropped: a chart's author decides what is said there. The child dies with the parent's
thread (see `die_with_parent`), and takes a folder for temporary files with it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from milvus_l7.adapters.release.limits import Limits

_POLL_S = 0.05
_KIB_A_MIB = 1024
_SOURCES = Path(__file__).parents[3]
_PR_SET_PDEATHSIG = 1
# All else that the parent was given is kept from it: Helm and client-go are steered by variables, too.
_KEPT = frozenset(
    {"HOME", "LANG", "LD_LIBRARY_PATH", "PATH", "SSL_CERT_DIR", "SSL_CERT_FILE", "XDG_CACHE_HOME"}
    | {"HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "no_proxy"}
)


class KilledError(Exception):
    """The child was killed at a limit, which the words name; it had used `cpu_s` of processor time."""

    def __init__(self, words: str, cpu_s: float) -> None:
        super().__init__(words)
        self.cpu_s = cpu_s


class CrashedError(Exception):
    """The child ended without an answer; the words say how."""


def run(program: Sequence[str], request: bytes, limits: Limits) -> bytes:
    """Run Python with the program's arguments, the request on its standard input; return what it wrote.

    Raises `KilledError` or `CrashedError`. Whatever happens, nothing of the child is left when it returns.
    """
    with tempfile.TemporaryDirectory(prefix="milvus-l7-child-") as folder:
        environment = {key: value for key, value in os.environ.items() if key in _KEPT}
        environment |= {"PYTHONPATH": _search_path(), "TMPDIR": folder}
        with _held(request) as stdin, _started(program, stdin, environment) as process:
            answer = _watched(process, limits)
    if process.returncode != 0:
        raise CrashedError(f"it ended with code {process.returncode}")
    return answer


def die_with_parent(parent: int) -> None:
    """Let the kernel kill this process when the thread that started it ends; end if `parent` has ended."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _search_path() -> str:
    return os.pathsep.join([str(_SOURCES), *filter(None, [os.environ.get("PYTHONPATH")])])


@contextmanager
def _held(request: bytes) -> Iterator[int]:
    """A file in memory with the request: a pipe would have to be fed while the child is watched."""
    with os.fdopen(os.memfd_create("request"), "r+b") as file:
        file.write(request)
        file.seek(0)
        yield file.fileno()


@contextmanager
def _started(
    program: Sequence[str], stdin: int, environment: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-P", *program],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        start_new_session=True,  # a process group of its own, so that all of it can be killed
    )
    with process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def _watched(process: subprocess.Popen[bytes], limits: Limits) -> bytes:
    deadline = time.monotonic() + limits.time_s
    while True:
        with suppress(subprocess.TimeoutExpired):
            return process.communicate(timeout=_POLL_S)[0]
        if time.monotonic() > deadline:
            raise KilledError(f"killed after {limits.time_s:g} s", _cpu_s(process.pid))
        if _memory_mib(process.pid) > limits.memory_mib:
            raise KilledError(f"killed at {limits.memory_mib} MiB of memory", _cpu_s(process.pid))


def _memory_mib(pid: int) -> float:
    """What the process has in memory; 0 if it has just ended."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / _KIB_A_MIB
    return 0


def _cpu_s(pid: int) -> float:
    """The processor time that the process has used, by proc(5), `stat`; 0 if it has just ended."""
    with suppress(OSError):
        after_name = (
            Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2]
        )
        user, system = after_name.split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
    return 0
