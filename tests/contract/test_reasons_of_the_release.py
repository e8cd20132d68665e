"""Why a release is not taken, and why the way back waits: told from a release of Helm on an API server."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from milvus_l7.application.stages import registry
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Permanent, Transient
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.document import TearDown
from milvus_l7.domain.setup.facts import Check, CheckState, ServiceFacts
from milvus_l7.domain.setup.maintenance_window import MaintenanceWindow
from milvus_l7.domain.setup.outcome import Done, Failed, Waiting
from milvus_l7.domain.setup.supervision import Supervision
from tests.contract.kube_server import Json, Space, fresh_space, server_under_test  # noqa: F401 (fixtures)
from tests.contract.test_helm import World
from tests.contract.whole_chain import CHOSEN, SERVICE, Chain


@pytest.fixture
def chain(space: Space) -> Chain:
    return Chain(space)


def prepared(chain: Chain, later: timedelta = timedelta()) -> Reason | None:
    """How prepare_tls ends; None: it is done."""
    work = registry.work(Stage.PREPARE_TLS, chain.ports)
    try:
        outcome = work(chain.setup, datetime.now(UTC) + later)
    except (Permanent, Transient) as refused:
        return refused.reason
    return None if isinstance(outcome, Done) else outcome.reason


def user_yaml(text: str) -> Json:
    return {**CHOSEN, "extraConfigFiles": {"user.yaml": text}}


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (user_yaml("[1, 2]"), Reason.USER_YAML_INVALID),
        (user_yaml("proxy: {http: {port: 19530}}"), Reason.REST_SHARES_PORT),
        ({**CHOSEN, "customConfigMap": "theirs"}, Reason.CUSTOM_CONFIG_MAP),
    ],
    ids=lambda value: str(value) if isinstance(value, Reason) else "",
)
def test_values_that_tls_cannot_be_merged_into_are_told(chain: Chain, values: Json, reason: Reason) -> None:
    chain.install(values)
    assert prepared(chain) is reason


def test_service_without_the_port_and_no_service_at_all_are_told(chain: Chain) -> None:
    chain.install()
    body: Json = {"spec": {"ports": [{"name": "other", "port": 1, "targetPort": 1}]}}
    assert chain.space.patch(f"services/{SERVICE}", body).code == 200
    assert prepared(chain) is Reason.SERVICE_PORT_NOT_FOUND
    chain.space.delete("services", SERVICE)
    assert prepared(chain) is Reason.SERVICE_NOT_FOUND


def test_upgrade_that_is_proven_waits_for_the_maintenance_window(chain: Chain) -> None:
    chain.install()
    now = datetime.now(UTC)
    window = MaintenanceWindow(f"{now + timedelta(hours=2):%H:%M}", f"{now + timedelta(hours=3):%H:%M}")
    chain.setup = replace(chain.setup, supervision=Supervision(maintenance_window=window))
    before = chain.versions()
    assert prepared(chain) is Reason.OUTSIDE_MAINTENANCE_WINDOW
    assert chain.versions() == before


def test_upgrade_that_was_left_pending_is_rolled_back(chain: Chain) -> None:
    chain.install()
    World(chain.space, chain.releases("", "")).leave_pending("pending-upgrade")
    assert prepared(chain, later=timedelta(hours=1)) is Reason.RELEASE_ROLLED_BACK


def rollout(chain: Chain) -> Check:
    service = ServiceFacts(SERVICE, "milvus", 19530)
    return chain.ports.rollouts.check(chain.setup.desired, service, datetime.now(UTC))


def test_pod_that_crashes_during_the_roll_out_is_told_with_its_exit_code(chain: Chain) -> None:
    chain.install()
    assert rollout(chain).state is CheckState.PASSED
    assert prepared(chain) is None
    begun = rollout(chain)
    assert (begun.state, begun.reason) == (CheckState.PENDING, Reason.ROLLOUT_IN_PROGRESS)
    assert "has not been taken up" in begun.message
    crash(chain)
    broken = rollout(chain)
    assert (broken.state, broken.reason) == (CheckState.FAILED, Reason.PODS_CRASHING)
    assert "134" in broken.message


def crash(chain: Chain) -> None:
    """What the kubelet reports of Milvus with TLS and REST on one port."""
    template = chain.space.get("deployments", f"{SERVICE}-standalone", "apps/v1").body["spec"]["template"]
    containers = template["spec"]["containers"]
    metadata = {"name": "crashing", "labels": template["metadata"]["labels"]}
    spec = {"containers": [{"name": each["name"], "image": each["image"]} for each in containers]}
    assert chain.space.create("pods", {"metadata": metadata, "spec": spec}).code == 201
    state: dict[str, Any] = {
        "name": containers[0]["name"],
        "image": "x",
        "imageID": "x",
        "ready": False,
        "restartCount": 3,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"exitCode": 134, "reason": "Error"}},
    }
    status = {"status": {"containerStatuses": [state]}}
    assert chain.space.patch("pods/crashing/status", status).code == 200


def test_way_back_waits_for_an_address_and_fails_if_somebody_changes_what_it_restored(chain: Chain) -> None:
    chain.install()
    chain.run()
    chain.setup = replace(chain.setup, teardown=TearDown(restore_l4=True))
    for _ in range(3):
        outcome = chain.tear_down_once()
        chain.roll_out()
    assert isinstance(outcome, Waiting)
    assert outcome.reason is Reason.PLAINTEXT_UNREACHABLE
    other = {"spec": {"type": "NodePort", "loadBalancerSourceRanges": None}}
    assert chain.space.patch(f"services/{SERVICE}", other).code == 200
    changed = chain.tear_down_once()
    assert isinstance(changed, Failed)
    assert changed.reason is Reason.RESTORE_INCOMPLETE
