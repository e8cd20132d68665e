"""A setup: one Milvus release being put, or kept, behind its load balancer; the unit of state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NewType

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.setup.chain import ORDER, WAY_BACK, Stage
from milvus_l7.domain.setup.drift_report import DriftReport
from milvus_l7.domain.setup.supervision import Supervision

SetupId = NewType("SetupId", str)

SCHEMA_VERSION = 2


class CertificateType(StrEnum):
    """Who issues the certificate."""

    SELF_MANAGED = "self-managed"
    GOOGLE_MANAGED = "google-managed"


@dataclass(frozen=True, slots=True)
class CertificateSpec:
    """The certificate that was asked for."""

    type: CertificateType = CertificateType.SELF_MANAGED
    secret: str | None = None  # an existing TLS Secret to adopt, never written by us
    validity_days: int = 99999
    domains: tuple[str, ...] = ()  # google-managed: more names on the certificate
    recreate_failed: bool = False  # google-managed: replace one that has failed permanently


def setup_id(cluster: str, namespace: str, release: str) -> SetupId:
    """`<project>.<location>.<cluster>.<namespace>.<release>`."""
    _, project, _, location, _, name = cluster.split("/")
    return SetupId(".".join((project, location, name, namespace, release)))


@dataclass(frozen=True, slots=True)
class Desired:
    """The desired state of a setup: a request with its defaults filled in."""

    cluster: str  # projects/P/locations/L/clusters/C
    release: str
    domain: str
    namespace: str = "default"
    certificate: CertificateSpec = CertificateSpec()
    backend_timeout_s: int = 3600
    deep_verification: bool = False
    dns_zone: str | None = None  # projects/P/managedZones/Z, where we may create the A record

    @property
    def domains(self) -> tuple[str, ...]:
        """Every name that the certificate must cover, the setup's own first."""
        return tuple(dict.fromkeys((self.domain, *self.certificate.domains)))

    @property
    def is_google_managed(self) -> bool:
        """Whether Google issues the certificate."""
        return self.certificate.type is CertificateType.GOOGLE_MANAGED

    @property
    def setup_id(self) -> SetupId:
        """Names the setup."""
        return setup_id(self.cluster, self.namespace, self.release)


@dataclass(frozen=True, slots=True)
class ServiceFacts:
    """The release's Service and its gRPC port, as the cluster has them."""

    name: str
    port_name: str  # "" for an unnamed port
    port: int


@dataclass(frozen=True, slots=True)
class ReleaseBefore:
    """What the first upgrade of ours replaced; only the keys that we set, so that no user secret is kept."""

    revision: int
    values: Mapping[str, Any]  # dotted Helm value path -> value before, None if it was not set
    user_yaml: Mapping[str, Any]  # dotted user.yaml path -> value before, None if it was not set


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """The public half of the certificate in use."""

    secret: str
    pem: str  # the public certificate chain; never a key
    sha256: str  # of the leaf's DER, lower-case hex
    not_after: datetime


@dataclass(frozen=True, slots=True)
class ManagedFacts:
    """The ManagedCertificate in use."""

    name: str
    domains: tuple[str, ...]


class CheckState(StrEnum):
    """Where an item of the verification checklist stands."""

    PENDING = "pending"
    PASSED = "passed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Check:
    """One item of the verification checklist. `reason` explains everything that has not passed."""

    name: str  # certificate | backends | dns | tls | milvus
    state: CheckState = CheckState.PENDING
    message: str = ""
    reason: Reason | None = None
    required: bool = True


@dataclass(frozen=True, slots=True)
class Facts:
    """What the stages found out; kept over generations, overwritten by the stage that owns it."""

    service: ServiceFacts | None = None
    before: ReleaseBefore | None = None
    annotations_before: Mapping[str, str | None] | None = None  # of the Service; None value: not set
    certificate: CertificateFacts | None = None  # the self-managed one
    managed: ManagedFacts | None = None  # the Google-managed one
    address: str | None = None
    checklist: tuple[Check, ...] = ()
    milvus_version: str | None = None

    def has_renewed_certificate(self, before: Facts) -> bool:
        """Whether the same Secret now holds another certificate, which pinned clients must be given."""
        now, then = self.certificate, before.certificate
        if now is None or then is None:
            return False
        return now.secret == then.secret and now.sha256 != then.sha256


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

    stage: Stage
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
    facts: Facts = Facts()
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
        return WAY_BACK if self.teardown is not None else ORDER

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
