"""Plans are made once; without Terraform or OpenTofu there are none, which CI does not accept."""

from __future__ import annotations

import os

import pytest

from infra.offline.__main__ import MISSING
from infra.offline.workspace import binary, workspace
from tests.terraform.plans import VARIABLES, Plan


@pytest.fixture(scope="session")
def program() -> str:
    found = binary()
    if found is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(MISSING)
    return found


def _plan(name: str, program: str) -> Plan:
    with workspace(name, program) as copy:
        return Plan(copy.plan(VARIABLES[name]))


@pytest.fixture(scope="session")
def prepared(program: str) -> Plan:
    """What a person applies."""
    return _plan("bootstrap", program)


@pytest.fixture(scope="session")
def deployed(program: str) -> Plan:
    """What the pipeline applies."""
    return _plan("terraform", program)
