"""Whether a certificate may be issued for a domain, judged by what public DNS says. Pure.

Sources: Compute Engine, SslCertificate `managed.domainStatus`; RFC 8659 for CAA.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from enum import StrEnum

# Domain and record type -> the values in zone file form, CNAMEs followed; empty if there are none.
Lookup = Callable[[str, str], Sequence[str]]

# Google Trust Services and Let's Encrypt (GoogleCloudPlatform/gke-managed-certs, README).
ISSUERS = ("pki.goog", "letsencrypt.org")
KNOWN_TAGS = ("issue", "issuewild", "iodef")
CRITICAL = 128


class DomainStatus(StrEnum):
    """State of one domain of a certificate, in the words of gke-managed-certs `pkg/config`."""

    PROVISIONING = "Provisioning"
    ACTIVE = "Active"
    FAILED_NOT_VISIBLE = "FailedNotVisible"
    FAILED_CAA_CHECKING = "FailedCaaChecking"
    FAILED_CAA_FORBIDDEN = "FailedCaaForbidden"
    FAILED_RATE_LIMITED = "FailedRateLimited"


def evaluate(domain: str, addresses: Collection[str], lookup: Lookup) -> DomainStatus:
    """Return what an attempt to validate the domain finds.

    `addresses` are those of the load balancers that have the certificate: every address of the domain, A and
    AAAA, must be one of them. Without any, the domain is not visible.
    """
    seen = {*lookup(domain, "A"), *lookup(domain, "AAAA")}
    if not seen or not seen <= set(addresses):
        return DomainStatus.FAILED_NOT_VISIBLE
    if not is_allowed(next((found for found in _climb(domain, lookup) if found), ())):
        return DomainStatus.FAILED_CAA_FORBIDDEN
    return DomainStatus.ACTIVE


def is_allowed(records: Sequence[str]) -> bool:
    """Return whether a relevant CAA record set, in zone file form, lets one of Google's issuers issue."""
    issuers = []
    for record in records:
        flags, tag, value = record.split(maxsplit=2)
        if int(flags) & CRITICAL and tag.lower() not in KNOWN_TAGS:
            return False
        if tag.lower() == "issue":
            issuers.append(value.strip('"').partition(";")[0].strip().lower())
    return not issuers or any(issuer in ISSUERS for issuer in issuers)


def _climb(domain: str, lookup: Lookup) -> Iterator[Sequence[str]]:
    """Yield the CAA record sets of the domain and of its parents; the first that is not empty counts."""
    labels = domain.split(".")
    for start in range(len(labels)):
        yield lookup(".".join(labels[start:]), "CAA")
