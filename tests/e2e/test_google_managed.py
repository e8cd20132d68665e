"""Google-managed certificates, end to end: the long wait, and what the setup says while it waits."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import pytest

from demo.deployment import Pacing
from localcloud.addresses import HTTPS_PORT
from localcloud.cloud import Cloud
from localcloud.controllers import Delays
from localcloud.controllers.certificates.visibility import DomainStatus
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.document import Setup, StageRecord, Status
from milvus_l7.domain.setup.facts import CheckState
from tests.e2e.stage_play import Play, eventually, on_this_day, open_cloud

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

GOOGLE_MANAGED = {"type": "google-managed"}
ANNOTATION = "networking.gke.io/managed-certificates"
STATIC_IP = "kubernetes.io/ingress.global-static-ip-name"
DELAYS = on_this_day(Delays(certificate_s=0.5, edge_s=0.5))
LOOKS = 10

# A client that knows nothing of this cloud but the roots in its environment.
PLAIN_CLIENT = """
import sys
from pymilvus import MilvusClient
client = MilvusClient(uri=sys.argv[1], server_name=sys.argv[2], timeout=20)
print(client.get_server_version())
"""


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    """A cloud in which a person's half minute is 0.3 s, so that ten looks take seconds."""
    with open_cloud(Pacing(pace_scale=0.01, tick_s=0.5), DELAYS) as started:
        yield started


@pytest.fixture(scope="module")
def stuck(cloud: Cloud) -> Play:
    """A release whose setup waits for a DNS record."""
    play = Play(cloud, "stuck")
    play.install()
    play.publish(certificate=GOOGLE_MANAGED)
    play.explained(Stage.VERIFY_ENDPOINT, Reason.DNS_RECORD_MISSING)
    return play


def address(play: Play) -> str:
    setup = play.setup()
    assert setup is not None
    assert setup.facts.address is not None
    return setup.facts.address


def told(play: Play, reason: Reason, records: dict[str, list[str]]) -> StageRecord:
    """What the setup says with these records of its domain; the message published again wakes it at once."""
    play.cloud.zone.set_records(play.domain, records)
    play.publish(certificate=GOOGLE_MANAGED)
    return play.explained(Stage.VERIFY_ENDPOINT, reason)


def test_dns_record_that_comes_after_ten_looks_ends_in_a_verified_setup(cloud: Cloud) -> None:
    play = Play(cloud, "patient")
    play.install()
    play.publish(certificate=GOOGLE_MANAGED)
    record = play.explained(Stage.VERIFY_ENDPOINT, Reason.DNS_RECORD_MISSING)
    assert f"`{play.domain}. A {address(play)}`" in record.message
    looks = eventually(lambda: at_least(LOOKS, play), 120, f"{LOOKS} looks")
    assert {reason for _, reason in looks[-LOOKS:]} == {Reason.DNS_RECORD_MISSING}
    assert_idle_between_looks(play)
    cloud.zone.set_records(play.domain, {"A": [address(play)]})
    setup = play.wait(Status.VERIFIED)
    assert setup.run == 1
    assert_verified_with_system_roots(play, setup)

    writes = play.writes()
    play.publish(certificate=GOOGLE_MANAGED)
    again = play.wait(Status.VERIFIED, run=2)
    assert (again.generation, play.writes()) == (1, writes)


def at_least(count: int, play: Play) -> list[tuple[object, str]] | None:
    looks = [look for look in play.looks(Stage.VERIFY_ENDPOINT) if look[1]]
    return list(looks) if len(looks) >= count else None


def assert_idle_between_looks(play: Play) -> None:
    """The functions' calls to the cluster come in short bursts, one a look, with nothing in between."""
    records = play.cloud.kube.audit.records()
    times = [r.at for r in records if r.user.startswith("l7-verify@") and r.name.startswith(play.service)]
    gaps = [after - before for before, after in pairwise(times)]
    idle = [gap for gap in gaps if gap > 0.25]
    assert LOOKS - 2 <= len(idle) <= len(play.looks(Stage.VERIFY_ENDPOINT))
    assert sum(idle) > 0.8 * (times[-1] - times[0])


def assert_verified_with_system_roots(play: Play, setup: Setup) -> None:
    assert [check.state for check in setup.facts.checklist] == [CheckState.PASSED] * 6
    assert all(check.required for check in setup.facts.checklist)
    ingress = play.find("Ingress", play.service) or {}
    assert "tls" not in ingress["spec"]
    command = [sys.executable, "-c", PLAIN_CLIENT, f"https://{address(play)}:{HTTPS_PORT}", play.domain]
    environment = {**os.environ, **play.cloud.trust}
    client = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert client.stdout.strip() == setup.facts.milvus_version, client.stderr


def test_domain_that_leads_elsewhere_is_told_with_both_addresses(stuck: Play) -> None:
    record = told(stuck, Reason.DNS_ELSEWHERE, {"A": ["192.0.2.9"]})
    assert "192.0.2.9" in record.message
    assert address(stuck) in record.message


def test_extra_aaaa_record_is_told_by_its_address(stuck: Play) -> None:
    record = told(stuck, Reason.DNS_EXTRA_RECORD, {"A": [address(stuck)], "AAAA": ["2001:db8::9"]})
    assert "2001:db8::9" in record.message


def test_caa_record_that_forbids_is_told_with_what_to_add(stuck: Play) -> None:
    caa = ['0 issue "other.example"']
    record = told(stuck, Reason.CAA_FORBIDS, {"A": [address(stuck)], "CAA": caa})
    assert "other.example" in record.message
    assert "pki.goog" in record.message


def test_rate_limit_of_the_authority_is_told_as_such(stuck: Play) -> None:
    certificates = stuck.cloud.control_plane.certificates
    certificates.refuse(stuck.domain, DomainStatus.FAILED_RATE_LIMITED)
    told(stuck, Reason.CERTIFICATE_RATE_LIMITED, {"A": [address(stuck)]})
    stuck.cloud.zone.set_records(stuck.domain, {})
    certificates.refuse(stuck.domain, None)


def test_certificate_that_somebody_took_off_the_ingress_is_told_and_the_next_run_puts_it_back(
    stuck: Play,
) -> None:
    """A request during the wait only wakes it; when that has failed, another one begins a run."""
    told(stuck, Reason.DNS_RECORD_MISSING, {})
    stuck.annotate("Ingress", stuck.service, {ANNOTATION: None})
    stuck.explained(Stage.VERIFY_ENDPOINT, Reason.CERTIFICATE_NOT_ATTACHED)
    eventually(lambda: has_failed(stuck), 60, "the wait has failed")
    told(stuck, Reason.DNS_RECORD_MISSING, {})


def has_failed(play: Play) -> bool:
    setup = play.setup()
    return setup is not None and setup.status is Status.FAILED


def test_permanent_failure_is_explained_and_then_replaced_when_asked_for(stuck: Play) -> None:
    plane = stuck.cloud.control_plane
    plane.delays = replace(DELAYS, certificate_attempts=1)
    record = told(stuck, Reason.CERTIFICATE_FAILED_PERMANENTLY, {"A": ["192.0.2.9"]})
    assert "recreate_failed" in Reason.CERTIFICATE_FAILED_PERMANENTLY.remedy
    assert "192.0.2.9" in record.message
    first = managed(stuck)
    plane.delays = DELAYS

    stuck.cloud.zone.set_records(stuck.domain, {"A": [address(stuck)]})
    stuck.publish(certificate=GOOGLE_MANAGED)
    stuck.explained(Stage.VERIFY_ENDPOINT, Reason.CERTIFICATE_FAILED_PERMANENTLY)
    stuck.publish(certificate={**GOOGLE_MANAGED, "recreate_failed": True})
    eventually(lambda: managed(stuck) != first, 60, "another ManagedCertificate")
    stuck.wait(Status.VERIFIED)
    assert stuck.find("ManagedCertificate", first) is None


def managed(play: Play) -> str:
    setup = play.setup()
    assert setup is not None
    assert setup.facts.managed is not None
    return setup.facts.managed.name


def test_failed_renewal_is_told_while_the_old_certificate_is_still_served(stuck: Play) -> None:
    """Needs a verified setup: the test above leaves one."""
    certificates = stuck.cloud.control_plane.certificates
    stuck.cloud.zone.set_records(stuck.domain, {"A": ["192.0.2.9"]})
    certificates.renew()
    stuck.publish(certificate={**GOOGLE_MANAGED, "recreate_failed": True})
    record = stuck.explained(Stage.VERIFY_ENDPOINT, Reason.CERTIFICATE_RENEWAL_FAILED)
    assert "192.0.2.9" in record.message
    stuck.cloud.zone.set_records(stuck.domain, {"A": [address(stuck)]})
    certificates.renew()
    stuck.wait(Status.VERIFIED)


def test_name_of_a_missing_certificate_on_the_ingress_is_told_because_it_blocks_the_others(
    stuck: Play,
) -> None:
    """Ends with a verified setup whose certificate has one domain more than before.

    Both certificates have the first domain, for which the old one is served as long as it is attached.
    """
    stuck.cloud.zone.set_records(stuck.domain, {"A": [address(stuck)]})
    stuck.publish(certificate=GOOGLE_MANAGED)
    eventually(lambda: is_active(stuck), 60, "the first certificate is Active")
    names = annotation(stuck)
    stuck.annotate("Ingress", stuck.service, {ANNOTATION: f"{names}, typo"})
    more = f"more.{stuck.domain}"
    stuck.cloud.zone.set_records(more, {"A": [address(stuck)]})
    stuck.publish(certificate={**GOOGLE_MANAGED, "domains": [more]})
    record = stuck.explained(Stage.VERIFY_ENDPOINT, Reason.MANAGED_CERTIFICATE_MISSING)
    assert "typo" in record.message
    assert names in annotation(stuck)  # what serves is still attached
    kept = [name.strip() for name in annotation(stuck).split(",") if name.strip() != "typo"]
    stuck.annotate("Ingress", stuck.service, {ANNOTATION: ",".join(kept)})
    setup = stuck.wait(Status.VERIFIED)
    assert setup.desired.domains == (stuck.domain, more)
    assert annotation(stuck) == managed(stuck) != names
    assert stuck.find("ManagedCertificate", names) is None


def is_active(play: Play) -> bool:
    found = play.find("ManagedCertificate", managed(play)) or {}
    return bool(found.get("status", {}).get("certificateStatus") == "Active")


def annotation(play: Play) -> str:
    annotations: dict[str, str] = (play.find("Ingress", play.service) or {})["metadata"]["annotations"]
    return annotations[ANNOTATION]
