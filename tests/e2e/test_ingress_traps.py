"""What keeps an Ingress from becoming a load balancer, and backends from being healthy, told by name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from demo.deployment import Pacing
from localcloud.controllers import Delays, Quotas
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.document import Status
from tests.e2e.stage_play import Play, eventually, on_this_day, open_cloud

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

GOOGLE_MANAGED = {"type": "google-managed"}
NEVER_S = 3600.0
DELAYS = on_this_day(Delays(certificate_s=0.5, edge_s=0.5))
NEG, BACKEND_CONFIG = "cloud.google.com/neg", "cloud.google.com/backend-config"
STATIC_IP = "kubernetes.io/ingress.global-static-ip-name"
ALLOW_HTTP, PRE_SHARED = "kubernetes.io/ingress.allow-http", "ingress.gcp.kubernetes.io/pre-shared-cert"
MANAGED = "networking.gke.io/managed-certificates"


@dataclass(frozen=True)
class Trap:
    """What somebody does to an object (a merge patch), what the setup then says, and how it is undone."""

    kind: str
    body: dict[str, Any]
    reason: Reason
    undone: dict[str, Any]


def annotated(kind: str, key: str, reason: Reason, value: str | None, good: str | None) -> Trap:
    return Trap(kind, annotations({key: value}), reason, annotations({key: good}))


def annotations(texts: dict[str, str | None]) -> dict[str, Any]:
    return {"metadata": {"annotations": texts}}


def ports(number: int) -> dict[str, Any]:
    return {"spec": {"ports": [{"name": "milvus", "port": number, "targetPort": "milvus"}]}}


TRAPS = [
    annotated("Service", NEG, Reason.NEG_MISSING, None, '{"ingress": true}'),
    annotated(
        "Service",
        BACKEND_CONFIG,
        Reason.BACKEND_CONFIG_INVALID,
        "{",
        '{"default":"trapped-milvus-backendconfig"}',
    ),
    annotated("Ingress", STATIC_IP, Reason.STATIC_IP_UNUSABLE, "nobody-reserved-it", None),
    Trap("Service", ports(19531), Reason.SERVICE_PORT_MISSING, ports(19530)),
    Trap(
        "Ingress",
        {"spec": {"tls": [{"hosts": ["trapped.milvus.io"]}]}},
        Reason.TLS_ENTRY_WITHOUT_SECRET,
        {"spec": {"tls": None}},
    ),
    # A certificate that does not exist keeps the others off the load balancer, so there is no HTTPS either.
    Trap(
        "Ingress",
        annotations({ALLOW_HTTP: "false", MANAGED: "typo", PRE_SHARED: None}),
        Reason.NO_FRONT_END,
        annotations({ALLOW_HTTP: None, MANAGED: "trapped-milvus-tls"}),
    ),
]
WORDS = {
    Reason.TLS_ENTRY_WITHOUT_SECRET: 'secret "" does not exist',
    Reason.NO_FRONT_END: "both HTTP and HTTPS are disabled",
}


@pytest.fixture(scope="module")
def play() -> Iterator[Play]:
    """A setup that waits for an address which does not come; the first cause is a quota."""
    with open_cloud(Pacing(pace_scale=0.01, tick_s=0.5), replace(DELAYS, address_s=NEVER_S)) as cloud:
        cloud.control_plane.delays = DELAYS  # for the Layer-4 address before
        found = Play(cloud, "trapped")
        found.install()
        cloud.control_plane.delays = replace(DELAYS, address_s=NEVER_S)
        cloud.control_plane.quotas = Quotas(backend_services=0)
        found.publish(certificate=GOOGLE_MANAGED)
        yield found


def test_quota_that_is_used_up_is_told_by_name(play: Play) -> None:
    record = play.explained(Stage.CREATE_INGRESS, Reason.QUOTA_EXCEEDED)
    assert "BACKEND_SERVICES" in record.message
    play.cloud.control_plane.quotas = Quotas()


@pytest.mark.parametrize("trap", TRAPS, ids=lambda trap: str(trap.reason))
def test_reason_why_there_is_no_address_is_told_by_name(play: Play, trap: Trap) -> None:
    play.patch(trap.kind, play.service, trap.body)
    record = play.explained(Stage.CREATE_INGRESS, trap.reason)
    assert WORDS.get(trap.reason, "") in record.message
    play.patch(trap.kind, play.service, trap.undone)


def test_address_comes_once_the_traps_are_gone(play: Play) -> None:
    play.cloud.control_plane.delays = DELAYS
    play.publish(certificate=GOOGLE_MANAGED)
    play.explained(Stage.VERIFY_ENDPOINT, Reason.DNS_RECORD_MISSING)


def test_unhealthy_backends_of_ready_pods_are_told_as_such_until_a_person_corrects_them(play: Play) -> None:
    """Needs an address: the test above leaves one. The request only wakes what waits."""
    set_health_check_port(play, 1234)
    eventually(lambda: "UNHEALTHY" in backends(play), 30, "the load balancer sees it")
    setup = play.setup()
    assert setup is not None
    play.cloud.zone.set_records(play.domain, {"A": [str(setup.facts.address)]})
    play.explained(Stage.VERIFY_ENDPOINT, Reason.BACKENDS_UNHEALTHY_PODS_READY)
    set_health_check_port(play, 9091)
    play.publish(certificate=GOOGLE_MANAGED)
    assert play.wait(Status.VERIFIED).run == 1


def set_health_check_port(play: Play, port: int) -> None:
    body = {"spec": {"healthCheck": {"port": port}}}
    play.patch("BackendConfig", f"{play.service}-backendconfig", body)


def backends(play: Play) -> str:
    annotations: dict[str, str] = (play.find("Ingress", play.service) or {})["metadata"]["annotations"]
    return annotations["ingress.kubernetes.io/backends"]
