"""The zone as a resolver of the world sees it, and as the controllers ask it."""

from __future__ import annotations

from collections.abc import Iterator

import dns.message
import dns.query
import dns.rcode
import pytest

from localcloud.zone import Zone


@pytest.fixture(scope="module")
def zone() -> Iterator[Zone]:
    with Zone() as started:
        started.set_records("a.example.org", {"A": ["192.0.2.1"], "AAAA": ["2001:db8::1"]})
        started.set_records("www.example.org", {"CNAME": ["a.example.org."]})
        started.set_records("lost.example.org", {"CNAME": ["nowhere.example.net."]})
        started.set_records("example.org", {"CAA": ['0 issue "pki.goog"', '0 issue ";"']})
        yield started


def asked(zone: Zone, name: str, kind: str) -> dns.message.Message:
    host, _, port = zone.address.partition(":")
    return dns.query.udp(dns.message.make_query(name, kind), host, timeout=5, port=int(port))


@pytest.mark.parametrize(
    ("name", "kind", "values"),
    [
        ("a.example.org", "A", ("192.0.2.1",)),
        ("A.Example.ORG", "AAAA", ("2001:db8::1",)),
        ("www.example.org", "A", ("192.0.2.1",)),
        ("www.example.org", "CAA", ()),
        ("lost.example.org", "A", ()),
        ("example.org", "CAA", ('0 issue ";"', '0 issue "pki.goog"')),
        ("example.org", "A", ()),
        ("b.example.org", "A", ()),
    ],
)
def test_controllers_and_resolvers_get_the_same_values(
    zone: Zone, name: str, kind: str, values: tuple[str, ...]
) -> None:
    assert tuple(sorted(zone.lookup(name, kind))) == values
    answer = asked(zone, name, kind).answer
    told = [record.to_text() for rrset in answer for record in rrset if rrset.rdtype.name == kind]
    assert tuple(sorted(told)) == values


def test_a_name_above_others_exists_and_an_unknown_one_does_not(zone: Zone) -> None:
    assert asked(zone, "org", "CAA").rcode() is dns.rcode.NOERROR
    assert asked(zone, "b.example.org", "A").rcode() is dns.rcode.NXDOMAIN
    assert asked(zone, "lost.example.org", "A").rcode() is dns.rcode.NXDOMAIN


def test_records_are_replaced_as_a_whole_and_an_empty_set_removes_the_name() -> None:
    with Zone() as zone:
        zone.set_records("a.example.org", {"A": ["192.0.2.1"], "CAA": ['0 issue ";"']})
        zone.set_records("A.example.org", {"A": ["192.0.2.2"]})
        found = zone.lookup("a.example.org", "A"), zone.lookup("a.example.org", "CAA")
        assert found == (("192.0.2.2",), ())
        zone.set_records("a.example.org", {})
        assert zone.lookup("a.example.org", "A") == ()
