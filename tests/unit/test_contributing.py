"""CONTRIBUTING names what is there, and its steps are enough to add a stage: here one is added to a copy.

The imaginary stage leaves a note, a ConfigMap, in the middle of the chain. The copy is then asked whether the
stage is wired, planned and checked for drift, and what it makes of a setup that this release has verified.
"""

from __future__ import annotations

import json
import os
import pickle
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from milvus_l7.adapters.setup import documents
from milvus_l7.domain.setup.chain import SETUP_STAGES, Stage
from milvus_l7.domain.setup.document import Setup, StageRecord, StageState
from tests.builders import new_setup
from tests.fakes.state import START

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
STEPS = PAGE.partition("## How to add a stage")[2]
COPIED = ("shared", "functions", "infra", "tests", "pyproject.toml", "constraints.txt")
NEW = "leave_note"

STAGE = '''
"""The stage that leaves a note beside the release."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from milvus_l7.domain.setup.document import Setup
from milvus_l7.domain.setup.outcome import Done, Outcome
from milvus_l7.ports import Connections


@dataclass(frozen=True, slots=True)
class LeaveNote:
    connections: Connections

    def __call__(self, setup: Setup, now: datetime) -> Outcome:
        metadata = {"name": "note", "namespace": setup.desired.namespace}
        note = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"is": "here"}}
        self.connections.objects(setup.desired.cluster).apply(note)
        return Done()
'''
BUILDER = """
def _leave_note(ports: StagePorts) -> StageWork:
    from milvus_l7.application.stages.leave_note import LeaveNote

    return LeaveNote(ports.connections)


"""
FUNCTION = """
import functions_framework
from cloudevents.http import CloudEvent

from milvus_l7 import entrypoint
from milvus_l7.domain.setup.chain import Stage


@functions_framework.cloud_event
def leave_note(event: CloudEvent) -> None:
    entrypoint.deliver(Stage.LEAVE_NOTE, event.data)
"""
ROW = """\
  leave_note:
    trigger: l7-health-check-configured
    announces: l7-note-left
    timeout_s: 60
    memory: 512Mi
    identity: l7-note
"""
TRIGGER = "  provision_certificate:\n    trigger: "


def before(anchor: str, new: str) -> Callable[[str], str]:
    """The edit that puts new text before what stands in the file once."""

    def edit(text: str) -> str:
        assert text.count(anchor) == 1, anchor
        return text.replace(anchor, new + anchor)

    return edit


def in_registry(text: str) -> str:
    entered = before(
        "    StageEntry(Stage.PROVISION_CERTIFICATE", "    StageEntry(Stage.LEAVE_NOTE, _leave_note),\n"
    )
    return entered(before("def _provision_certificate(", BUILDER.lstrip())(text))


def in_topology(text: str) -> str:
    listed = before(TRIGGER, ROW)(text)
    return listed.replace(f"{TRIGGER}l7-health-check-configured", f"{TRIGGER}l7-note-left")


# What the steps say, by the file that they name.
EDITS: dict[str, Callable[[str], str]] = {
    "shared/milvus_l7/domain/setup/chain.py": before(
        '    PROVISION_CERTIFICATE = "', '    LEAVE_NOTE = "leave_note"\n'
    ),
    "shared/milvus_l7/application/stages/<stage>.py": lambda _: STAGE.lstrip(),
    "shared/milvus_l7/application/stages/registry.py": in_registry,
    "infra/topology.yaml": in_topology,
    "functions/<stage>/main.py": lambda _: FUNCTION.lstrip(),
    "functions/<stage>/requirements.txt": lambda _: "functions-framework\n",
}

QUESTIONS = """
import json, pickle, sys
from pathlib import Path

from infra.bundle import bundle

sys.path.insert(0, str(bundle("leave_note", Path("dist").absolute())))
import main
from milvus_l7 import bootstrap
from milvus_l7.adapters.setup import documents
from milvus_l7.application.drift.check_drift import CheckDrift
from milvus_l7.application.planning.planner import Planner
from milvus_l7.application.stages import registry
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.outcome import Done
from milvus_l7.ports import Commit
from tests.builders import TOPOLOGY, new_setup
from tests.fakes.engine import FakeEngine
from tests.fakes.plaintext_release import cluster, release
from tests.fakes.ports import FakePorts, dry_run
from tests.fakes.provisioning import FakeCertificates
from tests.fakes.state import START

stage, engine = Stage("leave_note"), FakeEngine()
ports = dry_run(FakePorts(cluster(release()), certificates=FakeCertificates()))
plan = Planner(ports, registry.planned).plan(new_setup(), START)
setup = documents.from_document(pickle.loads(Path("verified").read_bytes()))
engine.setups.commit(Commit(setup, None))
check = CheckDrift(engine.outbox, engine.clock, TOPOLOGY, ports, verification=lambda ports: lambda *_: Done())
report = check.check(setup.setup_id)
print(json.dumps({
    "function": main.leave_note.__name__,
    "wired": type(bootstrap.runner(stage).work(None)).__name__,
    "planned": [step.stage for step in plan.steps],
    "changes": sorted({each.target for step in plan.steps if step.stage is stage for each in step.changes}),
    "fault": plan.fault and plan.fault.message,
    "loaded": [setup.status, setup.poll_at, str(setup.check_at)],
    "found": [[finding.target, finding.found] for finding in report.findings if finding.stage == stage],
    "checked": [engine.only().status, str(engine.only().check_at)],
}))
"""


def paths(text: str) -> set[str]:
    """What is written as code and reads as a path."""
    words = re.findall(r"`([\w./<>-]+)`", text)
    return {word for word in words if "/" in word or re.search(r"\.(py|md|toml|yaml|txt)$", word)}


def verified() -> Setup:
    done = dict.fromkeys(SETUP_STAGES, StageRecord(StageState.DONE))
    return replace(new_setup(), stages=done, poll_at=None, verified_at=START, check_at=START)


def run(copy: Path, *arguments: str) -> str:
    environment = {
        **os.environ,
        "PYTHONPATH": str(copy),
        "PYTHONDONTWRITEBYTECODE": "1",
        "GOOGLE_CLOUD_PROJECT": "p",
    }
    command = [sys.executable, *arguments]
    ended = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with the stage added."""
    folder = tmp_path_factory.mktemp("copy")
    for name in COPIED:
        source, target = ROOT / name, folder / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    for name, edit in EDITS.items():
        path = folder / name.replace("<stage>", NEW)
        path.parent.mkdir(exist_ok=True)
        path.write_text(edit(path.read_text(encoding="utf-8") if path.exists() else ""), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def answers(copy: Path) -> dict[str, Any]:
    (copy / "verified").write_bytes(pickle.dumps(documents.to_document(verified())))
    return dict(json.loads(run(copy, "-c", QUESTIONS).splitlines()[-1]))


@pytest.mark.parametrize("path", sorted(paths(PAGE)))
def test_what_contributing_names_is_there(path: str) -> None:
    assert (ROOT / path.replace("<stage>", Stage.PREPARE_TLS)).exists()


def test_stage_is_added_in_files_that_the_steps_name_and_in_no_other() -> None:
    assert set(EDITS) <= paths(STEPS)


def test_page_is_one_page() -> None:
    assert len(PAGE.splitlines()) <= 60


def test_added_stage_passes_the_tests_of_the_list(copy: Path) -> None:
    ran = run(copy, "-m", "pytest", "-p", "no:cacheprovider", "tests/application/stages/test_registry.py")
    assert f"{2 * len(Stage) + 5} passed" in ran


def test_added_stage_is_wired_to_its_function(answers: dict[str, Any]) -> None:
    assert (answers["function"], answers["wired"]) == (NEW, "LeaveNote")


def test_added_stage_is_planned_in_its_place(answers: dict[str, Any]) -> None:
    planned = [str(stage) for stage in SETUP_STAGES if stage is not Stage.PLAN_SETUP]
    planned.insert(planned.index(Stage.PROVISION_CERTIFICATE), NEW)
    assert (answers["planned"], answers["fault"]) == (planned, None)
    assert answers["changes"] == ["ConfigMap default/note"]


def test_setup_verified_before_stays_verified(answers: dict[str, Any]) -> None:
    assert answers["loaded"] == ["verified", None, str(START)]


def test_drift_check_finds_what_the_added_stage_would_make(answers: dict[str, Any]) -> None:
    assert answers["found"] == [["ConfigMap default/note", "missing"]]
    status, check_at = answers["checked"]
    assert status == "verified"
    assert check_at == str(START)
