"""What happens to children and folders when their parent ends, in every way it can end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from localcloud.guard import Guard

REPOSITORY = Path(__file__).resolve().parents[2]
DEADLINE_S = 10.0

# Starts a shell (the child) that ignores TERM and has a child of its own, writes both ids, and waits to be
# ended.
PARENT = """
    import signal, sys, time
    from pathlib import Path
    from localcloud.guard import Guard
    # A shell starts background jobs with INT ignored, and this is inherited.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    scratch = Path(sys.argv[1])
    guard = Guard()
    owned = scratch / "owned"
    (owned / "deep").mkdir(parents=True)
    guard.own_folder(owned)
    ids = scratch / "ids"
    command = f"trap '' TERM; sleep 300 & echo $$ $! > {ids}.part; mv {ids}.part {ids}; wait; wait"
    guard.spawn(["/bin/sh", "-c", command])
    while True:
        time.sleep(60)
"""


def eventually(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"not within {DEADLINE_S} s: {what}"
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


@pytest.fixture
def parent(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(PARENT), str(tmp_path)], cwd=REPOSITORY)
    yield process
    process.kill()
    process.wait()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_children_grandchildren_and_folders_end_with_a_killed_parent(
    parent: subprocess.Popen[bytes], tmp_path: Path, number: signal.Signals
) -> None:
    eventually((tmp_path / "ids").exists, "the child runs")
    family = [int(pid) for pid in (tmp_path / "ids").read_text().split()]
    assert all(is_running(pid) for pid in family)

    parent.send_signal(number)
    parent.wait(DEADLINE_S)

    eventually(lambda: not any(is_running(pid) for pid in family), "child and grandchild are gone")
    eventually(lambda: not (tmp_path / "owned").exists(), "the folder is gone")


def test_a_child_that_was_never_released_exits_with_its_parent(tmp_path: Path) -> None:
    started = tmp_path / "started"
    script = (
        "import os; from localcloud import guard;"
        f"child = guard._held_child(['/bin/sh', '-c', 'touch {started}'], None, None, None);"
        "print(child.pid, flush=True); os._exit(9)"
    )
    parent = subprocess.run(
        [sys.executable, "-c", script], cwd=REPOSITORY, check=False, capture_output=True, text=True
    )
    assert parent.returncode == 9
    eventually(lambda: not is_running(int(parent.stdout)), "the child is gone")
    assert not started.exists()


def test_leaving_the_context_ends_children_and_removes_folders(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    with Guard() as guard:
        guard.own_folder(folder)
        child = guard.spawn(["sleep", "300"])
        assert child.poll() is None
    assert child.returncode == -signal.SIGTERM
    assert not folder.exists()


def test_stopping_one_child_leaves_the_others(tmp_path: Path) -> None:
    with Guard() as guard:
        first = guard.spawn(["sleep", "300"])
        second = guard.spawn(["sleep", "300"])
        guard.stop(first)
        guard.stop(first)
        assert first.returncode is not None
        assert second.poll() is None


def test_output_environment_and_exit_status_of_a_child_are_kept(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with Guard() as guard:
        child = guard.spawn(
            ["/bin/sh", "-c", 'echo "$WORD in $PWD"; exit 7'],
            env={**os.environ, "WORD": "here"},
            cwd=tmp_path,
            log_path=log,
        )
        assert child.wait(DEADLINE_S) == 7
    assert log.read_text() == f"here in {tmp_path}\n"


def test_nothing_can_be_started_after_the_guard_is_closed() -> None:
    guard = Guard()
    guard.close()
    guard.close()
    with pytest.raises(RuntimeError, match="closed"):
        guard.spawn(["true"])
