"""Check the Terraform: its format, its arguments, and its own tests against a mock of Google.

    python -m infra.offline

Needs `terraform` or `tofu` on the path.
"""

from __future__ import annotations

import os
import sys

from infra.offline.roots import INFRA, NAMES
from infra.offline.workspace import RefusedError, Workspace, binary, workspace

MISSING = "neither terraform nor tofu is on the path: the Terraform is not checked"


def main() -> int:
    """Return the exit status: 1 if something is refused, or nothing can be checked."""
    program = binary()
    if program is None:
        sys.stdout.write(f"{MISSING}\n")
        return 1
    try:
        Workspace(INFRA, program, os.environ).run("fmt", "-check", "-diff", "-recursive", "-no-color")
        for name in NAMES:
            _check(name, program)
    except RefusedError as refused:
        sys.stdout.write(str(refused))
        return 1
    return 0


def _check(name: str, program: str) -> None:
    with workspace(name, program) as copy:
        copy.run("validate", "-no-color")
        copy.run("test", "-no-color")


if __name__ == "__main__":
    sys.exit(main())
