"""Public DNS in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from milvus_l7.domain.dns.diagnosis import CaaRecords
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Transient
from milvus_l7.ports import Resolved


@dataclass
class FakeResolver:
    """Knows the names it was given; with `is_down` it answers nothing."""

    known: Mapping[str, Resolved] = field(default_factory=dict)
    caa_records: Mapping[str, CaaRecords] = field(default_factory=dict)
    is_down: bool = False
    asked: list[str] = field(default_factory=list)  # for CAA records

    def resolve(self, domain: str) -> Resolved:
        if self.is_down:
            raise Transient(Reason.DNS_LOOKUP_FAILED, f"{domain} could not be looked up")
        return self.known.get(domain, Resolved())

    def caa(self, domain: str) -> CaaRecords:
        self.asked.append(domain)
        if self.is_down:
            raise Transient(Reason.DNS_LOOKUP_FAILED, f"the CAA records of {domain} could not be looked up")
        labels = domain.split(".")
        parents = [".".join(labels[start:]) for start in range(len(labels))]
        return next((self.caa_records[p] for p in parents if p in self.caa_records), CaaRecords())
