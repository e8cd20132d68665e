"""The only wiring: which adapter stands behind which port.

Everything is made on first use, in the process that uses it: gRPC clients do not survive the fork of the
functions framework's worker, and a function must not pay for packages that its stage does not need.
"""

from __future__ import annotations

import gc
import os
import time
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

from milvus_l7 import settings, topology_file
from milvus_l7.adapters.kubernetes.connections import ClusterConnections
from milvus_l7.adapters.kubernetes.credentials import TokenSource
from milvus_l7.adapters.kubernetes.gke import GkeClusters
from milvus_l7.adapters.setup.firestore import FirestoreSetups
from milvus_l7.adapters.setup.pubsub import PubSubEvents
from milvus_l7.adapters.stage_ports import FencedPorts, ProductionPorts
from milvus_l7.application.engine.execution import Execution
from milvus_l7.application.engine.outbox import Outbox
from milvus_l7.application.engine.runner import Engine, Runner
from milvus_l7.application.stages import registry
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.topology import Topology

if TYPE_CHECKING:
    from milvus_l7.application.drift.check_drift import CheckDrift
    from milvus_l7.application.engine.repoll import Repoll
    from milvus_l7.application.request.accept_request import AcceptRequest
    from milvus_l7.application.request.accept_tear_down import AcceptTearDown
    from milvus_l7.application.request.answer_dry_run import AnswerDryRun
    from milvus_l7.ports import Plans

# Imports make hundreds of thousands of objects that live for ever. Python's default, a collection every 700
# new ones, spends part of a cold start on looking at them in vain; an event makes a few thousand.
gc.set_threshold(100_000, 20, 20)


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The present moment, with time zone UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return the seconds of a clock that is never set."""
        return time.monotonic()


@cache
def _settings() -> settings.Settings:
    return settings.from_environment(os.environ)


@cache
def _topology() -> Topology:
    return topology_file.read()


@cache
def _outbox() -> Outbox:
    chosen = _settings()
    setups = FirestoreSetups(chosen.project, chosen.database)
    return Outbox(setups, PubSubEvents(chosen.project, _topology().rejected_topic))


@cache
def _ports() -> ProductionPorts:
    chosen = _settings()
    connections = ClusterConnections(GkeClusters(), TokenSource())
    return ProductionPorts(connections, _plans(), chosen.https_port, chosen.dns_server)


@cache
def runner(stage: Stage) -> Runner:
    """The engine for one stage, with production adapters."""
    chosen = _settings()
    outbox = _outbox()
    engine = Engine(
        outbox.setups, outbox, SystemClock(), _topology(), chosen.owner, chosen.lease_s, chosen.pace_scale
    )
    return Runner(
        engine,
        stage,
        lambda execution: registry.work(stage, _guarded(execution)),
        lambda execution: registry.take_back(_guarded(execution)),
    )


def _guarded(execution: Execution) -> FencedPorts:
    """Every write of an execution passes its fence."""
    return FencedPorts(_ports(), execution, execution)


@cache
def accept_request() -> AcceptRequest:
    """The use case of `accept_request`, with production adapters."""
    from milvus_l7.application.request.accept_request import AcceptRequest

    return AcceptRequest(_outbox(), _plans(), SystemClock(), _topology())


@cache
def accept_tear_down() -> AcceptTearDown:
    """The use case of a tear-down request, with production adapters."""
    from milvus_l7.application.request.accept_tear_down import AcceptTearDown

    return AcceptTearDown(_outbox(), SystemClock(), _topology())


def _plans() -> Plans:
    from milvus_l7.adapters.planning.firestore_plans import FirestorePlans

    chosen = _settings()
    return FirestorePlans(chosen.project, chosen.database)


@cache
def answer_dry_run() -> AnswerDryRun:
    """The use case of a dry run, with production adapters."""
    from milvus_l7.application.planning.planner import Planner
    from milvus_l7.application.request.answer_dry_run import AnswerDryRun

    planner = Planner(_ports().dry_run, registry.planned)
    return AnswerDryRun(_outbox(), _plans(), SystemClock(), _topology(), planner)


@cache
def check_drift() -> CheckDrift:
    """The use case of `check_drift`, with production adapters."""
    from milvus_l7.application.drift.check_drift import CheckDrift

    return CheckDrift(_outbox(), SystemClock(), _topology(), _ports().dry_run, _settings().pace_scale)


@cache
def repoll() -> Repoll:
    """The use case of `repoll`, with production adapters."""
    from milvus_l7.application.engine.repoll import Repoll

    age = timedelta(seconds=_settings().outbox_age_s)
    return Repoll(_outbox(), SystemClock(), _topology(), age)
