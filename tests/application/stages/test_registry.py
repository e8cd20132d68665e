"""The lists that must name every stage agree: the enum, the registry, the topology, the functions."""

from __future__ import annotations

from pathlib import Path

import pytest

from milvus_l7.application.stages import registry
from milvus_l7.domain.setup.chain import SETUP_STAGES, Stage
from milvus_l7.domain.setup.event import ACCEPTED
from tests.builders import TOPOLOGY
from tests.fakes.ports import FakePorts

FUNCTIONS = Path(__file__).parents[3] / "functions"

each_stage = pytest.mark.parametrize("stage", Stage)


def test_registry_lists_every_stage_in_the_order_of_the_chain() -> None:
    assert [entry.stage for entry in registry.STAGES] == list(Stage)


def module(stage: Stage) -> str:
    """The stage that plans has its module where plans are made."""
    return "planning.plan_requested" if stage is Stage.PLAN_SETUP else f"stages.{stage}"


@each_stage
def test_stage_is_built_from_the_ports_and_is_the_one_of_its_own_module(stage: Stage) -> None:
    work = registry.work(stage, FakePorts(None))
    assert type(work).__module__ == f"milvus_l7.application.{module(stage)}"


@each_stage
def test_stage_has_a_function_of_its_name(stage: Stage) -> None:
    assert TOPOLOGY.functions[stage].timeout_s
    assert f"\ndef {stage}(" in (FUNCTIONS / stage / "main.py").read_text(encoding="utf-8")


def test_functions_stand_in_the_topology_in_the_order_of_the_chain() -> None:
    assert [name for name in TOPOLOGY.functions if name in list(Stage)] == list(Stage)


def test_each_stage_is_triggered_by_what_the_one_before_announces() -> None:
    announced = [TOPOLOGY.functions[name].announces for name in (ACCEPTED, *SETUP_STAGES)]
    assert [TOPOLOGY.trigger(stage) for stage in SETUP_STAGES] == announced[:-1]
    assert len(set(announced)) == len(announced)
