"""Publish the address of a setup's load balancer in the Cloud DNS zone that the request names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from milvus_l7.domain.dns import records
from milvus_l7.domain.dns.records import ChangeSet, RecordSet, Refused, Wanted
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Permanent
from milvus_l7.domain.setup.document import Setup
from milvus_l7.domain.setup.facts import Facts, PublishedRecord
from milvus_l7.domain.setup.outcome import Waiting
from milvus_l7.ports import DnsZones, WriteAhead

SHOWN = 3  # refusals that the message tells of


@dataclass(frozen=True, slots=True)
class Published:
    """The facts with every record that was written, and what refuses the others."""

    facts: Facts
    waiting: Waiting | None = None


def publish(zones: DnsZones, setup: Setup, address: str, ahead: WriteAhead) -> Published:
    """Let every domain of the setup that belongs into its zone lead to the address.

    Without `dns.managed_zone` nothing is looked at. What may be written is written even if another record is
    refused, in one change, after its names are stored; nothing is written when all records stand. Waits with
    DNS_ZONE_REFUSED for what is another's. Raises as `DnsZones` does, and `Permanent(DNS_ZONE_REFUSED)` for a
    zone of other domains.
    """
    zone = setup.desired.dns_zone
    if zone is None:
        return Published(setup.facts)
    wanted = _wanted(zones, setup, address)
    verdicts = [records.change(each, _found(zones, zone, each)) for each in wanted]
    change = records.combined(verdict for verdict in verdicts if isinstance(verdict, ChangeSet))
    facts = _with_names(setup.facts, zone, wanted)
    if change:
        ahead.record(facts)
        zones.change(zone, change)
    refusals = [verdict.message for verdict in verdicts if isinstance(verdict, Refused)]
    waiting = Waiting(Reason.DNS_ZONE_REFUSED, _message(zone, refusals), facts) if refusals else None
    return Published(facts, waiting)


def _with_names(facts: Facts, zone: str, wanted: Sequence[Wanted]) -> Facts:
    made = (PublishedRecord(zone, each.domain, each.address) for each in wanted)
    return replace(facts, published=tuple(dict.fromkeys((*facts.published, *made))))


def withdraw(zones: DnsZones, setup: Setup) -> None:
    """Take the records back that `publish` made, in every zone, by their mark; nobody else's.

    A record that outlived its load balancer would lead to whoever is given the address next. A second call
    writes nothing. Raises as `DnsZones` does.
    """
    for zone, group in _by_zone(setup):
        wanted = [Wanted(each.domain, each.address, setup.setup_id) for each in group]
        found = (
            records.withdrawal(each, [*zones.records(zone, each.record.name), *_marks(zones, zone, each)])
            for each in wanted
        )
        to_delete = records.combined(found)
        if to_delete:
            zones.change(zone, to_delete)


def _by_zone(setup: Setup) -> list[tuple[str, list[PublishedRecord]]]:
    """Every record that was ever announced; those of documents that name none, from what is desired."""
    facts, desired = setup.facts, setup.desired
    known = list(facts.published)
    if not known and desired.dns_zone is not None and facts.address is not None:
        known = [PublishedRecord(desired.dns_zone, each, facts.address) for each in desired.domains]
    zones = dict.fromkeys(each.zone for each in known)
    return [(zone, [each for each in known if each.zone == zone]) for zone in zones]


def _marks(zones: DnsZones, zone: str, wanted: Wanted) -> Sequence[RecordSet]:
    return zones.records(zone, wanted.mark.name)


def _wanted(zones: DnsZones, setup: Setup, address: str) -> list[Wanted]:
    """Domains outside the zone are their owner's to publish; verification names the record to create."""
    zone = setup.desired.dns_zone or ""
    suffix = zones.suffix(zone)
    inside = [domain for domain in setup.desired.domains if records.is_within(domain, suffix)]
    if not inside:
        message = f"{zone} is the zone of {suffix:.253}, where {setup.desired.domain} does not belong"
        raise Permanent(Reason.DNS_ZONE_REFUSED, message)
    return [Wanted(domain, address, setup.setup_id) for domain in inside]


def _found(zones: DnsZones, zone: str, wanted: Wanted) -> Sequence[RecordSet]:
    """The mark matters, and is looked up, only where something is to be written."""
    found = zones.records(zone, wanted.record.name)
    if records.is_published(wanted, found):
        return found
    return [*found, *_marks(zones, zone, wanted)]


def _message(zone: str, refusals: Sequence[str]) -> str:
    more = f"; and {len(refusals) - SHOWN} more" if len(refusals) > SHOWN else ""
    return f"in {zone}: {'; '.join(refusals[:SHOWN])}{more}"
