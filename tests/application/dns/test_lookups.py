"""Looking up many domains at once."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from milvus_l7.application.dns import lookups
from milvus_l7.domain.dns.diagnosis import CaaRecord, CaaRecords, Lookup
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Transient
from milvus_l7.ports import Resolved
from tests.fakes.resolver import FakeResolver

CAA = CaaRecords("example.org", (CaaRecord(0, "issue", "pki.goog"),))


@dataclass
class MeetingResolver(FakeResolver):
    """Answers only when `PARALLEL` look-ups are under way at once."""

    meeting: threading.Barrier = field(default_factory=lambda: threading.Barrier(lookups.PARALLEL))

    def resolve(self, domain: str) -> Resolved:
        self.meeting.wait(timeout=10)
        return super().resolve(domain)


class CaalessResolver(FakeResolver):
    """Its name servers do not answer for CAA records."""

    def caa(self, domain: str) -> CaaRecords:
        raise Transient(Reason.DNS_LOOKUP_FAILED, f"no CAA records of {domain}")


def test_each_domain_has_its_own_answer_and_caa_only_where_it_is_asked_for() -> None:
    resolver = FakeResolver(
        {"a.example.org": Resolved(("192.0.2.1",), ("2001:db8::1",))}, {"example.org": CAA}
    )
    found = lookups.look_up(resolver, ("a.example.org", "b.example.org"), {"b.example.org"})
    assert found == {
        "a.example.org": Lookup(("192.0.2.1", "2001:db8::1")),
        "b.example.org": Lookup((), CAA),
    }


def test_many_domains_are_looked_up_at_once() -> None:
    domains = tuple(f"{n}.example.org" for n in range(lookups.PARALLEL))
    assert list(lookups.look_up(MeetingResolver(), domains, ())) == list(domains)


def test_name_server_that_is_down_is_told_of_each_domain() -> None:
    found = lookups.look_up(FakeResolver(is_down=True), ("a.org", "b.org"), ("a.org",))
    assert "a.org" in found["a.org"].problem
    assert "b.org" in found["b.org"].problem


def test_caa_that_cannot_be_looked_up_leaves_the_addresses() -> None:
    resolver = CaalessResolver({"a.org": Resolved(("192.0.2.1",))})
    found = lookups.look_up(resolver, ("a.org",), ("a.org",))
    assert found["a.org"] == Lookup(("192.0.2.1",), caa_problem="no CAA records of a.org")


def test_no_domain_is_no_work() -> None:
    assert lookups.look_up(FakeResolver(), (), ()) == {}
