"""Connect to the milvus-l7 of a project: its state, plans, topics, and the time."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from milvus_l7 import settings, topology_file
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.event import ACCEPTED, CHECKED
from milvus_l7.domain.setup.topology import Topology
from milvus_l7.ports import Plans, Setups
from milvus_l7_cli.errors import wrong_input

if TYPE_CHECKING:
    import typer

# Key in a command's context under which the project is kept for error messages.
PROJECT = "milvus_l7_cli.project"

# How long a published message may take to show in the state.
ANSWER_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class Backend:
    """The milvus-l7 of one project. Raises what the ports raise; publishing raises `CliError`."""

    project: str
    setups: Setups
    plans: Plans
    publish: Callable[[str, Mapping[str, Any]], str]  # topic, JSON body -> message id
    now: Callable[[], datetime]
    sleep: Callable[[float], None]


def connect(context: typer.Context, project: str | None) -> Backend:
    """Return the project's backend, with the functions' own adapters, or the one that the context holds.

    Clients connect when they are first used. Raises `CliError` if no project is named.
    """
    if isinstance(context.obj, Backend):
        context.meta[PROJECT] = context.obj.project
        return context.obj
    if not project:
        raise wrong_input("No project is set. Set GOOGLE_CLOUD_PROJECT, or pass --project.")
    from milvus_l7.adapters.planning.firestore_plans import FirestorePlans
    from milvus_l7.adapters.setup.firestore import FirestoreSetups
    from milvus_l7_cli.client.publisher import Publisher

    context.meta[PROJECT] = project
    database = settings.firestore_database(os.environ)
    setups, plans = FirestoreSetups(project, database), FirestorePlans(project, database)
    return Backend(project, setups, plans, Publisher(project).publish, _now, time.sleep)


def _now() -> datetime:
    return datetime.now(UTC)


@cache
def _topology() -> Topology:
    return topology_file.read()


def request_topic() -> str:
    """Return the topic of requests."""
    return _topology().functions[ACCEPTED].trigger


def check_topic() -> str:
    """Return the topic of drift checks."""
    return _topology().functions[CHECKED].trigger


def teardown_topic() -> str:
    """Return the topic of tear-downs."""
    return _topology().functions[Stage.TEAR_DOWN].trigger
