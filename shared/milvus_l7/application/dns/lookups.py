"""Looking up many domains in public DNS within the time of one look."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from milvus_l7.domain.dns.diagnosis import Lookup
from milvus_l7.domain.reasons.errors import Transient
from milvus_l7.ports import Resolver

# 100 domains, the most that a certificate can have, take four rounds: with name servers that do not answer
# 40 s for the addresses and 40 s for CAA, of the 120 s that the function has.
PARALLEL = 32


def look_up(resolver: Resolver, domains: Sequence[str], with_caa: Collection[str]) -> Mapping[str, Lookup]:
    """Return what public DNS says of each domain; a name server that is down is told, never raised.

    CAA records are looked up for the domains of `with_caa` whose addresses could be.
    """
    if len(domains) == 1:
        return {domain: _one(resolver, domain, with_caa=domain in with_caa) for domain in domains}
    with ThreadPoolExecutor(max_workers=max(1, min(PARALLEL, len(domains)))) as pool:
        found = pool.map(lambda domain: _one(resolver, domain, with_caa=domain in with_caa), domains)
        return dict(zip(domains, found, strict=True))


def _one(resolver: Resolver, domain: str, *, with_caa: bool) -> Lookup:
    try:
        resolved = resolver.resolve(domain)
    except Transient as error:
        return Lookup(problem=error.message)
    addresses = (*resolved.ipv4, *resolved.ipv6)
    if not with_caa:
        return Lookup(addresses)
    try:
        return Lookup(addresses, resolver.caa(domain))
    except Transient as error:
        return Lookup(addresses, caa_problem=error.message)
