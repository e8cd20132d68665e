"""Work in a process of its own: it ends at its limits, keeps its secrets, and is never left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from milvus_l7.adapters.release import child
from milvus_l7.adapters.release.child import CrashedError, KilledError
from milvus_l7.adapters.release.limits import Limits

AMPLE = Limits(time_s=60, memory_mib=500)
SHORT = Limits(time_s=1, memory_mib=500)
ECHO = "import sys; sys.stdout.write(sys.stdin.read()[::-1])"
LOOP = "while True: pass"
GROW = "x = []\nwhile True: x.append(bytearray(1 << 20))"
SHOW = """
import json, os, sys, tempfile
secret = sys.stdin.read()
seen = [open(f"/proc/self/{each}").read() for each in ("cmdline", "environ")]
print(json.dumps({"seen": seen, "folder": tempfile.gettempdir(), "names": list(os.environ)}))
"""
CHILD = """
import json, os, sys, time
from milvus_l7.adapters.release import child
request = json.load(sys.stdin)
child.die_with_parent(request["parent"])
open(request["note"], "w").write(str(os.getpid()))
time.sleep(60)
"""
PARENT = """
import json, os, sys
from milvus_l7.adapters.release import child, limits
request = {"parent": os.getpid(), "note": sys.argv[1]}
child.run(["-c", sys.argv[2]], json.dumps(request).encode(), limits.Limits(60, 500))
"""


def code(text: str) -> list[str]:
    return ["-c", text]


def is_alive(pid: int) -> bool:
    with suppress(OSError):
        return "(zombie)" not in Path(f"/proc/{pid}/status").read_text()
    return False


def is_gone(pid: int, within_s: float = 10) -> bool:
    deadline = time.monotonic() + within_s
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not is_alive(pid)


def test_answer_to_a_request_larger_than_a_pipe_comes_back_whole() -> None:
    assert child.run(code(ECHO), b"ab" * 1_000_000, AMPLE) == b"ba" * 1_000_000


def test_loop_is_killed_at_the_time_limit() -> None:
    begun = time.monotonic()
    with pytest.raises(KilledError, match="killed after 1 s") as caught:
        child.run(code(LOOP), b"", SHORT)
    assert time.monotonic() - begun < 5
    assert caught.value.cpu_s > 0.1


def test_child_that_never_reads_its_request_is_killed_too() -> None:
    with pytest.raises(KilledError) as caught:
        child.run(code("import time; time.sleep(60)"), b"x" * 1_000_000, SHORT)
    assert caught.value.cpu_s < 0.9


def test_growth_is_killed_at_the_memory_limit() -> None:
    with pytest.raises(KilledError, match="killed at 100 MiB of memory"):
        child.run(code(GROW), b"", Limits(time_s=60, memory_mib=100))


@pytest.mark.parametrize("text", ["raise SystemExit(3)", "import os; os.abort()", "1/0"])
def test_end_without_an_answer_is_told_apart(text: str) -> None:
    with pytest.raises(CrashedError, match="it ended with code"):
        child.run(code(text), b"", AMPLE)


def test_secrets_of_the_request_and_variables_of_the_parent_stay_unseen() -> None:
    found = json.loads(child.run(code(SHOW), b"very-secret", AMPLE))
    assert "very-secret" not in str(found["seen"])
    assert not [name for name in found["names"] if name.startswith(("PYTEST", "GOOGLE", "HELM", "KUBE"))]
    assert not Path(found["folder"]).exists()


def test_processes_that_the_child_started_end_with_it(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    text = f"import subprocess as s; p = s.Popen(['sleep', '60']); open({str(note)!r}, 'w').write(str(p.pid))"
    with pytest.raises(KilledError):
        child.run(code(text), b"", SHORT)
    assert is_gone(int(note.read_text()))


def test_child_dies_when_its_parent_is_killed(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    environment = {**os.environ, "PYTHONPATH": str(Path(child.__file__).parents[3])}
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(note), CHILD], env=environment)
    deadline = time.monotonic() + 30
    while not (note.exists() and note.read_text()) and time.monotonic() < deadline:
        time.sleep(0.02)
    pid = int(note.read_text())
    assert is_alive(pid)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert is_gone(pid)
