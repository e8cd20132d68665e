"""The rules of a request's values: of Kubernetes, DNS, Helm and Google for names, ours for combinations."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import UNSET

from milvus_l7.domain.request.rejection import Problem
from milvus_l7.domain.request.schema import (
    CLUSTER,
    DOMAIN_LABEL,
    LABEL,
    LONGEST_MANAGED_DOMAIN,
    MANAGED_TOP_LABEL,
    MOST_DOMAINS,
    RELEASE,
    SUBDOMAIN,
    TIME,
    TIME_ZONE,
    ZONE,
    MaintenanceWindowRequest,
    Request,
    TearDownRequest,
)
from milvus_l7.domain.request.structure import UNREADABLE, Reading, shown
from milvus_l7.domain.setup.desired import CertificateType
from milvus_l7.domain.setup.maintenance_window import SHORTEST, MaintenanceWindow
from milvus_l7.domain.setup.supervision import DriftPolicy

_WINDOW = "maintenance_window"


def problems(reading: Reading[Request]) -> Iterator[Problem]:
    """Yield every rule that a request breaks, as far as it could be read.

    A rule for several fields is left out if one that decides it is unread: it may be broken or not.
    """
    return _of_read_fields(_set_up_problems(reading), reading)


def name_problems(reading: Reading[TearDownRequest]) -> Iterator[Problem]:
    """Yield every rule that a tear-down request breaks, as far as it could be read."""
    return _of_read_fields(_name_problems(_names(reading.request)), reading)


def _of_read_fields(found: Iterator[Problem], reading: Reading[Any]) -> Iterator[Problem]:
    """Leave out the fields that hold no value of the user's, but what was put in its place."""
    return (problem for problem in found if problem.field not in reading.unread)


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
            yield Problem(field, shown(value), rule)


def _set_up_problems(reading: Reading[Request]) -> Iterator[Problem]:
    request = reading.request
    zone = request.dns.managed_zone if request.dns else None
    further = (
        ("certificate.secret", request.certificate.secret, SUBDOMAIN, "must be the name of a Secret"),
        ("dns.managed_zone", zone, ZONE, "must be projects/PROJECT/managedZones/ZONE"),
    )
    yield from _name_problems((*_names(request), *further))
    for rule in _rules_broken(request, request.domain):
        yield Problem("domain", shown(request.domain), rule)
    if "certificate.type" not in reading.unread:
        yield from _foreign_fields(request)
    yield from _further_domains(request)
    yield from _drift_problems(reading)
    if request.maintenance_window is not None:
        yield from _window_problems(request.maintenance_window)


def _drift_problems(reading: Reading[Request]) -> Iterator[Problem]:
    """Yield what goes with repair only, and for which certificate there is nothing to replace."""
    request = reading.request
    reports = DriftPolicy(request.drift.policy) is not DriftPolicy.REPAIR
    for name in ("allow_outage", "reissue_certificate"):
        if getattr(request.drift, name) and reports and "drift.policy" not in reading.unread:
            yield Problem(f"drift.{name}", "true", "goes with policy repair only")
    if not request.drift.reissue_certificate:
        return
    if _is_managed(request) or request.certificate.secret is not None:
        rule = "goes only with a certificate that milvus-l7 issues"
        yield Problem("drift.reissue_certificate", "true", rule)


def _window_problems(window: MaintenanceWindowRequest) -> Iterator[Problem]:
    """Yield what is wrong with a maintenance window; its length only if both its times are times."""
    times = {"start_time": window.start_time, "end_time": window.end_time}
    wrong = [name for name, value in times.items() if not re.fullmatch(TIME, value)]
    for name in wrong:
        yield Problem(f"{_WINDOW}.{name}", shown(times[name]), "must be a time of day, HH:MM")
    if not _is_time_zone(window.time_zone):
        rule = "must be IANA's name of a time zone, such as Europe/Berlin"
        yield Problem(f"{_WINDOW}.time_zone", shown(window.time_zone), rule)
    if wrong:
        return
    if window.start_time == window.end_time:
        yield Problem(f"{_WINDOW}.end_time", shown(window.end_time), "must differ from start_time")
    elif MaintenanceWindow(window.start_time, window.end_time).length < SHORTEST:
        rule = f"must be {SHORTEST.seconds // 60} minutes or more after start_time"
        yield Problem(f"{_WINDOW}.end_time", shown(window.end_time), rule)


def _is_time_zone(name: str) -> bool:
    """Return whether the rules of a zone of that name are known."""
    if not TIME_ZONE.fullmatch(name):
        return False
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: a folder of zones, such as America
        return False
    return True


def _foreign_fields(request: Request) -> Iterator[Problem]:
    """Yield the fields that the certificate's type does not have."""
    certificate = request.certificate
    foreign = ("secret", "validity_days") if _is_managed(request) else ("domains", "recreate_failed")
    for field in foreign:
        value = getattr(certificate, field)
        if value is not None and value is not UNSET:
            rule = f"does not go with type {certificate.type_}"
            yield Problem(f"certificate.{field}", shown(value), rule)


def _further_domains(request: Request) -> Iterator[Problem]:
    """Yield what the certificate's further domains break; too many of them are one problem."""
    domains = request.certificate.domains or ()
    count = max(len(domains), len({request.domain, *domains} - {UNREADABLE}))
    if count > MOST_DOMAINS:
        rule = f"must be at most {MOST_DOMAINS} domains together with the setup's own; there are {count}"
        yield Problem("certificate.domains", "", rule)
        return
    for index, domain in enumerate(domains):
        for rule in _rules_broken(request, domain):
            yield Problem(f"certificate.domains[{index}]", shown(domain), rule)


def _is_managed(request: Request) -> bool:
    return CertificateType(request.certificate.type_) is CertificateType.GOOGLE_MANAGED


def _rules_broken(request: Request, domain: str) -> Iterator[str]:
    yield from _domain_rules_broken(domain)
    if _is_managed(request):
        yield from _managed_rules_broken(domain)


def _domain_rules_broken(domain: str) -> Iterator[str]:
    """Yield the rules that a domain name breaks, in words; none if a certificate can be issued for it."""
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


def _managed_rules_broken(domain: str) -> Iterator[str]:
    """Yield the further rules of a ManagedCertificate that a domain breaks, in words."""
    if len(domain) > LONGEST_MANAGED_DOMAIN:
        yield f"must have at most {LONGEST_MANAGED_DOMAIN} characters for a Google-managed certificate"
    top = domain.lower().rpartition(".")[2]
    if DOMAIN_LABEL.fullmatch(top) and not top.isdigit() and not MANAGED_TOP_LABEL.fullmatch(top):
        yield "must end with a top-level domain of two or more characters that begins with a letter"
