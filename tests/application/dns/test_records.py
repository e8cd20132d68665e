"""The address is published in the zone that the request names, and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milvus_l7.adapters.stage_ports import NothingAhead
from milvus_l7.application.dns import records
from milvus_l7.domain.dns.records import ChangeSet, RecordSet
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Permanent
from milvus_l7.domain.setup.desired import CertificateSpec, CertificateType
from milvus_l7.domain.setup.document import Setup
from milvus_l7.domain.setup.facts import Facts, PublishedRecord
from milvus_l7.domain.setup.outcome import Waiting
from tests.builders import new_setup
from tests.fakes.dns_zones import ZONE, FakeDnsZones

ADDRESS = "192.0.2.1"


def setup(*more: str, zone: str | None = ZONE) -> Setup:
    spec = CertificateSpec(CertificateType.GOOGLE_MANAGED, domains=more)
    return new_setup(certificate=spec, dns_zone=zone)


def publish(zones: FakeDnsZones, setup: Setup, address: str) -> Waiting | None:
    """What waits after the records are published."""
    return records.publish(zones, setup, address, NothingAhead()).waiting


def values(zones: FakeDnsZones, kind: str) -> dict[str, tuple[str, ...]]:
    return {record.name: record.values for record in zones.stored if record.type == kind}


def test_without_a_zone_nothing_is_looked_at() -> None:
    assert publish(FakeDnsZones(), setup(zone=None), ADDRESS) is None


def test_every_domain_gets_its_record_in_one_change() -> None:
    zones = FakeDnsZones()
    assert publish(zones, setup("two.milvus.io", "three.milvus.io"), ADDRESS) is None
    names = ("my-release.milvus.io.", "two.milvus.io.", "three.milvus.io.")
    assert values(zones, "A") == dict.fromkeys(names, (ADDRESS,))
    assert len(zones.changes) == 1


def test_second_look_writes_nothing() -> None:
    zones = FakeDnsZones()
    for _ in range(2):
        assert publish(zones, setup("two.milvus.io"), ADDRESS) is None
    assert len(zones.changes) == 1


def test_new_address_replaces_our_record() -> None:
    zones = FakeDnsZones()
    publish(zones, setup(), "198.51.100.7")
    assert publish(zones, setup(), ADDRESS) is None
    assert values(zones, "A") == {"my-release.milvus.io.": (ADDRESS,)}


def test_record_of_another_waits_for_a_person_and_the_others_are_published() -> None:
    another = RecordSet("two.milvus.io.", "A", 60, ("203.0.113.9",))
    zones = FakeDnsZones([another])
    waiting = publish(zones, setup("two.milvus.io"), ADDRESS)
    assert waiting is not None
    assert waiting.reason is Reason.DNS_ZONE_REFUSED
    assert "two.milvus.io. A 203.0.113.9" in waiting.message
    assert values(zones, "A") == {"my-release.milvus.io.": (ADDRESS,), "two.milvus.io.": ("203.0.113.9",)}


def test_message_stays_short_however_many_records_are_refused() -> None:
    names = [f"d{number}.milvus.io" for number in range(20)]
    zones = FakeDnsZones([RecordSet(f"{name}.", "A", 60, ("203.0.113.9",)) for name in names])
    waiting = publish(zones, setup(*names), ADDRESS)
    assert waiting is not None
    assert waiting.message.endswith("and 17 more")
    assert waiting.message.count("is left alone") == 3


def test_two_setups_do_not_take_a_domain_from_each_other() -> None:
    zones = FakeDnsZones()
    publish(zones, setup(), ADDRESS)
    other = new_setup(release="other", dns_zone=ZONE)
    waiting = publish(zones, other, "198.51.100.7")
    assert waiting is not None
    assert "default.my-release" in waiting.message
    assert values(zones, "A") == {"my-release.milvus.io.": (ADDRESS,)}


def test_domain_outside_the_zone_is_its_owners_to_publish() -> None:
    zones = FakeDnsZones()
    assert publish(zones, setup("db.example.org"), ADDRESS) is None
    assert list(values(zones, "A")) == ["my-release.milvus.io."]


def test_zone_of_other_domains_is_refused() -> None:
    zones = FakeDnsZones()
    with pytest.raises(Permanent, match=r"zone of milvus.io., where db.example.org"):
        publish(zones, new_setup(domain="db.example.org", dns_zone=ZONE), ADDRESS)


def test_record_that_stands_needs_no_look_at_its_mark() -> None:
    zones = FakeDnsZones([RecordSet("my-release.milvus.io.", "A", 60, (ADDRESS,))])
    assert publish(zones, setup(), ADDRESS) is None
    assert zones.changes == []
    assert ChangeSet() not in zones.changes


@dataclass
class Ahead:
    """Notes what is stored before the zone is written."""

    zones: FakeDnsZones
    stored: list[tuple[Facts, int]] = field(default_factory=list)

    def record(self, facts: Facts, *, begins_effect: bool = False) -> None:
        assert not begins_effect
        self.stored.append((facts, len(self.zones.changes)))


def test_names_of_records_are_stored_before_the_records_are_written() -> None:
    zones = FakeDnsZones()
    ahead = Ahead(zones)
    published = records.publish(zones, setup("two.milvus.io"), ADDRESS, ahead)
    names = tuple(PublishedRecord(ZONE, name, ADDRESS) for name in ("my-release.milvus.io", "two.milvus.io"))
    assert [(facts.published, changes) for facts, changes in ahead.stored] == [(names, 0)]
    assert published.facts.published == names


def test_names_of_records_that_were_ever_made_are_kept() -> None:
    zones, known = FakeDnsZones(), PublishedRecord(ZONE, "old.milvus.io", "198.51.100.7")
    before = replace(setup(), facts=Facts(published=(known,)))
    found = records.publish(zones, before, ADDRESS, NothingAhead()).facts.published
    assert found == (known, PublishedRecord(ZONE, "my-release.milvus.io", ADDRESS))


def test_every_record_that_was_ever_made_is_withdrawn_although_no_zone_is_wanted_any_more() -> None:
    zones = FakeDnsZones()
    first = records.publish(zones, setup("two.milvus.io"), ADDRESS, NothingAhead()).facts
    assert len(values(zones, "A")) == 2
    records.withdraw(zones, replace(setup(zone=None), facts=first))
    assert zones.stored == []


ADDRESSES = st.sampled_from(["192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2"])


@given(st.lists(ADDRESSES, min_size=1, max_size=5))
def test_whatever_addresses_a_domain_has_led_to_nothing_of_ours_is_left(addresses: list[str]) -> None:
    zones, known = FakeDnsZones(), setup("two.milvus.io")
    for address in addresses:
        facts = records.publish(zones, known, address, NothingAhead()).facts
        known = replace(known, facts=facts)
    records.withdraw(zones, known)
    assert zones.stored == []
    made = len(zones.changes)
    records.withdraw(zones, known)
    assert len(zones.changes) == made
