"""DNS: zones that we may write to, and what public DNS says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from milvus_l7.domain.dns.diagnosis import CaaRecords
from milvus_l7.domain.dns.records import ChangeSet, RecordSet


class DnsZones(Protocol):
    """DNS zones that we may write to, named `projects/P/managedZones/Z`.

    Raises `Permanent(DNS_ZONE_REFUSED)` if the zone does not exist or must not be read or written, and
    `Transient(DNS_ZONE_UNAVAILABLE)` for 429, 5xx, time-outs and records that changed after they were read,
    `Unanswered(DNS_ZONE_UNAVAILABLE)` for a change that may still be made.
    """

    def suffix(self, zone: str) -> str:
        """Return the domain that the zone is for, with a final dot."""
        ...

    def records(self, zone: str, name: str) -> Sequence[RecordSet]:
        """Return all record sets at exactly that name, which ends with a dot."""
        ...

    def change(self, zone: str, change: ChangeSet) -> None:
        """Make the change, all or nothing. Repeating one that was made raises `Transient`."""
        ...


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a name resolves to. Both empty: it does not exist, or has no address."""

    ipv4: tuple[str, ...] = field(default=())
    ipv6: tuple[str, ...] = field(default=())


class Resolver(Protocol):
    """Public DNS."""

    def resolve(self, domain: str) -> Resolved:
        """Return the A and AAAA records that the domain ends at. Raises `Transient(DNS_LOOKUP_FAILED)`."""
        ...

    def caa(self, domain: str) -> CaaRecords:
        """Return the CAA records of the domain, or of its nearest parent that has any (RFC 8659, section 3).

        Raises `Transient(DNS_LOOKUP_FAILED)`.
        """
        ...
