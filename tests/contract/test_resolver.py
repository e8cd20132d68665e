"""DNS resolution, over the fake and over a small name server on loopback."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest

from milvus_l7.adapters.dns.resolver import DnsResolver
from milvus_l7.domain.dns.diagnosis import CaaRecord, CaaRecords
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Transient
from milvus_l7.ports import Resolved, Resolver
from tests.fakes.resolver import FakeResolver

# name -> record type -> values; an alias is followed, as a recursive name server does
Zone = Mapping[str, Mapping[str, tuple[str, ...]]]

ZONE: Zone = {
    "both.example.org.": {"A": ("192.0.2.2", "192.0.2.1"), "AAAA": ("2001:db8::1",)},
    "alias.example.org.": {"CNAME": ("both.example.org.",)},
    "text.example.org.": {"TXT": ('"no address"',)},
    "dangling.example.org.": {"CNAME": ("nowhere.example.org.",)},
    "example.org.": {"CAA": ('0 issue "sectigo.com"', '0 iodef "mailto:x@example.org"')},
    "own.example.org.": {"CAA": ('128 issue "pki.goog; a=b"',)},
    "elsewhere.example.net.": {"CNAME": ("own.example.org.",)},
}
PARENT = CaaRecords(
    "example.org", (CaaRecord(0, "iodef", "mailto:x@example.org"), CaaRecord(0, "issue", "sectigo.com"))
)
OWN = CaaRecords("own.example.org", (CaaRecord(128, "issue", "pki.goog; a=b"),))
CAA = {"example.org": PARENT, "own.example.org": OWN, "elsewhere.example.net": OWN}
ADDRESSES = {
    "both.example.org": Resolved(("192.0.2.1", "192.0.2.2"), ("2001:db8::1",)),
    "alias.example.org": Resolved(("192.0.2.1", "192.0.2.2"), ("2001:db8::1",)),
}


def answered(wire: bytes, zone: Zone) -> bytes:
    query = dns.message.from_wire(wire)
    question = query.question[0]
    response = dns.message.make_response(query)
    response.flags |= dns.flags.RA
    name, kind = question.name.to_text(), dns.rdatatype.to_text(question.rdtype)
    while alias := zone.get(name, {}).get("CNAME"):
        response.answer.append(dns.rrset.from_text(name, 60, "IN", "CNAME", *alias))
        (name,) = alias
    if name not in zone:
        response.set_rcode(dns.rcode.NXDOMAIN)
    elif values := zone[name].get(kind):
        response.answer.append(dns.rrset.from_text(name, 60, "IN", kind, *values))
    return response.to_wire()


@contextmanager
def name_server(zone: Zone | None) -> Iterator[tuple[str, int]]:
    """A name server for `zone`; with None it refuses everything. Ends with the block."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def serve() -> None:
            while True:
                wire, client = server.recvfrom(4096)
                if not wire:
                    return
                server.sendto(answered(wire, zone) if zone is not None else refused(wire), client)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stopper:
                stopper.sendto(b"", server.getsockname())
            thread.join(5)


def refused(wire: bytes) -> bytes:
    response = dns.message.make_response(dns.message.from_wire(wire))
    response.set_rcode(dns.rcode.REFUSED)
    return response.to_wire()


@pytest.fixture(params=["fake", "dns"])
def resolver(request: pytest.FixtureRequest) -> Iterator[Resolver]:
    if request.param == "fake":
        yield FakeResolver(ADDRESSES, CAA)
        return
    with name_server(ZONE) as address:
        yield DnsResolver(address)


@pytest.mark.parametrize("domain", ADDRESSES)
def test_addresses_of_both_kinds_are_found_also_through_aliases(resolver: Resolver, domain: str) -> None:
    assert resolver.resolve(domain) == ADDRESSES[domain]


@pytest.mark.parametrize("domain", ["absent.example.org", "text.example.org", "dangling.example.org"])
def test_name_without_address_is_empty(resolver: Resolver, domain: str) -> None:
    assert resolver.resolve(domain) == Resolved()


def test_name_server_that_refuses_is_no_evidence_of_absence() -> None:
    with name_server(None) as address, pytest.raises(Transient, match=r"both\.example\.org") as caught:
        DnsResolver(address).resolve("both.example.org")
    assert caught.value.reason is Reason.DNS_LOOKUP_FAILED


def test_name_that_dns_cannot_hold_is_refused_clearly() -> None:
    with name_server(ZONE) as address, pytest.raises(Transient):
        DnsResolver(address).resolve("a" * 64 + ".example.org")


@pytest.mark.parametrize(
    ("domain", "found"),
    [
        ("own.example.org", OWN),
        ("below.own.example.org", OWN),
        ("both.example.org", PARENT),
        ("alias.example.org", PARENT),
        ("dangling.example.org", PARENT),
        ("a.b.c.example.org", PARENT),
        ("elsewhere.example.net", OWN),
        ("both.example.com", CaaRecords()),
    ],
)
def test_caa_records_are_the_domains_own_or_the_nearest_parents(
    resolver: Resolver, domain: str, found: CaaRecords
) -> None:
    assert resolver.caa(domain) == found


def test_caa_records_that_cannot_be_looked_up_are_no_evidence_of_absence() -> None:
    with (
        name_server(None) as address,
        pytest.raises(Transient, match=r"CAA records of both\.example\.org") as caught,
    ):
        DnsResolver(address).caa("both.example.org")
    assert caught.value.reason is Reason.DNS_LOOKUP_FAILED
