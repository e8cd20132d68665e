"""What requests are refused for, and what becomes of executions that break: on the real state store.

Runs against Google's emulator if FIRESTORE_EMULATOR_HOST is set.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from localcloud.firestore import FirestoreEmulator
from milvus_l7.adapters.setup.firestore import FirestoreSetups
from milvus_l7.application.engine.outbox import Outbox
from milvus_l7.application.engine.runner import Engine, Runner
from milvus_l7.application.request.accept_request import AcceptRequest
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import LeaseLost
from milvus_l7.domain.request.rejection import Rejection
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.document import OrderMark, Setup, StageRecord, TearDown
from milvus_l7.domain.setup.lease import Lease
from milvus_l7.ports import Commit
from tests.builders import TOPOLOGY, new_setup, request, trigger
from tests.fakes.engine import ScriptedWork
from tests.fakes.plans import FakePlans
from tests.fakes.state import FakeClock, FakeEvents

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def host() -> Iterator[str]:
    if given := os.environ.get("FIRESTORE_EMULATOR_HOST"):
        yield given
        return
    with FirestoreEmulator() as emulator:
        yield emulator.address


@pytest.fixture
def outbox(host: str, monkeypatch: pytest.MonkeyPatch) -> Outbox:
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", host)
    return Outbox(FirestoreSetups(f"test-{uuid4().hex[:12]}"), FakeEvents())


def submit(outbox: Outbox, message_id: str, body: bytes, at: datetime = NOW) -> Rejection:
    accept = AcceptRequest(outbox, FakePlans(), FakeClock(NOW), TOPOLOGY)
    found = accept.handle(OrderMark(at, message_id), body)
    if isinstance(found, Rejection):
        return found
    events = outbox.events
    assert isinstance(events, FakeEvents)
    return events.rejected[-1] if events.rejected else Rejection(message_id, Reason.INTERNAL_ERROR, ())


def test_request_that_breaks_the_schema_is_refused(outbox: Outbox) -> None:
    assert submit(outbox, "m1", request(domain=7)).reason is Reason.INVALID_REQUEST
    assert submit(outbox, "m2", request(domain="UPPER.io")).reason is Reason.INVALID_VALUE


def test_older_request_is_superseded(outbox: Outbox) -> None:
    submit(outbox, "m2", request())
    older = NOW - timedelta(minutes=1)
    assert submit(outbox, "m1", request(domain="older.milvus.io"), older).reason is Reason.SUPERSEDED


def ran(outbox: Outbox, setup: Setup, stage: Stage, work: ScriptedWork) -> StageRecord:
    """What the state store has of the stage after one execution of it."""
    stored = outbox.setups.commit(Commit(setup, None))
    engine = Engine(outbox.setups, outbox, FakeClock(NOW), TOPOLOGY, "test")
    Runner(engine, stage, lambda _: work, lambda _: work).handle(trigger(stored.setup, stage))
    found = outbox.setups.load(setup.setup_id)
    assert found is not None
    assert work.runs == 1
    return found.setup.record(stage)


@pytest.mark.parametrize(
    ("error", "reason", "words"),
    [
        (ValueError("a value"), Reason.INTERNAL_ERROR, "ValueError in prepare_tls"),
        (LeaseLost("too late"), Reason.EXECUTION_STOPPED, "stopped before its next write"),
    ],
)
def test_execution_that_breaks_is_told(outbox: Outbox, error: Exception, reason: Reason, words: str) -> None:
    record = ran(outbox, new_setup(), Stage.PREPARE_TLS, ScriptedWork([error]))
    assert (record.reason, record.message) == (reason, words)


def test_way_back_after_an_execution_that_died_looks_once_more(outbox: Outbox) -> None:
    started = NOW - timedelta(hours=1)
    dead = Lease(Stage.TEAR_DOWN, 1, "dead", "test", 60, started_at=started)
    setup = replace(new_setup(), teardown=TearDown(), lease=dead)
    record = ran(outbox, setup, Stage.TEAR_DOWN, ScriptedWork())
    assert record.reason is Reason.EXECUTION_LOST
