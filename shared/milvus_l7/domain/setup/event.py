"""The events between functions. They carry ids only; the state is read from the state store."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from milvus_l7.domain.reasons.errors import MalformedEvent
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.desired import SetupId
from milvus_l7.domain.setup.document import Setup
from milvus_l7.domain.setup.document_id import LONGEST_ID_BYTES, is_document_id
from milvus_l7.domain.setup.topology import Topology
from milvus_l7.domain.text.excerpt import excerpt

SCHEMA_VERSION = 1
ACCEPTED = "accept_request"
CHECKED = "check_drift"
NO_GENERATION = 0  # of a dry run, whose setup may not exist
LARGEST_GENERATION = 2**63 - 1  # as Firestore's integers
_STEP = re.compile(r"[a-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Event:
    """One event on one topic. `stage` is the step it tells of, not the one it starts.

    `generation` is the one that the step worked for, or is to work for: while a request is planned, and after
    it was refused, not the setup's newest.
    """

    event_id: str
    topic: str
    setup_id: SetupId
    generation: int
    stage: str

    def payload(self) -> dict[str, Any]:
        """The JSON body of the message."""
        return {
            "schema_version": SCHEMA_VERSION,
            "event_id": self.event_id,
            "setup_id": self.setup_id,
            "generation": self.generation,
            "stage": self.stage,
        }


def from_payload(topic: str, body: object) -> Event:
    """The event that a message body on `topic` describes; `MalformedEvent` if it describes none."""
    if not isinstance(body, Mapping):
        raise MalformedEvent("the event body is not a JSON object")
    version = body.get("schema_version")
    if version != SCHEMA_VERSION or isinstance(version, bool):
        raise MalformedEvent(f"unknown event schema_version {excerpt(version, 40)}")
    for name, (is_valid, rule) in _RULES.items():
        if not is_valid(body.get(name)):
            raise MalformedEvent(f"event field {name} is missing or not {rule}")
    return Event(body["event_id"], topic, SetupId(body["setup_id"]), body["generation"], body["stage"])


def _is_count(value: object) -> bool:
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    return is_whole and 0 <= value <= LARGEST_GENERATION  # type: ignore[operator]


def _is_step(value: object) -> bool:
    return isinstance(value, str) and bool(_STEP.fullmatch(value))


_RULES: Mapping[str, tuple[Callable[[object], bool], str]] = {
    "event_id": (is_document_id, f"an id of at most {LONGEST_ID_BYTES} bytes"),
    "setup_id": (is_document_id, f"an id of at most {LONGEST_ID_BYTES} bytes"),
    "generation": (_is_count, f"a whole number from 0 to {LARGEST_GENERATION}"),
    "stage": (_is_step, "the name of a step"),
}
FIELDS = frozenset(_RULES)


def _event(setup: Setup, generation: int, topic: str, stage: str, mark: str) -> Event:
    event_id = f"{setup.setup_id}.g{generation}.r{setup.run}.{stage}.{mark}"
    return Event(event_id, topic, setup.setup_id, generation, stage)


def announcement(setup: Setup, stage: Stage, topology: Topology) -> Event:
    """`stage` is done. Announcing the same execution again gives the same event id."""
    topic = topology.announcement(stage)
    return _event(setup, setup.generation_of(stage), topic, stage, f"x{setup.executions}")


def failure(setup: Setup, stage: Stage, topology: Topology) -> Event:
    """`stage` has failed, or the plan has refused a request; for whoever watches `l7-setup-failed`."""
    refused = setup.refusal if stage is Stage.PLAN_SETUP else None
    generation = refused.generation if refused else setup.generation_of(stage)
    return _event(setup, generation, topology.failed_topic, stage, f"x{setup.executions}.failed")


def wake_up(setup: Setup, stage: Stage, topology: Topology, mark: str) -> Event:
    """The trigger event of `stage` once more; `mark` tells one wake-up from another."""
    before = stage.earlier[-1] if stage.earlier else ACCEPTED
    return _event(setup, setup.generation_of(stage), topology.trigger(stage), before, f"wake.{mark}")


def start(setup: Setup, topology: Topology, why: str) -> Event | None:
    """Return the event that starts what comes next, without an announcement; None: nothing."""
    if setup.current is None or setup.poll_at is None:
        return None
    return wake_up(setup, setup.current, topology, why)


def plan_wanted(plan_id: str, setup_id: SetupId, topology: Topology) -> Event:
    """A plan is to be made, of a setup that may not exist."""
    return Event(plan_id, topology.dry_run_topic, setup_id, NO_GENERATION, ACCEPTED)


def plan_made(plan_id: str, setup_id: SetupId, topology: Topology) -> Event:
    """The plan, or why there is none, is in the state store."""
    return Event(f"{plan_id}.made", topology.plan_made_topic, setup_id, NO_GENERATION, Stage.PLAN_SETUP)


def check_due(setup: Setup, topology: Topology, mark: str) -> Event:
    """The setup is to be checked for drift; `mark` tells one check from another."""
    topic = topology.functions[CHECKED].trigger
    return _event(setup, setup.desired_generation, topic, CHECKED, f"check.{mark}")


def drift_found(setup: Setup, topology: Topology, mark: str) -> Event:
    """A check has found other things than the one before."""
    topic = topology.functions[CHECKED].announces or ""
    return _event(setup, setup.desired_generation, topic, CHECKED, f"found.{mark}")


def certificate_reissued(setup: Setup, topology: Topology) -> Event:
    """A certificate of ours was replaced before it ended; the new public one is on the setup."""
    stage, mark = Stage.PROVISION_CERTIFICATE, f"x{setup.executions}.reissued"
    return _event(setup, setup.generation_of(stage), topology.reissued_topic, stage, mark)
