"""What the commands need from the world: the state, plans, a way to publish, and the time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.errors import wrong_input
from shared.domain.chain import Stage, Topology, topology
from shared.domain.event import ACCEPTED, CHECKED
from shared.ports import Plans, Setups

if TYPE_CHECKING:
    import typer

# Where a command's context notes the project, for what is said if that does not answer.
PROJECT = "cli.project"

# How long a wish that was published may take to show in the state.
ANSWER_TIMEOUT_S = 120.0

_TOPOLOGY = Path(__file__).parents[2] / "infra" / "topology.yaml"


@dataclass(frozen=True, slots=True)
class Backend:
    """The milvus-l7 of one project. Raises what the ports raise; publishing raises `Complaint`."""

    project: str
    setups: Setups
    plans: Plans
    publish: Callable[[str, Mapping[str, Any]], str]  # topic, JSON body -> message id
    now: Callable[[], datetime]
    sleep: Callable[[float], None]


def connect(context: typer.Context, project: str | None) -> Backend:
    """The project's backend, by the same adapters as the functions; a test's own, if the context holds one.

    Nothing is connected before it is used. Raises `Complaint` if no project is named.
    """
    if isinstance(context.obj, Backend):
        context.meta[PROJECT] = context.obj.project
        return context.obj
    if not project:
        raise wrong_input("Which project? Set GOOGLE_CLOUD_PROJECT, or give --project.")
    from cli.client.publisher import Publisher
    from shared.adapters.firestore import FirestoreSetups
    from shared.adapters.plans import FirestorePlans

    context.meta[PROJECT] = project
    publish = Publisher(project).publish
    return Backend(project, FirestoreSetups(project), FirestorePlans(project), publish, _now, time.sleep)


def _now() -> datetime:
    return datetime.now(UTC)


@cache
def _topology() -> Topology:
    import yaml

    return topology(yaml.safe_load(_TOPOLOGY.read_text(encoding="utf-8")))


def request_topic() -> str:
    """Where requests are published."""
    return _topology().functions[ACCEPTED].trigger


def check_topic() -> str:
    """Where the drift check of one setup is asked for."""
    return _topology().functions[CHECKED].trigger


def teardown_topic() -> str:
    """Where tear-downs are asked for."""
    return _topology().functions[Stage.TEAR_DOWN].trigger
