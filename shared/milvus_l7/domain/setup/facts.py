"""What the stages found out of a setup."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from milvus_l7.domain.reasons import Reason


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
    live_type: str | None = None  # of the Service in the cluster; None: not recorded
    live_address: str | None = None  # of its Layer-4 load balancer
    # Fields of the live Service that its type takes along, and that the chart has no value for.
    live_fields: Mapping[str, Any] = field(default_factory=dict)


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


@dataclass(frozen=True, slots=True)
class PublishedRecord:
    """A DNS record that we made, or are about to make."""

    zone: str  # projects/P/managedZones/Z
    domain: str
    address: str


@dataclass(frozen=True, slots=True)
class Adopted:
    """An object that somebody made by hand and we work with, as it was found; given back, never deleted."""

    kind: str
    name: str
    uid: str
    found: str = ""  # JSON, see `domain.kubernetes.adoption`; "" for a Secret, which is only read


class CheckState(StrEnum):
    """Where an item of the verification checklist stands."""

    PENDING = "pending"
    PASSED = "passed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Check:
    """One item of the verification checklist. `reason` explains everything that has not passed."""

    name: str  # rollout | certificate | backends | dns | tls | milvus
    state: CheckState = CheckState.PENDING
    message: str = ""
    reason: Reason | None = None
    required: bool = True


@dataclass(frozen=True, slots=True)
class Facts:
    """What the stages found out; kept over generations, overwritten by the stage that owns it."""

    service: ServiceFacts | None = None
    former: tuple[ServiceFacts, ...] = ()  # Services of other names that the release had before
    before: ReleaseBefore | None = None
    annotations_before: Mapping[str, str | None] | None = None  # of the Service; None value: not set
    certificate: CertificateFacts | None = None  # the self-managed one
    managed: ManagedFacts | None = None  # the Google-managed one
    address: str | None = None
    published: tuple[PublishedRecord, ...] = ()  # in every zone, for every domain that was ever wanted
    adopted: tuple[Adopted, ...] = ()
    checklist: tuple[Check, ...] = ()
    milvus_version: str | None = None

    def with_service(self, service: ServiceFacts) -> Facts:
        """Return the facts with the release's Service; what is called after another one is not forgotten."""
        known = self.service
        if known is None or known.name == service.name:
            return replace(self, service=service)
        return replace(self, service=service, former=tuple(dict.fromkeys((*self.former, known))))

    def adopted_as(self, kind: str, name: str | None = None) -> Adopted | None:
        """Return the record of an adopted object; without a name that of the first of the kind."""
        return next((each for each in self.adopted if each.kind == kind and name in (None, each.name)), None)

    def has_adopted(self, kind: str, name: str, uid: str) -> bool:
        """Return whether this very object is recorded, and not an earlier one of its name."""
        known = self.adopted_as(kind, name)
        return known is not None and known.uid == uid

    def with_adopted(self, found: Adopted) -> Facts:
        """Return the facts with one more adopted object; one that is known already stays as it was found."""
        if self.has_adopted(found.kind, found.name, found.uid):
            return self
        known = self.adopted_as(found.kind, found.name)
        others = tuple(each for each in self.adopted if each is not known)
        return replace(self, adopted=(*others, found))

    def has_renewed_certificate(self, before: Facts) -> bool:
        """Whether the same Secret now holds another certificate, which pinned clients must be given."""
        now, then = self.certificate, before.certificate
        if now is None or then is None:
            return False
        return now.secret == then.secret and now.sha256 != then.sha256
