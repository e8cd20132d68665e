"""Another kind of certificate while clients work: none of their calls fails."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from localcloud.addresses import HTTPS_PORT
from localcloud.cloud import Cloud, Pacing
from localcloud.controllers import Delays
from shared.adapters.x509 import X509Certificates
from shared.domain.chain import Stage
from shared.domain.reasons import Reason
from shared.domain.setup import Status
from tests.e2e.stage_play import PATHS, Play, open_cloud

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

OWN, GOOGLE_MANAGED = {"secret": "own-tls"}, {"type": "google-managed"}
CALL_S = 5.0


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    """A cloud whose edge needs so long for an issued certificate that the old one is seen meanwhile."""
    with open_cloud(Pacing(pace_scale=0.05), Delays(certificate_s=0.5, edge_s=4.0)) as started:
        yield started


def create_secret(play: Play) -> str:
    """A user's own Secret, which the product never deletes; its certificate."""
    pair = X509Certificates().issue(play.domain, 30, datetime.now(UTC))
    texts = {"tls.crt": pair.certificate_pem, "tls.key": pair.key_pem}
    data = {key: base64.b64encode(text.encode()).decode() for key, text in texts.items()}
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "own-tls"}, "data": data}
    with play.cluster() as kube:
        kube.create(PATHS["Secret"], {**body, "type": "kubernetes.io/tls"})
    return pair.certificate_pem


@dataclass
class Clients:
    """One pymilvus client that keeps its connection, and new ones again and again."""

    address: str
    domain: str
    roots: Path
    calls: dict[str, int] = field(default_factory=lambda: {"kept": 0, "new": 0})
    failures: list[str] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def calling(self) -> Iterator[None]:
        """Call all the time, from two threads, while the block runs."""
        threads = [threading.Thread(target=work) for work in (self._keep_calling, self._keep_connecting)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.stopped.set()
            for thread in threads:
                thread.join()

    def _client(self):  # type: ignore[no-untyped-def]
        from pymilvus import MilvusClient

        return MilvusClient(
            uri=f"https://{self.address}:{HTTPS_PORT}",
            server_pem_path=str(self.roots),
            server_name=self.domain,
            timeout=CALL_S,
            dedicated=True,
        )

    def _keep_calling(self) -> None:
        client = self._client()
        while not self.stopped.wait(0.02):
            # One attempt a call: pymilvus would repeat a failed one and hide it.
            self._count("kept", lambda: client.list_collections(timeout=CALL_S, retry_times=0))
        client.close()

    def _keep_connecting(self) -> None:
        while not self.stopped.wait(0.1):
            self._count("new", lambda: self._client().close())

    def _count(self, kind: str, call) -> None:  # type: ignore[no-untyped-def]
        from pymilvus import MilvusException

        try:
            call()
        except MilvusException as error:
            self.failures.append(f"{kind} {datetime.now(UTC):%H:%M:%S.%f}: {str(error)[:200]}")
        self.calls[kind] += 1


def test_no_call_fails_from_self_managed_to_google_managed_and_back(cloud: Cloud, tmp_path: Path) -> None:
    play = Play(cloud, "switched")
    play.install()
    roots = tmp_path / "roots.pem"
    roots.write_text(create_secret(play) + cloud.authority.ca_pem)
    play.publish(certificate=OWN)
    address = str(play.wait(Status.VERIFIED).facts.address)
    cloud.zone.set_records(play.domain, {"A": [address]})

    clients = Clients(address, play.domain, roots)
    with clients.calling():
        play.publish(certificate=GOOGLE_MANAGED)
        managed = play.wait(Status.VERIFIED, generation=2)
        play.publish(certificate=OWN)
        own = play.wait(Status.VERIFIED, generation=3)

    assert clients.failures == []
    assert min(clients.calls.values()) > 20
    assert managed.facts.managed is not None
    assert play.find("ManagedCertificate", managed.facts.managed.name) is None
    assert own.facts.address == address
    ingress = play.find("Ingress", play.service) or {}
    assert [entry["secretName"] for entry in ingress["spec"]["tls"]] == ["own-tls"]
    reasons = {reason for _, reason in play.looks(Stage.VERIFY_ENDPOINT)}
    assert {Reason.OTHER_CERTIFICATE_SERVED, Reason.RETIRING_CERTIFICATE} <= reasons
