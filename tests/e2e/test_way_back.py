"""Plan, set up, and the way back, with a real Milvus: what was there before is there again."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from demo.release import wait_plaintext
from localcloud.cloud import CLUSTER, PROJECT, Cloud
from localcloud.gates import Call
from milvus_l7.adapters.certificates.x509 import X509Certificates
from milvus_l7.adapters.planning.firestore_plans import FirestorePlans
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.setup.document import Setup, Stage, Status
from tests.e2e.stage_play import PATHS, Play, eventually

pytestmark = pytest.mark.e2e

GOING = {"type": "self-managed", "secret": "going-tls"}  # there for the plan, gone afterwards
KINDS = {
    "services": "/api/v1",
    "configmaps": "/api/v1",
    "secrets": "/api/v1",
    "deployments": "/apis/apps/v1",
    "ingresses": "/apis/networking.k8s.io/v1",
    "backendconfigs": "/apis/cloud.google.com/v1",
}
# What the API server and the controllers keep themselves.
SERVERS_OWN = {"resourceVersion", "managedFields", "generation"}


@pytest.fixture(scope="module")
def play(cloud: Cloud) -> Iterator[Play]:
    play = Play(cloud, "returner")
    play.install()
    yield play


def snapshot(play: Play) -> dict[str, Any]:
    """Everything in the namespace that people write, without Helm's own records and drawn node ports."""
    found = {}
    with play.cluster() as kube:
        for plural, root in KINDS.items():
            for item in (kube.find(f"{root}/namespaces/default/{plural}") or {})["items"]:
                if item.get("type") != "helm.sh/release.v1":
                    found[f"{plural}/{item['metadata']['name']}"] = _kept(item)
    return found


def _kept(item: dict[str, Any]) -> dict[str, Any]:
    metadata = {key: value for key, value in item["metadata"].items() if key not in SERVERS_OWN}
    spec = dict(item.get("spec", {}))
    for port in spec.get("ports", []):
        port.pop("nodePort", None)
    return {key: value for key, value in item.items() if key != "status"} | {
        "metadata": metadata,
        "spec": spec,
    }


def planned(play: Play, **changes: Any) -> dict[str, Any]:
    """The plan that a dry-run request gives."""
    message_id = play.publish(dry_run=True, **changes)
    plans, plan_id = FirestorePlans(PROJECT), f"{play.setup_id}.plan.{message_id}"

    def look() -> dict[str, Any] | None:
        record = plans.load(plan_id)
        return json.loads(record.plan or "{}") if record and record.made_at else None

    return eventually(look, 60, "a plan")


def torn_down(play: Play, *, restore_l4: bool) -> Setup:
    before = play.setup()
    request = {"cluster": CLUSTER, "release": play.release, "restore_l4": restore_l4}
    play.cloud.messaging.publish("l7-teardown-requested", json.dumps(request).encode())

    def look() -> Setup | None:
        setup = play.setup()
        is_newer = setup is not None and before is not None and setup.executions > before.executions
        return setup if setup and is_newer and setup.status is Status.TORN_DOWN else None

    return eventually(look, 120, "torn down")


def command_line(play: Play, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`milvus-l7` as an operator calls it."""
    environment = {**os.environ, **play.cloud.environment}
    command = [sys.executable, "-m", "milvus_l7_cli", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_there_and_back_again(play: Play) -> None:
    first = snapshot(play)
    plan = planned(play)
    assert not plan["is_empty"]
    kinds = {impact["kind"] for impact in plan["impacts"]}
    assert kinds == {"PlaintextClientsCut", "MilvusDown", "AddressReleased"}
    assert play.writes() == []
    assert snapshot(play) == first

    play.publish()
    play.wait(Status.VERIFIED)
    assert planned(play)["is_empty"]
    for command in ("status", "plan", "check", "explain"):
        shown = command_line(play, command, play.release)
        assert (shown.returncode, shown.stderr) == (0, "")
    pem = command_line(play, "certificate", play.release).stdout
    assert pem.startswith("-----BEGIN CERTIFICATE-----")

    torn_down(play, restore_l4=True)
    assert snapshot(play) == first
    assert wait_plaintext(play.cloud, play.service).version
    assert play.cloud.messaging.take("l7-setup-torn-down", 10)


def test_second_tear_down_writes_nothing(play: Play) -> None:
    writes = play.writes()
    torn_down(play, restore_l4=True)
    assert play.writes() == writes


def test_set_up_that_would_fail_is_refused_before_anything_is_written(play: Play) -> None:
    first, writes = snapshot(play), play.writes()
    play.publish(certificate=GOING, on_failure="restore")
    setup = eventually(lambda: refused(play), 60, "a refusal")
    assert (setup.status, setup.generation, setup.desired_generation) == (Status.TORN_DOWN, 3, 2)
    assert setup.refusal is not None
    assert setup.refusal.reason is Reason.SECRET_NOT_FOUND
    assert (snapshot(play), play.writes()) == (first, writes)


def refused(play: Play) -> Setup | None:
    setup = play.setup()
    return setup if setup and setup.refusal else None


def put_secret(play: Play) -> None:
    """A certificate of the user's own."""
    pair = X509Certificates().issue(play.domain, 30, datetime.now(UTC))
    texts = {"tls.crt": pair.certificate_pem, "tls.key": pair.key_pem}
    data = {key: base64.b64encode(text.encode()).decode() for key, text in texts.items()}
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": GOING["secret"]}, "data": data}
    with play.cluster() as kube:
        kube.create(PATHS["Secret"], {**body, "type": "kubernetes.io/tls"})


def is_by_provision_certificate(call: Call) -> bool:
    return call.service == "kubernetes" and call.caller.startswith("l7-certificate@")


def test_failed_set_up_goes_back_by_itself_if_asked_to(play: Play) -> None:
    first = snapshot(play)
    put_secret(play)
    with play.cloud.gates.hold(is_by_provision_certificate) as gate:
        play.publish(certificate=GOING, on_failure="restore")
        gate.wait_reached(90)
        with play.cluster() as kube:
            kube.delete(f"{PATHS['Secret']}/{GOING['secret']}")
    setup = play.wait(Status.TORN_DOWN, generation=5)
    assert setup.teardown is not None
    assert setup.teardown.cause is not None
    assert (setup.teardown.cause.stage, setup.teardown.cause.reason) == (
        Stage.PROVISION_CERTIFICATE,
        Reason.SECRET_NOT_FOUND,
    )
    assert snapshot(play) == first
    assert wait_plaintext(play.cloud, play.service).version


def test_tear_down_of_what_there_is_not_is_rejected(play: Play) -> None:
    request = {"cluster": CLUSTER, "release": "never-heard-of"}
    play.cloud.messaging.publish("l7-teardown-requested", json.dumps(request).encode())
    body = play.cloud.messaging.take("l7-request-rejected", 20)
    assert body is not None
    assert json.loads(body)["reason"] == "SetupNotFound"
