"""No child outlives us: a guard process ends our children and removes our folders however we end.

Linux offers no portable "kill my children when I am killed", so a second, tiny process holds the reading end
of a pipe whose writing end only we hold. Every child process group and every state folder is reported through
it. When the pipe ends, because we closed it, crashed, or were killed with SIGKILL, the guard sends TERM to
the groups, KILL after `GRACE_S`, and removes the folders.

Messages are JSON lines: `{"watch": pgid}`, `{"forget": pgid}`, `{"folder": "/path"}`. This file imports only
the standard library, because the guard runs it alone (`python -I guard.py`).
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TextIO

GRACE_S = 3.0  # between TERM and KILL
POLL_S = 0.02

# The child waits for one line before it becomes the real command: it is reported to the guard first, so a
# parent that is killed in between leaves a shell that reads end-of-file and exits.
WAIT_FOR_GO = 'read -r go && exec "$@" </dev/null'


class Guard:
    """Starts child processes that end when this process does.

    A context manager; leaving it ends all children.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._children: dict[int, subprocess.Popen[bytes]] = {}
        self._closed = False
        self._guard = subprocess.Popen(
            [sys.executable, "-I", str(Path(__file__).resolve())],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )

    def __enter__(self) -> Guard:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def spawn(
        self,
        args: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        log_path: Path | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start `args` as the leader of its own session; output is appended to `log_path` (None: discarded).

        Raises `RuntimeError` after `close()` and `OSError` if the shell or the log file cannot be opened. A
        command that does not exist shows as exit status 126 or 127, not as an exception.
        """
        with self._lock:
            if self._closed:
                raise RuntimeError("the guard is closed; nothing can be started any more")
            child = _held_child(args, env, cwd, log_path)
            self._children[child.pid] = child
            self._report("watch", child.pid)
        _release(child)
        return child

    def stop(self, process: subprocess.Popen[bytes], grace_s: float = GRACE_S) -> None:
        """End the process and all of its group: TERM, then KILL after `grace_s` seconds.

        Safe to call twice.
        """
        self._end([process], grace_s)

    def own_folder(self, path: Path) -> None:
        """Have `path`, and everything below it, removed when this process ends."""
        with self._lock:
            self._report("folder", str(path.resolve()))

    def close(self) -> None:
        """End all children, let the guard remove the folders, and wait for it. Safe to call twice."""
        with self._lock:
            self._closed = True
            children = list(self._children.values())
        self._end(children, GRACE_S)
        with self._lock:
            if self._guard.stdin and not self._guard.stdin.closed:
                self._guard.stdin.close()
        self._guard.wait()

    def _end(self, processes: Iterable[subprocess.Popen[bytes]], grace_s: float) -> None:
        with self._lock:
            watched = [process for process in processes if process.pid in self._children]
        for process in watched:
            _signal_group(process.pid, signal.SIGTERM)
        deadline = time.monotonic() + grace_s
        for process in watched:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, deadline - time.monotonic()))
            # Also when the leader is gone: what it started may not be.
            _signal_group(process.pid, signal.SIGKILL)
            process.wait()
            with self._lock:
                if self._children.pop(process.pid, None):
                    self._report("forget", process.pid)

    def _report(self, what: str, value: int | str) -> None:
        stream = self._guard.stdin
        if stream is None or stream.closed:
            return
        # A guard that is gone must not stop us from ending our children ourselves.
        with contextlib.suppress(BrokenPipeError):
            stream.write(json.dumps({what: value}).encode() + b"\n")
            stream.flush()


def _held_child(
    args: Sequence[str | Path], env: Mapping[str, str] | None, cwd: Path | None, log_path: Path | None
) -> subprocess.Popen[bytes]:
    with contextlib.ExitStack() as stack:
        log = stack.enter_context(log_path.open("ab")) if log_path else None
        return subprocess.Popen(
            ["/bin/sh", "-c", WAIT_FOR_GO, "sh", *map(str, args)],
            stdin=subprocess.PIPE,
            stdout=log or subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            env=None if env is None else dict(env),
            cwd=cwd,
            start_new_session=True,
        )


def _release(child: subprocess.Popen[bytes]) -> None:
    if child.stdin is None:
        return
    with contextlib.suppress(BrokenPipeError):
        child.stdin.write(b"go\n")
        child.stdin.close()


def _signal_group(group: int, number: signal.Signals) -> bool:
    """Signal the group; return whether it was there."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _has_members(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _reported(lines: TextIO) -> tuple[set[int], list[Path]]:
    """Read reports until the pipe ends; the groups still to be ended and the folders to be removed."""
    groups: set[int] = set()
    folders: list[Path] = []
    for line in lines:
        report = json.loads(line)
        if "watch" in report:
            groups.add(report["watch"])
        elif "forget" in report:
            groups.discard(report["forget"])
        elif "folder" in report:
            folders.append(Path(report["folder"]))
    return groups, folders


def _end_groups(groups: set[int]) -> None:
    left = {group for group in groups if _signal_group(group, signal.SIGTERM)}
    deadline = time.monotonic() + GRACE_S
    while left and time.monotonic() < deadline:
        time.sleep(POLL_S)
        left = {group for group in left if _has_members(group)}
    for group in left:
        _signal_group(group, signal.SIGKILL)


def main() -> None:
    """Be the guard: wait for the end of standard input, then clean up.

    Ignores INT and TERM while it waits.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups, folders = _reported(sys.stdin)
    _end_groups(groups)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
