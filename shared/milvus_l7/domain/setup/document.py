"""A setup: one Milvus release being put, or kept, behind its load balancer; the unit of state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Permanent
from milvus_l7.domain.setup.budget import Budget
from milvus_l7.domain.setup.chain import SETUP_STAGES, TEARDOWN_STAGES, Stage
from milvus_l7.domain.setup.desired import Desired, SetupId
from milvus_l7.domain.setup.drift_report import DriftReport
from milvus_l7.domain.setup.facts import Facts, ServiceFacts
from milvus_l7.domain.setup.lease import Lease
from milvus_l7.domain.setup.supervision import Supervision

SCHEMA_VERSION = 3


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
    attempts: int = 0  # executions in a row that ended with this reason
    started_at: datetime | None = None
    waiting_since: datetime | None = None  # first of them that ended with this reason
    finished_at: datetime | None = None
    notice: str = ""  # what a wait has told besides, which is the message once the stage is done

    def paused_for(self, span: timedelta) -> StageRecord:
        """Return the record without the time of a pause."""
        return replace(self, waiting_since=self.waiting_since + span) if self.waiting_since else self


NOT_BEGUN = StageRecord()


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


@dataclass(frozen=True, slots=True, order=True)
class OrderMark:
    """When Pub/Sub took a message, and its id: the last request wins by this order."""

    published_at: datetime
    message_id: str


@dataclass(frozen=True, slots=True)
class Requested:
    """A request that is accepted and not planned yet; it becomes what is desired if its plan allows it."""

    desired: Desired
    generation: int
    record: StageRecord = NOT_BEGUN  # of the planning
    is_repair: bool = False  # nobody asked for it, so it needs leave to interrupt anybody

    def paused_for(self, span: timedelta) -> Requested:
        """Return the request without the time of a pause."""
        return replace(self, record=self.record.paused_for(span))


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the plan of a request refused it; the setup went on with what it had."""

    generation: int
    reason: Reason
    message: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Setup:
    """The state document of one setup."""

    setup_id: SetupId
    desired: Desired  # what the stages bring about
    created_at: datetime
    updated_at: datetime
    order: OrderMark  # of the last accepted request, set-up or tear-down
    requested: Requested | None = None  # None: `desired` is what was asked for last
    refusal: Refusal | None = None  # of the last request, if its plan refused it
    generation: int = 1  # of the last request
    desired_generation: int = 0  # of what the stages work for; 0: nothing was ever planned
    run: int = 1  # times the chain was started for this generation
    executions: int = 0  # begun so far; numbers results and their events
    stages: Mapping[Stage, StageRecord] = field(default_factory=dict)
    budgets: Mapping[Stage, Budget] = field(default_factory=dict)  # of the present run
    facts: Facts = field(default_factory=Facts)
    lease: Lease | None = None
    effect: Stage | None = None  # a stage has begun what must be completed or taken back before all else
    is_touched: bool = False  # something may have been written since the setup was last wanted
    has_lost_lease: bool = False  # an execution died since the last way back, so the next looks twice
    wake_at: datetime | None = None  # next attempt of a waiting stage
    poll_at: datetime | None = None  # when re-poll must act if nothing else did; None when finished
    paused_at: datetime | None = None
    verified_at: datetime | None = None  # when the chain last ended well; None since a tear-down
    teardown: TearDown | None = None  # None: the setup is wanted
    supervision: Supervision = field(default_factory=Supervision)
    drift: DriftReport | None = None  # the last drift check since the setup was verified
    check_at: datetime | None = None  # next drift check; None while there is nothing to check
    check_begun_at: datetime | None = None  # when the last drift check began, whatever became of it
    expires_at: datetime | None = None  # a tombstone: when the state store may forget it
    schema_version: int = SCHEMA_VERSION

    def record(self, stage: Stage) -> StageRecord:
        """Return the stage's record; a stage that has not begun is pending."""
        if stage is Stage.PLAN_SETUP and self.requested is not None:
            return self.requested.record
        return self.stages.get(stage, NOT_BEGUN)

    @property
    def was_verified(self) -> bool:
        """Whether the setup has ever served since it was first wanted, or wanted again."""
        return self.verified_at is not None

    @property
    def chain(self) -> tuple[Stage, ...]:
        """The stages that lead to what was asked for last, in order."""
        return SETUP_STAGES if self.requested is not None else self.desired_chain

    @property
    def desired_chain(self) -> tuple[Stage, ...]:
        """The stages that lead to what is desired, in order."""
        return TEARDOWN_STAGES if self.teardown is not None else SETUP_STAGES

    @property
    def current(self) -> Stage | None:
        """Return the stage that must run next; None when all are done.

        An effect that was begun and not settled comes first, then the planning of what was requested.
        """
        if self.effect is not None:
            return self.effect
        if self.requested is not None:
            return Stage.PLAN_SETUP
        return next((s for s in self.chain if self.record(s).state is not StageState.DONE), None)

    def generation_of(self, stage: Stage) -> int:
        """Return the generation that an execution of the stage works for."""
        planned = stage is Stage.PLAN_SETUP and self.requested is not None
        return self.requested.generation if planned and self.requested else self.desired_generation

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
