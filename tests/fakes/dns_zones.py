"""Cloud DNS in memory."""

from __future__ import annotations

from dataclasses import dataclass, field

from milvus_l7.domain.dns.records import ChangeSet, RecordSet
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Permanent, Transient

ZONE = "projects/p/managedZones/milvus"


@dataclass
class FakeDnsZones:
    """One zone, `milvus.io.`; changes must fit what is there."""

    stored: list[RecordSet] = field(default_factory=list)
    changes: list[ChangeSet] = field(default_factory=list)

    def suffix(self, zone: str) -> str:
        if zone != ZONE:
            raise Permanent(Reason.DNS_ZONE_REFUSED, f"no zone {zone}")
        return "milvus.io."

    def records(self, zone: str, name: str) -> list[RecordSet]:
        self.suffix(zone)
        return [record for record in self.stored if record.name == name]

    def change(self, zone: str, change: ChangeSet) -> None:
        left = [record for record in self.stored if record not in change.deletions]
        taken = {(record.name, record.type) for record in left}
        fits = len(left) + len(change.deletions) == len(self.stored)
        if not fits or any((record.name, record.type) in taken for record in change.additions):
            raise Transient(Reason.DNS_ZONE_UNAVAILABLE, "changed meanwhile")
        self.suffix(zone)
        self.stored = [*left, *change.additions]
        self.changes.append(change)
