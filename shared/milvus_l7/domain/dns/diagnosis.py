"""What public DNS says of a domain, and what of it keeps Google from issuing a certificate.

A Google-managed certificate needs every domain to resolve to the load balancer's address and to nothing else
(cloud.google.com/load-balancing/docs/ssl-certificates/troubleshooting, kubernetes/k8s.io#2505), and CAA
records, if there are any, to name a certificate authority that Google uses (README of
GoogleCloudPlatform/gke-managed-certs). All of it is untrusted: it is shown, never followed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from milvus_l7.domain.dns.records import address_type
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.condition import Condition
from milvus_l7.domain.text.excerpt import excerpt, listed

# Google Trust Services and Let's Encrypt: one of them must be allowed, better both.
AUTHORITIES = ("pki.goog", "letsencrypt.org")

_CRITICAL = 128  # RFC 8659, 4.1: an unknown tag with this flag forbids
_KNOWN_TAGS = frozenset(
    {"issue", "issuewild", "iodef", "contactemail", "contactphone", "issuemail", "issuevmc"}
)
_SHOWN = 5  # addresses or records that are shown of a longer list
_SHOWN_CHARACTERS = 120  # of each; a record's text may have 64 KiB


@dataclass(frozen=True, slots=True)
class CaaRecord:
    """One CAA record (RFC 8659)."""

    flags: int
    tag: str
    value: str

    def __str__(self) -> str:
        """Return the record as in a zone file."""
        return f'{self.flags} {self.tag} "{self.value}"'


@dataclass(frozen=True, slots=True)
class CaaRecords:
    """The CAA records that count for a domain: its own, or those of the nearest parent that has any."""

    name: str = ""  # where they are; "" if there are none up to the root
    records: tuple[CaaRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class Lookup:
    """What public DNS says of one domain now."""

    addresses: tuple[str, ...] = ()  # IPv4 and IPv6, aliases followed
    caa: CaaRecords = CaaRecords()  # empty also when they were not looked at
    problem: str = ""  # why the addresses could not be looked up
    caa_problem: str = ""  # why the CAA records could not be looked up


def record(domain: str, address: str) -> str:
    """Return the record that leads the domain to the address, as in a zone file."""
    return f"{domain}. {address_type(address)} {address}"


def address_fault(domain: str, address: str, lookup: Lookup) -> Condition | None:
    """Return why the domain does not lead to the load balancer's address alone, or None if it does."""
    if lookup.problem:
        return Condition(Reason.DNS_LOOKUP_FAILED, lookup.problem)
    others = sorted(set(lookup.addresses) - {address})
    wanted = f"`{record(domain, address)}`"
    if not lookup.addresses:
        return Condition(Reason.DNS_RECORD_MISSING, f"{domain} does not resolve; create the record {wanted}")
    if address not in lookup.addresses:
        message = (
            f"{domain} resolves to {_listed(others)}, but the load balancer is at {address}; "
            f"create the record {wanted} and remove what leads to {_listed(others)}"
        )
        return Condition(Reason.DNS_ELSEWHERE, message)
    if others:
        kinds = " and ".join(sorted({address_type(other) for other in others}))
        message = (
            f"{domain} resolves to {address}, but also to {_listed(others)}; "
            f"remove the {kinds} records that lead to {_listed(others)}"
        )
        return Condition(Reason.DNS_EXTRA_RECORD, message)
    return None


def caa_fault(domain: str, lookup: Lookup) -> Condition | None:
    """Return why CAA records keep Google's authorities from issuing for the domain, or None if they do not.

    `issuewild` says nothing about names without a wildcard, and without any `issue` everybody may issue
    (RFC 8659, 4.2 and 4.3).
    """
    if lookup.caa_problem:
        return Condition(Reason.DNS_LOOKUP_FAILED, lookup.caa_problem)
    caa = lookup.caa
    issue = [r for r in caa.records if r.tag.lower() == "issue"]
    unknown = [r for r in caa.records if r.flags & _CRITICAL and r.tag.lower() not in _KNOWN_TAGS]
    allowed = not issue or any(_authority(r) in AUTHORITIES for r in issue)
    if allowed and not unknown:
        return None
    place = domain if caa.name == domain else f"{caa.name}, which count for {domain},"
    shown = _listed([f"`{r}`" for r in (issue if not allowed else unknown)])
    if allowed:
        return Condition(
            Reason.CAA_FORBIDS, f"the CAA records of {place} have an unknown critical tag: {shown}"
        )
    needed = " and ".join(f'`{caa.name}. CAA 0 issue "{name}"`' for name in AUTHORITIES)
    return Condition(Reason.CAA_FORBIDS, f"the CAA records of {place} allow only {shown}; add {needed}")


def _authority(issue: CaaRecord) -> str:
    """Return the authority's domain: parameters follow a semicolon; alone, a semicolon allows nobody."""
    return issue.value.partition(";")[0].strip().lower().rstrip(".")


def _listed(texts: Sequence[str]) -> str:
    return listed([excerpt(text, _SHOWN_CHARACTERS) for text in texts], _SHOWN)
