"""Public DNS, as a client of the load balancer sees it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from shared.domain.errors import Transient
from shared.domain.reasons import Reason
from shared.ports import Resolved

if TYPE_CHECKING:
    from dns.resolver import Resolver

LIFETIME_S = 5.0  # for one record type, repeats included


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
        """The addresses that the domain ends at, CNAMEs followed; both empty if there are none.

        Takes at most ten seconds. Raises `Transient(DNS_MISMATCH)` if the name servers do not answer.
        """
        from dns.exception import DNSException

        try:
            return Resolved(self._addresses(domain, "A"), self._addresses(domain, "AAAA"))
        except (DNSException, OSError) as error:
            message = f"{domain} could not be looked up: {type(error).__name__}"
            raise Transient(Reason.DNS_MISMATCH, message) from error

    def _addresses(self, domain: str, record_type: str) -> tuple[str, ...]:
        from dns.resolver import NXDOMAIN

        # The final dot and `search=False` keep the machine's search list out.
        try:
            answer = self._resolver.resolve(
                f"{domain.rstrip('.')}.",
                record_type,
                lifetime=LIFETIME_S,
                raise_on_no_answer=False,
                search=False,
            )
        except NXDOMAIN:
            return ()
        return tuple(sorted(record.address for record in answer.rrset or ()))
