"""Public DNS, as a client of the load balancer and a certificate authority see it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from milvus_l7.domain.dns.diagnosis import CaaRecord, CaaRecords
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Transient
from milvus_l7.ports import Resolved

if TYPE_CHECKING:
    from dns.resolver import Resolver
    from dns.rrset import RRset

LIFETIME_S = 5.0  # for one record type, repeats included
CAA_LIFETIME_S = 10.0  # for one domain and all its parents


class DnsResolver:
    """Implements `Resolver` with the system's name servers, or with `server` (address, port) alone."""

    def __init__(self, server: tuple[str, int] | None = None) -> None:
        self._server = server

    @cached_property
    def _resolver(self) -> Resolver:
        from dns.resolver import Resolver

        resolver = Resolver(configure=self._server is None)
        if self._server is not None:
            address, resolver.port = self._server
            resolver.nameservers = [address]
        return resolver

    def resolve(self, domain: str) -> Resolved:
        """Return the addresses that the domain ends at, CNAMEs followed; both empty if there are none.

        Takes at most ten seconds. Raises `Transient(DNS_LOOKUP_FAILED)` if the name servers do not answer.
        """
        from dns.exception import DNSException

        try:
            return Resolved(self._addresses(domain, "A"), self._addresses(domain, "AAAA"))
        except (DNSException, OSError) as error:
            message = f"{domain} could not be looked up: {type(error).__name__}"
            raise Transient(Reason.DNS_LOOKUP_FAILED, message) from error

    def caa(self, domain: str) -> CaaRecords:
        """Return the CAA records that count for the domain, found by climbing as RFC 8659, section 3, says.

        Takes at most ten seconds. Raises `Transient(DNS_LOOKUP_FAILED)` if the name servers do not answer: a
        certificate authority does not issue then either.
        """
        from dns.exception import DNSException

        deadline = time.monotonic() + CAA_LIFETIME_S
        try:
            for name in _with_parents(domain):
                left_s = min(LIFETIME_S, max(0.1, deadline - time.monotonic()))
                found = self._records(name, "CAA", left_s)
                if found:
                    return _caa(found)
        except (DNSException, OSError) as error:
            message = f"the CAA records of {domain} could not be looked up: {type(error).__name__}"
            raise Transient(Reason.DNS_LOOKUP_FAILED, message) from error
        return CaaRecords()

    def _addresses(self, domain: str, record_type: str) -> tuple[str, ...]:
        return tuple(sorted(record.address for record in self._records(domain, record_type) or ()))

    def _records(self, domain: str, record_type: str, lifetime_s: float = LIFETIME_S) -> RRset | None:
        from dns.resolver import NXDOMAIN

        # The final dot and `search=False` keep the machine's search list out.
        try:
            answer = self._resolver.resolve(
                f"{domain.rstrip('.')}.",
                record_type,
                lifetime=lifetime_s,
                raise_on_no_answer=False,
                search=False,
            )
        except NXDOMAIN:
            return None
        return answer.rrset


def _with_parents(domain: str) -> Iterator[str]:
    labels = domain.rstrip(".").split(".")
    return (".".join(labels[start:]) for start in range(len(labels)))


def _caa(found: RRset) -> CaaRecords:
    """Return the records that were found, and where they are.

    Where an alias leads elsewhere, the name is that of the records, because they must be changed there.
    """
    records = [
        CaaRecord(r.flags, r.tag.decode("ascii", "replace"), r.value.decode("utf-8", "replace"))
        for r in found
    ]
    name = found.name.to_text(omit_final_dot=True).lower()
    return CaaRecords(name, tuple(sorted(records, key=str)))
