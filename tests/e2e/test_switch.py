"""Another certificate or another domain while clients work: no call fails before its replacement serves.

One release and its setup, in turn: each test goes on from where the one before has ended.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from demo.deployment import Pacing
from localcloud.controllers import Delays
from milvus_l7.adapters.certificates.x509 import X509Certificates
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.document import Setup, Status
from tests.e2e.clients import Clients
from tests.e2e.stage_play import PATHS, Play, open_cloud

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(200)]

OWN, GOOGLE_MANAGED, ISSUED = {"secret": "own-tls"}, {"type": "google-managed"}, {"type": "self-managed"}
NEW_DOMAIN = "vectors.milvus.io"


@pytest.fixture(scope="module")
def play() -> Iterator[Play]:
    """A cloud whose edge needs so long for an issued certificate that the old one is seen meanwhile."""
    with open_cloud(Pacing(pace_scale=0.05), Delays(certificate_s=0.5, edge_s=4.0)) as cloud:
        found = Play(cloud, "switched")
        found.install()
        yield found


def create_secret(play: Play) -> str:
    """A user's own Secret, which the product never deletes; its certificate."""
    pair = X509Certificates().issue(play.domain, 30, datetime.now(UTC))
    texts = {"tls.crt": pair.certificate_pem, "tls.key": pair.key_pem}
    data = {key: base64.b64encode(text.encode()).decode() for key, text in texts.items()}
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "own-tls"}, "data": data}
    with play.cluster() as kube:
        kube.create(PATHS["Secret"], {**body, "type": "kubernetes.io/tls"})
    return pair.certificate_pem


def switched(play: Play, certificate: dict[str, str], domain: str = "") -> Setup:
    """The setup once it is verified with another certificate, or another domain."""
    before = play.setup()
    generation = before.generation + 1 if before else 1
    play.publish(certificate=certificate, domain=domain or play.domain)
    return play.wait(Status.VERIFIED, generation=generation)


def clients(play: Play, setup: Setup, folder: Path, trusted: str) -> Clients:
    """Clients of the setup's domain that trust a pinned certificate, and Google's stand-in."""
    roots = folder / "roots.pem"
    roots.write_text(trusted + play.cloud.authority.ca_pem)
    return Clients(str(setup.facts.address), setup.desired.domain, roots)


def pinned(setup: Setup) -> tuple[str, str]:
    """The Secret in use and the hash of its certificate."""
    assert setup.facts.certificate is not None
    return setup.facts.certificate.secret, setup.facts.certificate.sha256


def attached(play: Play) -> list[str]:
    ingress = play.find("Ingress", play.service) or {}
    return [entry["secretName"] for entry in ingress["spec"].get("tls", [])]


def assert_no_call_failed(calling: Clients) -> None:
    assert calling.failures == []
    assert min(calling.calls.values()) > 20


def test_no_call_fails_from_an_own_certificate_to_google_managed_and_back(play: Play, tmp_path: Path) -> None:
    trusted = create_secret(play)
    first = switched(play, OWN)
    play.cloud.zone.set_records(play.domain, {"A": [str(first.facts.address)]})

    calling = clients(play, first, tmp_path, trusted)
    with calling.calling():
        play.publish(certificate=GOOGLE_MANAGED)
        assert_old_certificate_is_told_while_it_is_served(play)
        managed = play.wait(Status.VERIFIED, generation=2)
        own = switched(play, OWN)

    assert_no_call_failed(calling)
    assert managed.facts.managed is not None
    assert play.find("ManagedCertificate", managed.facts.managed.name) is None
    assert own.facts.address == first.facts.address
    assert attached(play) == ["own-tls"]
    reasons = {reason for _, reason in play.looks(Stage.VERIFY_ENDPOINT)}
    assert {Reason.OTHER_CERTIFICATE_SERVED, Reason.RETIRING_CERTIFICATE} <= reasons


def assert_old_certificate_is_told_while_it_is_served(play: Play) -> None:
    """The wanted one is Active by then, but the edge does not have it yet."""
    record = play.explained(Stage.VERIFY_ENDPOINT, Reason.OTHER_CERTIFICATE_SERVED)
    assert "still the one of Secret own-tls" in record.message
    setup = play.setup()
    assert setup is not None
    assert setup.facts.managed is not None
    live = play.find("ManagedCertificate", setup.facts.managed.name) or {}
    assert live["status"]["certificateStatus"] == "Active"


def test_no_call_fails_from_an_issued_certificate_to_google_managed_and_back_to_the_same_pair(
    play: Play, tmp_path: Path
) -> None:
    issued = switched(play, ISSUED)
    assert attached(play) == [f"{play.service}-tls"]
    assert issued.facts.certificate is not None

    calling = clients(play, issued, tmp_path, issued.facts.certificate.pem)
    with calling.calling():
        switched(play, GOOGLE_MANAGED)
        assert attached(play) == []
        back = switched(play, ISSUED)

    assert_no_call_failed(calling)
    assert pinned(back) == pinned(issued)


def test_no_call_to_the_old_domain_fails_before_the_new_one_is_verified(play: Play, tmp_path: Path) -> None:
    """After that the old domain is not served: calls get 404, and new connections another certificate."""
    before = play.setup()
    assert before is not None
    assert before.facts.certificate is not None
    calling = clients(play, before, tmp_path, before.facts.certificate.pem)
    began = time.time()
    with calling.calling():
        changed = switched(play, ISSUED, NEW_DOMAIN)
        time.sleep(2)  # for what clients see afterwards

    retired_at = verifications_first_write(play, began)
    assert [failure for failure in calling.failures if failure.at < retired_at] == []
    assert all("UNIMPLEMENTED" in words for words in calling.failed("kept"))
    for kind, calls in calling.calls.items():
        assert 0 < len(calling.failed(kind)) < calls
    assert pinned(changed)[0] == f"{play.service}-tls-2"
    assert attached(play) == [f"{play.service}-tls-2"]
    assert pinned(switched(play, ISSUED)) == pinned(before)


def verifications_first_write(play: Play, since: float) -> float:
    """When the old domain was taken off the Ingress."""
    writes = play.cloud.kube.audit.writes(user_prefix="l7-verify@")
    return next(row.at for row in writes if row.resource == "ingresses" and row.at > since)


def test_secret_that_somebody_deleted_does_not_hold_its_successor_back(play: Play) -> None:
    """The controller would fail on the name of a Secret that is gone, and attach nothing any more."""
    switched(play, OWN)
    with play.cluster() as kube:
        kube.delete(f"{PATHS['Secret']}/own-tls")
    switched(play, ISSUED)
    assert attached(play) == [f"{play.service}-tls"]


def test_broken_secret_of_somebody_else_does_not_hold_the_switch_back(play: Play) -> None:
    """The controller says only that Compute Engine refuses a certificate, and attaches nothing any more."""
    garbage = base64.b64encode(b"garbage").decode()
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "theirs"}, "type": "kubernetes.io/tls"}
    with play.cluster() as kube:
        kube.create(PATHS["Secret"], {**body, "data": {"tls.crt": garbage, "tls.key": garbage}})
    both = [{"secretName": name} for name in (*attached(play), "theirs")]
    play.patch("Ingress", play.service, {"spec": {"tls": both}})
    switched(play, ISSUED, NEW_DOMAIN)
    assert attached(play) == [f"{play.service}-tls-2"]
    with play.cluster() as kube:
        assert kube.find(f"{PATHS['Secret']}/theirs") is not None
