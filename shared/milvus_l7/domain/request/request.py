"""The request that users publish: its schema, its rules, and what is refused.

The structure (types, missing and unknown fields) is checked by msgspec against the structs below, from which
`docs/request.schema.json` is exported too; the rules for names are Kubernetes', DNS' and Helm's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.request.rejection import SHOWN_VALUE, Problem
from milvus_l7.domain.request.schema import (
    CLUSTER,
    DOMAIN_LABEL,
    LABEL,
    LONGEST_MANAGED_DOMAIN,
    MANAGED_TOP_LABEL,
    MOST_DOMAINS,
    RELEASE,
    SUBDOMAIN,
    ZONE,
    Request,
    TearDownRequest,
)
from milvus_l7.domain.setup.desired import CertificateSpec, CertificateType, Desired, SetupId, setup_id
from milvus_l7.domain.setup.supervision import DriftPolicy, OnFailure, Supervision
from milvus_l7.domain.text import bounded_json
from milvus_l7.domain.text.bounded_json import Limits, NotUnicode, OutOfBounds
from milvus_l7.domain.text.excerpt import excerpt

T = TypeVar("T", Request, TearDownRequest)

# No valid request comes near this size; what is larger is not even parsed.
MAX_BODY_BYTES = 64 * 1024
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

    setup_id: SetupId
    restore_l4: bool


class Refused(Exception):
    """The body is not a valid request."""

    def __init__(self, reason: Reason, problems: tuple[Problem, ...] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.problems = problems


def parse(body: bytes | None) -> SetupSpec:
    """What a message body asks for; `Refused` with every problem that was found."""
    request = _structured(body, Request)
    _refuse_if_any(tuple(_rule_problems(request)))
    return SetupSpec(_desired(request), _supervision(request), request.dry_run)


def parse_tear_down(body: bytes | None) -> TearDownSpec:
    """What the body of a tear-down message asks for; `Refused` with every problem that was found."""
    request = _structured(body, TearDownRequest)
    _refuse_if_any(tuple(_name_problems(_names(request))))
    return TearDownSpec(setup_id(request.cluster, request.namespace, request.release), request.restore_l4)


def _structured(body: bytes | None, schema: type[T]) -> T:
    document = _document(body)
    version = document.get("schema_version", 1)
    if version != 1 or isinstance(version, bool):
        raise Refused(
            Reason.UNKNOWN_SCHEMA_VERSION, (Problem("schema_version", _shown(version), "must be 1"),)
        )
    try:
        return msgspec.convert(document, schema)
    except msgspec.ValidationError as error:
        raise Refused(Reason.INVALID_REQUEST, (_structure_problem(str(error), document),)) from None


def _refuse_if_any(problems: tuple[Problem, ...]) -> None:
    if problems:
        raise Refused(Reason.INVALID_VALUE, problems)


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


_AT = re.compile(r"^(?P<rule>.*?)(?: - at `\$\.?(?P<path>[^`]*)`)?$", re.DOTALL)
_CHOICES = {"certificate.type": CertificateType, "drift.policy": DriftPolicy, "on_failure": OnFailure}
_INDEX = re.compile(r"\[[^\]]*\]")
_FIELD = re.compile(r"(?P<kind>unknown|required) field `(?P<name>[^`]*)`")


def _structure_problem(text: str, document: dict[str, Any]) -> Problem:
    """A msgspec message, "Expected ... - at `$.path`", as a problem. Values of unknown fields stay unseen."""
    match = _AT.match(text)
    rule, path = (match["rule"], match["path"] or "") if match else (text, "")
    field = _FIELD.search(rule)
    if field:
        name = f"{path}.{field['name']}".lstrip(".")[:SHOWN_VALUE]
        return Problem(name, "", "is not a known field" if field["kind"] == "unknown" else "is required")
    value: Any = document
    for part in _INDEX.sub("", path).split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if rule.startswith("Invalid enum value"):
        rule = f"must be one of: {', '.join(_CHOICES.get(path, ()))}"
    return Problem(path, _shown(value), rule.replace("`", ""))


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=True)
    return text if len(text) <= SHOWN_VALUE else text[: SHOWN_VALUE - 3] + "..."


_Names = tuple[tuple[str, str | None, str, str], ...]  # field, value, pattern, rule in words


def _names(request: Request | TearDownRequest) -> _Names:
    return (
        ("cluster", request.cluster, CLUSTER, "must be projects/PROJECT/locations/LOCATION/clusters/CLUSTER"),
        ("release", request.release, RELEASE, "must be a Helm release name: a-z, 0-9, '-', '.', at most 53"),
        ("namespace", request.namespace, LABEL, "must be a namespace name: a-z, 0-9, '-', at most 63"),
    )


def _name_problems(names: _Names) -> Iterator[Problem]:
    for field, value, pattern, rule in names:
        if value is not None and not re.fullmatch(pattern, value):
            yield Problem(field, _shown(value), rule)


def _rule_problems(request: Request) -> Iterator[Problem]:
    zone = request.dns.managed_zone if request.dns else None
    further = (
        ("certificate.secret", request.certificate.secret, SUBDOMAIN, "must be the name of a Secret"),
        ("dns.managed_zone", zone, ZONE, "must be projects/PROJECT/managedZones/ZONE"),
    )
    yield from _name_problems((*_names(request), *further))
    for rule in _rules_broken(request, request.domain):
        yield Problem("domain", _shown(request.domain), rule)
    yield from _certificate_problems(request)
    yield from _drift_problems(request)


def _drift_problems(request: Request) -> Iterator[Problem]:
    """Replacing a certificate is a repair, and only of one that we issued."""
    if not request.drift.reissue_certificate:
        return
    if DriftPolicy(request.drift.policy) is not DriftPolicy.REPAIR:
        yield Problem("drift.reissue_certificate", "true", "goes with policy repair only")
    if _is_managed(request) or request.certificate.secret is not None:
        rule = "goes only with a certificate that milvus-l7 issues"
        yield Problem("drift.reissue_certificate", "true", rule)


def _certificate_problems(request: Request) -> Iterator[Problem]:
    """Fields that the certificate's type does not have, and what its further domains break."""
    certificate = request.certificate
    foreign = ("secret", "validity_days") if _is_managed(request) else ("domains", "recreate_failed")
    for field in foreign:
        value = getattr(certificate, field)
        if value is not None and value is not UNSET:
            rule = f"does not go with type {certificate.type_}"
            yield Problem(f"certificate.{field}", _shown(value), rule)
    domains = certificate.domains or ()
    count = max(len(domains), len({request.domain, *domains}))
    if count > MOST_DOMAINS:
        rule = f"must be at most {MOST_DOMAINS} domains together with the setup's own; there are {count}"
        yield Problem("certificate.domains", "", rule)
        return
    for index, domain in enumerate(domains):
        for rule in _rules_broken(request, domain):
            yield Problem(f"certificate.domains[{index}]", _shown(domain), rule)


def _is_managed(request: Request) -> bool:
    return CertificateType(request.certificate.type_) is CertificateType.GOOGLE_MANAGED


def _rules_broken(request: Request, domain: str) -> Iterator[str]:
    yield from domain_rules_broken(domain)
    if _is_managed(request):
        yield from managed_rules_broken(domain)


def domain_rules_broken(domain: str) -> Iterator[str]:
    """The rules that a domain name breaks, in words; none for a name that a certificate can be issued for."""
    if domain != domain.lower():
        yield "must be lower case"
    if "*" in domain:
        yield "must not be a wildcard"
        return
    if domain.endswith("."):
        yield "must not end with a dot"
        return
    if len(domain) > 253:
        yield "must have at most 253 characters"
    labels = domain.lower().split(".")
    if len(labels) < 2:
        yield "must have at least one dot"
    if any(len(label) > 63 for label in labels):
        yield "must have at most 63 characters between dots"
    elif not all(DOMAIN_LABEL.fullmatch(label) for label in labels):
        yield "must consist of a-z, 0-9 and '-', with no label empty or beginning or ending with '-'"
    elif labels[-1].isdigit():
        yield "must be a domain name, not an IP address"


def managed_rules_broken(domain: str) -> Iterator[str]:
    """The further rules of a ManagedCertificate that a domain breaks, in words."""
    if len(domain) > LONGEST_MANAGED_DOMAIN:
        yield f"must have at most {LONGEST_MANAGED_DOMAIN} characters for a Google-managed certificate"
    top = domain.lower().rpartition(".")[2]
    if DOMAIN_LABEL.fullmatch(top) and not top.isdigit() and not MANAGED_TOP_LABEL.fullmatch(top):
        yield "must end with a top-level domain of two or more characters that begins with a letter"


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
    )


def _supervision(request: Request) -> Supervision:
    return Supervision(
        policy=DriftPolicy(request.drift.policy),
        interval_s=request.drift.interval_s,
        reissue_certificate=request.drift.reissue_certificate,
        paused=request.paused,
        on_failure=OnFailure(request.on_failure),
    )


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
    """The JSON Schema of a request, for `docs/`."""
    return msgspec.json.schema(of)
