"""The main job, end to end: one message puts a real Milvus behind a real Layer-7 load balancer."""

from __future__ import annotations

import json

import pytest

from demo.release import USER_YAML
from localcloud.addresses import HTTPS_PORT
from localcloud.cloud import PROJECT, Cloud
from milvus_l7.adapters.release.helm_sdk import sdk
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.setup.document import Setup, Status
from milvus_l7.domain.setup.facts import CheckState
from tests.e2e.stage_play import REQUESTS, Play, eventually

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def play(cloud: Cloud) -> Play:
    """A release whose setup is verified."""
    play = Play(cloud, "my-release")
    play.install()
    play.publish(verification={"deep": True})
    play.wait(Status.VERIFIED)
    return play


def verified(play: Play) -> Setup:
    setup = play.setup()
    assert setup is not None
    return setup


def test_pymilvus_works_through_the_load_balancer(play: Play, tmp_path) -> None:  # type: ignore[no-untyped-def]
    from pymilvus import MilvusClient

    facts = verified(play).facts
    assert facts.certificate is not None
    pem = tmp_path / "server.pem"
    pem.write_text(facts.certificate.pem)
    client = MilvusClient(
        uri=f"https://{facts.address}:{HTTPS_PORT}", server_pem_path=str(pem), server_name=play.domain
    )
    client.create_collection("books", dimension=4)
    client.insert("books", [{"id": 1, "vector": [0.1, 0.2, 0.3, 0.4]}])
    client.flush("books")
    found = client.search("books", [[0.1, 0.2, 0.3, 0.4]], limit=1)
    client.drop_collection("books")
    client.close()
    assert found[0][0]["id"] == 1


def test_every_required_check_has_passed(play: Play) -> None:
    checklist = verified(play).facts.checklist
    assert [check.name for check in checklist] == [
        "rollout",
        "certificate",
        "backends",
        "dns",
        "tls",
        "milvus",
    ]
    assert all(check.state is CheckState.PASSED for check in checklist if check.required)


def test_missing_dns_record_is_shown_with_its_remedy_but_not_required(play: Play) -> None:
    (dns,) = [check for check in verified(play).facts.checklist if check.name == "dns"]
    assert (dns.required, dns.reason) == (False, Reason.DNS_MISMATCH)
    assert str(verified(play).facts.address) in dns.message


def test_users_own_setting_and_comment_survive(play: Play) -> None:
    with sdk().Config(kubeconfig_path=play.cloud.kubeconfig(), namespace="default") as config:
        values = config.get_values(play.release)
    text = values["extraConfigFiles"]["user.yaml"]
    assert USER_YAML in text
    assert "tlsMode: 1" in text
    assert values["service"]["type"] == "ClusterIP"


def test_private_key_is_nowhere_but_in_the_secret(play: Play) -> None:
    logs = "".join(path.read_text(errors="replace") for path in play.cloud.folder.glob("*.log"))
    state = repr(verified(play))
    assert "PRIVATE KEY" not in logs + state


def test_same_request_again_is_verified_again_with_zero_writes(play: Play) -> None:
    before = play.writes()
    play.publish(verification={"deep": True})
    again = play.wait(Status.VERIFIED, run=2)
    assert again.generation == 1
    assert play.writes() == before


def test_refused_request_leaves_the_setup_verified_and_untouched_and_the_next_one_works(play: Play) -> None:
    before, writes = verified(play), play.writes()
    play.publish(verification={"deep": True}, certificate={"type": "self-managed", "secret": "missing"})
    refused = eventually(lambda: setup_with_refusal(play), 60, "a refusal")
    assert (refused.status, refused.desired, refused.facts) == (Status.VERIFIED, before.desired, before.facts)
    assert refused.refusal is not None
    assert (refused.refusal.reason, refused.refusal.generation) == (Reason.SECRET_NOT_FOUND, 2)
    assert play.writes() == writes
    play.publish(verification={"deep": True})
    again = play.wait(Status.VERIFIED, run=refused.run + 1, generation=2)
    assert again.refusal is None
    assert play.writes() == writes


def setup_with_refusal(play: Play) -> Setup | None:
    setup = play.setup()
    return setup if setup and setup.refusal else None


def test_functions_identify_themselves_to_the_cluster(play: Play) -> None:
    users = {record.user for record in play.cloud.kube.audit.records() if record.user.startswith("l7-")}
    assert f"l7-certificate@{PROJECT}.iam.gserviceaccount.com" in users


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"not json", Reason.NOT_JSON),
        (b"[1]", Reason.NOT_AN_OBJECT),
        (b"x" * 9_900_000, Reason.BODY_TOO_LARGE),
        (b'{"schema_version": 9}', Reason.UNKNOWN_SCHEMA_VERSION),
        (b"", Reason.BODY_MISSING),
    ],
)
def test_bad_message_is_rejected_by_name_and_acknowledged(cloud: Cloud, body: bytes, reason: Reason) -> None:
    message_id = cloud.messaging.publish(REQUESTS, body, note="attributes alone are no request")
    announced = eventually(lambda: cloud.messaging.take("l7-request-rejected", 1), 20, "a rejection")
    said = json.loads(announced)
    assert (said["request_id"], said["reason"]) == (message_id, reason)
    cloud.pubsub.wait_idle(20)
    assert cloud.messaging.take("l7-dead-letter", 0.2) is None
