"""The failure that a health check cannot see: the annotation names a port that the Service does not have."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from localcloud.cloud import Cloud
from localcloud.gates import Call
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.setup.document import Setup, Status
from milvus_l7.domain.setup.facts import CheckState
from tests.e2e.stage_play import Play, eventually

pytestmark = pytest.mark.e2e
KUBECTL = Path(sys.executable).parent / "kubectl"


def annotate_protocols(cloud: Cloud, service: str, value: str) -> None:
    """As a person would, with the real kubectl."""
    annotation = f"cloud.google.com/app-protocols={value}"
    command = [KUBECTL, "annotate", "--overwrite", "service", service, annotation]
    subprocess.run([*command, "--kubeconfig", cloud.kubeconfig()], check=True, capture_output=True)


def is_by_create_ingress(call: Call) -> bool:
    return call.service == "kubernetes" and call.caller.startswith("l7-ingress@")


def with_failed_milvus_check(play: Play) -> Setup | None:
    setup = play.setup()
    checks = {check.name: check.state for check in setup.facts.checklist} if setup else {}
    return setup if checks.get("milvus") is CheckState.FAILED else None


def test_wrong_port_name_is_a_failed_check_with_its_remedy_until_it_is_corrected(cloud: Cloud) -> None:
    play = Play(cloud, "wrong-port")
    play.install()
    with cloud.gates.hold(is_by_create_ingress) as gate:
        play.publish()
        gate.wait_reached(90)
        annotate_protocols(cloud, play.service, '{"grpc":"HTTP2"}')

    setup = eventually(lambda: with_failed_milvus_check(play), 90, "the milvus check has failed")
    milvus = setup.facts.checklist[-1]
    assert (milvus.state, milvus.reason) == (CheckState.FAILED, Reason.BACKEND_NOT_HTTP2)
    assert '"grpc"' in milvus.message
    assert setup.status is not Status.VERIFIED

    play.publish()  # earlier stages mend what the verification waits for
    assert play.wait(Status.VERIFIED).run == 1
