"""Each function is killed in the middle of its work; the setup still ends verified."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from demo.deployment import Pacing
from localcloud.cloud import Cloud
from localcloud.gates import Call
from milvus_l7.domain.setup.document import Status
from tests.e2e.stage_play import Play, open_cloud

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    """A cloud whose leases are short, because each kill costs one."""
    with open_cloud(Pacing(lease_s=8)) as started:
        yield started


IN_THE_MIDDLE = {
    "accept_request": Call("firestore", "Commit", "setups/", ""),
    "plan_setup": Call("kubernetes", "GET", "/services", "l7-plan@"),
    "prepare_tls": Call("kubernetes", "PATCH", "/deployments/", "l7-prepare-tls@"),
    "configure_health_check": Call("kubernetes", "PATCH", "/services/", "l7-health-check@"),
    "provision_certificate": Call("kubernetes", "POST", "/secrets", "l7-certificate@"),
    "create_ingress": Call("kubernetes", "PATCH", "/ingresses/", "l7-ingress@"),
    "verify_endpoint": Call("kubernetes", "GET", "/ingresses/", "l7-verify@"),
    "repoll": Call("firestore", "RunQuery", "", ""),
}


@pytest.mark.timeout(500)
def test_setup_ends_verified_though_each_function_is_killed_once(cloud: Cloud) -> None:
    play = Play(cloud, "mortal")
    play.install()
    for number, (function, wanted) in enumerate(IN_THE_MIDDLE.items()):
        with cloud.gates.hold(partial(matches, wanted)) as gate:
            if number == 0:
                play.publish()
            gate.wait_reached(150)
            cloud.functions.kill(function)
    play.wait(Status.VERIFIED, timeout_s=180)


def matches(wanted: Call, call: Call) -> bool:
    return (
        call.service == wanted.service
        and call.method == wanted.method
        and wanted.path in call.path
        and call.caller.startswith(wanted.caller)
    )
