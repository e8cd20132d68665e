"""docs/fidelity.md says what the suites say."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.fidelity import KUBERNETES, ROOT, SUITES


def test_documentation_is_generated_from_the_suites(tmp_path: Path) -> None:
    written = tmp_path / "fidelity.md"
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "shared", ROOT / "cli"))),
    }
    command = [sys.executable, "-m", "tests.fidelity", str(written)]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
    assert written.read_text() == (ROOT / "docs" / "fidelity.md").read_text()


def test_every_suite_that_is_named_is_there() -> None:
    assert [file for suites in SUITES.values() for file in suites if not (ROOT / file).exists()] == []


def test_every_suite_that_runs_on_a_real_api_server_is_compared() -> None:
    fixtures = ("server_under_test", "each_server")
    texts = {path: path.read_text() for path in (ROOT / "tests" / "contract").glob("test_*.py")}
    found = {path for path, text in texts.items() if any(fixture in text for fixture in fixtures)}
    assert found <= {ROOT / file for file in SUITES[KUBERNETES]}
