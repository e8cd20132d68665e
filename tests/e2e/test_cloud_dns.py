"""A request that names its Cloud DNS zone: the record is made, kept, and another's is left alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from localcloud.cloud import MANAGED_ZONE, Cloud
from milvus_l7.adapters.dns.cloud_dns import CloudDnsZones
from milvus_l7.domain.dns.records import ChangeSet, RecordSet
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.document import Setup, Status
from milvus_l7.domain.setup.facts import CheckState
from tests.e2e.stage_play import Play

pytestmark = pytest.mark.e2e

DNS = {"managed_zone": MANAGED_ZONE}


def dns_state(setup: Setup) -> CheckState:
    return next(check.state for check in setup.facts.checklist if check.name == "dns")


def test_record_is_created_once_and_leads_to_the_load_balancer(cloud: Cloud) -> None:
    play = Play(cloud, "in-zone")
    play.install()
    play.publish(dns=DNS)
    setup = play.wait(Status.VERIFIED)
    assert cloud.zone.lookup(play.domain, "A") == (setup.facts.address,)
    assert dns_state(setup) is CheckState.PASSED
    changes = cloud.cloud_dns.changes
    play.publish(dns=DNS)
    play.wait(Status.VERIFIED, run=2)
    assert cloud.cloud_dns.changes == changes == 1


def test_record_of_another_is_left_alone_until_a_person_changes_it(cloud: Cloud) -> None:
    play = Play(cloud, "taken")
    zones, theirs = CloudDnsZones(), RecordSet(f"{play.domain}.", "A", 60, ("198.51.100.7",))
    zones.change(MANAGED_ZONE, ChangeSet((theirs,)))
    play.install()
    play.publish(dns=DNS)
    record = play.explained(Stage.CREATE_INGRESS, Reason.DNS_ZONE_REFUSED)
    assert f"{play.domain}. A 198.51.100.7" in record.message
    assert cloud.zone.lookup(play.domain, "A") == ("198.51.100.7",)
    setup = play.setup()
    assert setup is not None
    assert setup.facts.address is not None
    zones.change(MANAGED_ZONE, ChangeSet((replace(theirs, values=(setup.facts.address,)),), (theirs,)))
    assert dns_state(play.wait(Status.VERIFIED)) is CheckState.PASSED
