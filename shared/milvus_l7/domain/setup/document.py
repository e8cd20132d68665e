"""A setup: one Milvus release being put, or kept, behind its load balancer; the unit of state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Permanent
from milvus_l7.domain.setup.chain import SETUP_STAGES, TEARDOWN_STAGES, Stage
from milvus_l7.domain.setup.desired import Desired, SetupId
from milvus_l7.domain.setup.drift_report import DriftReport
from milvus_l7.domain.setup.facts import Facts, ServiceFacts
from milvus_l7.domain.setup.supervision import Supervision

SCHEMA_VERSION = 2


class StageState(StrEnum):
    """Where a stage stands in the current run."""

    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class StageRecord:
    """How a stage stands in the current run of the chain."""

    state: StageState = StageState.PENDING
    reason: Reason | None = None
    message: str = ""
    looks: int = 0  # executions in a row that ended with this reason
    started_at: datetime | None = None
    waiting_since: datetime | None = None  # first look in a row that ended with this reason
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Lease:
    """The right of one execution to commit the result of a stage."""

    stage: Stage
    token: int
    owner: str
    expires_at: datetime


class Status(StrEnum):
    """A setup's state in one word, for users."""

    ACCEPTED = "accepted"
    RUNNING = "running"
    WAITING = "waiting"
    FAILED = "failed"
    VERIFIED = "verified"
    TORN_DOWN = "torn-down"


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a set-up was given up."""

    stage: str  # a name, because a later release may no longer have the stage
    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class TearDown:
    """The wish that a setup be taken away again."""

    restore_l4: bool = False  # also give the release its earlier Service type and plaintext back
    cause: Cause | None = None  # the failed set-up that made us wish it; None: somebody asked for it


@dataclass(frozen=True, slots=True)
class Setup:
    """The state document of one setup."""

    setup_id: SetupId
    desired: Desired
    created_at: datetime
    updated_at: datetime
    request_id: str  # message id of the last request; the same id again is a duplicate delivery
    generation: int = 1
    run: int = 1  # times the chain was started for this generation
    token: int = 0  # last fencing token given out; only ever grows
    stages: Mapping[Stage, StageRecord] = field(default_factory=dict)
    facts: Facts = field(default_factory=Facts)
    lease: Lease | None = None
    wake_at: datetime | None = None  # next look at a waiting stage
    poll_at: datetime | None = None  # when re-poll must act if nothing else did; None when finished
    verified_at: datetime | None = None  # when the chain last ended well; None since a tear-down
    teardown: TearDown | None = None  # None: the setup is wanted
    supervision: Supervision = field(default_factory=Supervision)
    drift: DriftReport | None = None  # the last drift check since the setup was verified
    check_at: datetime | None = None  # next drift check; None while there is nothing to check
    schema_version: int = SCHEMA_VERSION

    def record(self, stage: Stage) -> StageRecord:
        """The stage's record; a stage that has not begun is pending."""
        return self.stages.get(stage, StageRecord())

    @property
    def was_verified(self) -> bool:
        """Whether the setup has ever served since it was first wanted, or wanted again."""
        return self.verified_at is not None

    @property
    def chain(self) -> tuple[Stage, ...]:
        """The stages that lead to what is wanted, in order."""
        return TEARDOWN_STAGES if self.teardown is not None else SETUP_STAGES

    @property
    def current(self) -> Stage | None:
        """The first stage that is not done; None when all are."""
        return next((s for s in self.chain if self.record(s).state is not StageState.DONE), None)

    @property
    def status(self) -> Status:
        """The setup's state in one word."""
        if self.current is None:
            return Status.VERIFIED if self.teardown is None else Status.TORN_DOWN
        record = self.record(self.current)
        if record.state is StageState.PENDING and self.current is self.chain[0]:
            return Status.ACCEPTED
        names = {StageState.WAITING: Status.WAITING, StageState.FAILED: Status.FAILED}
        return names.get(record.state, Status.RUNNING)


def service_of(setup: Setup) -> ServiceFacts:
    """The Service that prepare_tls found; `Permanent(SERVICE_NOT_FOUND)` if the setup has none."""
    if setup.facts.service is None:
        raise Permanent(Reason.SERVICE_NOT_FOUND, "no Service is known for the release; set it up again")
    return setup.facts.service
