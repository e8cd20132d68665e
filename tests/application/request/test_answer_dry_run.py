"""Whoever asked for a plan hears of it, or why there is none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from milvus_l7.application.planning.planner import Planner
from milvus_l7.application.request.answer_dry_run import AnswerDryRun
from milvus_l7.application.stages import registry
from milvus_l7.domain.reasons import Reason
from tests.builders import TOPOLOGY, request
from tests.fakes.engine import FakeEngine
from tests.fakes.plaintext_release import cluster, release
from tests.fakes.ports import FakePorts


def test_request_that_an_earlier_release_took_and_this_one_refuses_is_answered() -> None:
    engine = FakeEngine()
    engine.submit("m1", request(dry_run=True))
    (stored,) = engine.plans.stored.values()
    engine.plans.store(replace(stored, request='{"of": "another time"}'))
    planner = Planner(FakePorts(cluster(release())).dry_run, registry.planned)
    answer = AnswerDryRun(engine.outbox, engine.plans, engine.clock, TOPOLOGY, planner)
    record = answer.handle(engine.events.published[0])
    assert record is not None
    assert (record.reason, record.plan) == (Reason.INVALID_REQUEST, None)
    assert engine.topics()[-1] == TOPOLOGY.plan_made_topic


def test_bug_that_a_plan_meets_is_announced_and_fails_no_delivery() -> None:
    engine = FakeEngine()
    engine.submit("m1", request(dry_run=True))
    ports: Any = FakePorts(cluster(release()))  # without certificates
    planner = Planner(ports.dry_run, registry.planned)
    answer = AnswerDryRun(engine.outbox, engine.plans, engine.clock, TOPOLOGY, planner)
    record = answer.handle(engine.events.published[0])
    assert record is not None
    assert record.reason is Reason.INTERNAL_ERROR
    assert engine.topics()[-1] == TOPOLOGY.plan_made_topic
