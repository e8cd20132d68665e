"""Small, readable ways to make the values that tests talk about."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from milvus_l7.domain.request import registration
from milvus_l7.domain.request.registration import Arrival
from milvus_l7.domain.request.request import SetupSpec
from milvus_l7.domain.setup.admission import Admission, Moment, admit
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.desired import Desired
from milvus_l7.domain.setup.document import OrderMark, Setup, StageRecord, StageState
from milvus_l7.domain.setup.event import Event
from milvus_l7.domain.setup.lease import Lease
from milvus_l7.domain.setup.outcome import Done, Outcome
from milvus_l7.domain.setup.supervision import Supervision
from milvus_l7.domain.setup.topology import Topology, topology
from milvus_l7.domain.setup.transitions import Result, Settled, Timing, begin, settle
from tests.fakes.state import START

CLUSTER = "projects/milvus-testing-nonprod/locations/us-central1-a/clusters/milvus"
TOPOLOGY: Topology = topology(
    yaml.safe_load((Path(__file__).parent.parent / "infra" / "topology.yaml").read_text(encoding="utf-8"))
)


def desired(**changes: Any) -> Desired:
    return Desired(
        **{"cluster": CLUSTER, "release": "my-release", "domain": "my-release.milvus.io", **changes}
    )


def wish(supervision: Supervision | None = None, **changes: Any) -> SetupSpec:
    return SetupSpec(desired(**changes), supervision or Supervision())


def request(**changes: Any) -> bytes:
    body = {"cluster": CLUSTER, "release": "my-release", "domain": "my-release.milvus.io", **changes}
    return json.dumps({k: v for k, v in body.items() if v is not ...}).encode()


def arrival(message_id: str = "message-1", at: datetime = START, **later: float) -> Arrival:
    """A message that Pub/Sub took, and that came, `later` than `at`."""
    moment = at + timedelta(**later)
    return Arrival(OrderMark(moment, message_id), moment)


def requested_setup(**changes: Any) -> Setup:
    """A setup whose request is not planned yet."""
    setup, _ = registration.register(None, wish(**changes), arrival())
    return setup


def new_setup(**changes: Any) -> Setup:
    """A setup whose request is planned, and nothing else."""
    setup = requested_setup(**changes)
    done = {Stage.PLAN_SETUP: StageRecord(StageState.DONE)}
    return replace(setup, requested=None, desired_generation=1, stages=done)


def begun(setup: Setup, stage: Stage, execution: str = "one", at: datetime = START) -> Setup:
    """The setup with an execution of the stage under a lease of 60 seconds, which the store has stamped."""
    is_take_back = setup.effect is stage
    generation = setup.generation_of(stage)
    lease = Lease(stage, generation, execution, "test", 60, is_take_back=is_take_back, started_at=at)
    return begin(setup, lease, at)


def settled(setup: Setup, outcome: Outcome, at: datetime = START, **more: Any) -> Settled:
    """What the execution under way makes of the setup when it ends so."""
    assert setup.lease is not None
    return settle(setup, setup.lease.execution, Result(outcome, **more), Timing(at))


def after(setup: Setup, stage: Stage, outcome: Outcome | None = None, at: datetime = START) -> Setup:
    """The setup after one whole execution of the stage, which is done if it is not said how it ends."""
    return settled(begun(setup, stage, at=at), outcome or Done(), at).setup


def finished(setup: Setup, at: datetime = START) -> Setup:
    """The setup after all that was still to be run, in order."""
    while setup.current is not None:
        setup = after(setup, setup.current, at=at)
    return setup


def admission(setup: Setup, event: Event, stage: Stage, at: datetime = START) -> Admission:
    """What becomes of the event at a moment on which all clocks agree."""
    return admit(setup, stage, event, Moment(at, at))


def trigger(setup: Setup, stage: Stage, mark: str = "test") -> Event:
    """An event that asks for `stage` of the setup's present generation."""
    from milvus_l7.domain.setup.event import wake_up

    return wake_up(setup, stage, TOPOLOGY, mark)
