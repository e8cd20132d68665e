"""Publish the address of a setup's load balancer in the Cloud DNS zone that the request names."""

from __future__ import annotations

from collections.abc import Sequence

from milvus_l7.domain.dns import records
from milvus_l7.domain.dns.records import ChangeSet, RecordSet, Refused, Wanted
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Permanent
from milvus_l7.domain.setup.document import Setup
from milvus_l7.domain.setup.outcome import Waiting
from milvus_l7.ports import DnsZones

SHOWN = 3  # refusals that the message tells of


def publish(zones: DnsZones, setup: Setup, address: str) -> Waiting | None:
    """Let every domain of the setup that belongs into its zone lead to the address; return None once all do.

    Without `dns.managed_zone` nothing is looked at. What may be written is written even if another record is
    refused, in one change; nothing is written when all records stand. Waits with DNS_ZONE_REFUSED for what
    is another's. Raises as `DnsZones` does, and `Permanent(DNS_ZONE_REFUSED)` for a zone of other domains.
    """
    zone = setup.desired.dns_zone
    if zone is None:
        return None
    verdicts = [
        records.change(wanted, _found(zones, zone, wanted)) for wanted in _wanted(zones, setup, address)
    ]
    change = records.combined(verdict for verdict in verdicts if isinstance(verdict, ChangeSet))
    if change:
        zones.change(zone, change)
    refusals = [verdict.message for verdict in verdicts if isinstance(verdict, Refused)]
    return Waiting(Reason.DNS_ZONE_REFUSED, _message(zone, refusals)) if refusals else None


def withdraw(zones: DnsZones, setup: Setup) -> None:
    """Remove the records that `publish` made, by their mark; nobody else's. A second call writes nothing.

    A record that outlived its load balancer would lead to whoever is given the address next. Raises as
    `DnsZones` does.
    """
    zone, address = setup.desired.dns_zone, setup.facts.address
    if zone is None or address is None:
        return
    to_delete = records.combined(
        records.withdrawal(wanted, [*zones.records(zone, wanted.record.name), *_marks(zones, zone, wanted)])
        for wanted in _wanted(zones, setup, address)
    )
    if to_delete:
        zones.change(zone, to_delete)


def _marks(zones: DnsZones, zone: str, wanted: Wanted) -> Sequence[RecordSet]:
    return zones.records(zone, wanted.mark.name)


def _wanted(zones: DnsZones, setup: Setup, address: str) -> list[Wanted]:
    """Return the domains inside the zone. Raises `Permanent(DNS_ZONE_REFUSED)` if there are none.

    Domains outside the zone are their owner's to publish; verification names the record to create.
    """
    zone = setup.desired.dns_zone or ""
    suffix = zones.suffix(zone)
    inside = [domain for domain in setup.desired.domains if records.is_within(domain, suffix)]
    if not inside:
        message = f"{zone} is the zone of {suffix:.253}, where {setup.desired.domain} does not belong"
        raise Permanent(Reason.DNS_ZONE_REFUSED, message)
    return [Wanted(domain, address, setup.setup_id) for domain in inside]


def _found(zones: DnsZones, zone: str, wanted: Wanted) -> Sequence[RecordSet]:
    """Return the record sets at the domain's name, and at its mark's name if that matters.

    The mark matters, and is looked up, only where something is to be written.
    """
    found = zones.records(zone, wanted.record.name)
    if records.is_published(wanted, found):
        return found
    return [*found, *_marks(zones, zone, wanted)]


def _message(zone: str, refusals: Sequence[str]) -> str:
    more = f"; and {len(refusals) - SHOWN} more" if len(refusals) > SHOWN else ""
    return f"in {zone}: {'; '.join(refusals[:SHOWN])}{more}"
