"""The request that users publish: what it asks for, and why it is refused.

Its structure is read by `structure`, the rules for names and combinations are in `rules`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.request import rules, structure
from milvus_l7.domain.request.rejection import SHOWN_VALUE, Problem
from milvus_l7.domain.request.schema import MaintenanceWindowRequest, Request, TearDownRequest
from milvus_l7.domain.request.structure import Reading
from milvus_l7.domain.setup.desired import CertificateSpec, CertificateType, Desired, SetupId
from milvus_l7.domain.setup.maintenance_window import WEEK, MaintenanceWindow
from milvus_l7.domain.setup.supervision import DriftPolicy, OnFailure, Supervision
from milvus_l7.domain.text import bounded_json
from milvus_l7.domain.text.bounded_json import Limits, NotUnicode, OutOfBounds
from milvus_l7.domain.text.excerpt import excerpt

T = TypeVar("T", Request, TearDownRequest)

# No valid request comes near this size; what is larger is not even parsed.
MAX_BODY_BYTES = 64 * 1024
# Of a refusal, which is one message; how many more there are is said.
MOST_PROBLEMS = 50
LIMITS = Limits(MAX_BODY_BYTES, depth=16, items=20_000)


@dataclass(frozen=True, slots=True)
class SetupSpec:
    """What a request asks for."""

    desired: Desired
    supervision: Supervision
    is_dry_run: bool = False


@dataclass(frozen=True, slots=True)
class TearDownSpec:
    """What a tear-down request asks for."""

    nothing_desired: Desired  # names the release; no domain is wanted for it
    restore_l4: bool

    @property
    def setup_id(self) -> SetupId:
        """Names the setup."""
        return self.nothing_desired.setup_id


class Refused(Exception):
    """The body is not a valid request."""

    def __init__(self, reason: Reason, problems: tuple[Problem, ...] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.problems = problems


def parse(body: bytes | None) -> SetupSpec:
    """Return what a message body asks for; raise `Refused` with every problem of the whole body."""
    reading = _read(body, Request)
    _refuse_if_any(reading, rules.problems(reading))
    request = reading.request
    return SetupSpec(_desired(request), _supervision(request), request.dry_run)


def parse_tear_down(body: bytes | None) -> TearDownSpec:
    """Return what a tear-down message asks for; raise `Refused` with every problem of the whole body."""
    reading = _read(body, TearDownRequest)
    _refuse_if_any(reading, rules.name_problems(reading))
    request = reading.request
    named = Desired(request.cluster, request.release, "", request.namespace)
    return TearDownSpec(named, request.restore_l4)


def _read(body: bytes | None, schema: type[T]) -> Reading[T]:
    document = _document(body)
    version = document.get("schema_version", 1)
    if version != 1 or isinstance(version, bool):
        # Fields and rules of another version are not known, so nothing else can be said of the body.
        problem = Problem("schema_version", structure.shown(version), "must be 1")
        raise Refused(Reason.UNKNOWN_SCHEMA_VERSION, (problem,))
    return structure.read(document, schema)


def _refuse_if_any(reading: Reading[T], broken_rules: Iterable[Problem]) -> None:
    problems: tuple[Problem, ...] = (*reading.problems, *broken_rules)
    more = len(problems) - MOST_PROBLEMS
    if more > 0:
        problems = (*problems[:MOST_PROBLEMS], Problem("", "", f"{more} more problems are not listed"))
    if problems:
        raise Refused(Reason.INVALID_REQUEST if reading.problems else Reason.INVALID_VALUE, problems)


def _document(body: bytes | None) -> dict[str, Any]:
    if not body or not body.strip():
        raise Refused(Reason.BODY_MISSING)
    try:
        document = bounded_json.loads(body, LIMITS)
    except NotUnicode as error:
        problem = Problem(excerpt(error.path, SHOWN_VALUE), "", f"{error}")
        raise Refused(Reason.INVALID_VALUE, (problem,)) from None
    except OutOfBounds as error:
        raise Refused(Reason.BODY_TOO_LARGE, (Problem("", "", f"{error}"),)) from None
    except ValueError as error:
        raise Refused(Reason.NOT_JSON, (Problem("", "", excerpt(error, SHOWN_VALUE)),)) from None
    if not isinstance(document, dict):
        raise Refused(Reason.NOT_AN_OBJECT, (Problem("", "", f"got {type(document).__name__}"),))
    return document


def _desired(request: Request) -> Desired:
    return Desired(
        cluster=request.cluster,
        release=request.release,
        domain=request.domain,
        namespace=request.namespace,
        certificate=_certificate(request),
        backend_timeout_s=request.backend_timeout_s,
        deep_verification=request.verification.deep,
        dns_zone=request.dns.managed_zone if request.dns else None,
        adopt=request.adopt,
    )


def _supervision(request: Request) -> Supervision:
    return Supervision(
        policy=DriftPolicy(request.drift.policy),
        interval_s=request.drift.interval_s,
        allow_outage=request.drift.allow_outage,
        reissue_certificate=request.drift.reissue_certificate,
        paused=request.paused,
        on_failure=OnFailure(request.on_failure),
        maintenance_window=_window(request.maintenance_window),
    )


def _window(asked: MaintenanceWindowRequest | None) -> MaintenanceWindow | None:
    """The window, its days in their order and each once; all of them are as good as none."""
    if asked is None:
        return None
    days = tuple(day for day in WEEK if day in (asked.days or ()))
    return MaintenanceWindow(asked.start_time, asked.end_time, asked.time_zone, () if days == WEEK else days)


def _certificate(request: Request) -> CertificateSpec:
    """The certificate, further domains each once, so that repeating one changes nothing."""
    asked, default = request.certificate, CertificateSpec()
    further = dict.fromkeys(asked.domains or ())
    return CertificateSpec(
        type=CertificateType(asked.type_),
        secret=asked.secret,
        validity_days=asked.validity_days or default.validity_days,
        domains=tuple(domain for domain in further if domain != request.domain),
        recreate_failed=asked.recreate_failed or default.recreate_failed,
    )


def json_schema(of: type[Request | TearDownRequest] = Request) -> dict[str, Any]:
    """Return the JSON Schema of a request, for `docs/`."""
    return msgspec.json.schema(of)
