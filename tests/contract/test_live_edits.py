"""Releases that people have changed past Helm: an upgrade keeps what is not ours, or refuses unwritten."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Permanent
from tests.contract import live_release, rich_chart
from tests.contract.kube_server import Json, Space, fresh_space, server_under_test  # noqa: F401 (fixtures)
from tests.contract.test_plans import planned, written
from tests.contract.whole_chain import DEPLOYMENT, NAME, SERVICE, Chain

LOAD_BALANCER: Json = {"service": {"type": "LoadBalancer"}}
PLAIN: Json = {"service": {"type": "LoadBalancer", "loadBalancerSourceRanges": []}}
WORKER = f"{NAME}-worker"


@pytest.fixture
def chain(space: Space) -> Chain:
    return Chain(space)


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    return rich_chart.written(tmp_path)


def container(name: str, **fields: Any) -> Json:
    return {"spec": {"template": {"spec": {"containers": [{"name": name, **fields}]}}}}


def annotated(**annotations: str) -> Json:
    return {"spec": {"template": {"metadata": {"annotations": annotations}}}}


Edit = tuple[str, str, Json]
# All of one group are made to one release, because a release costs seconds.
KEPT: dict[str, list[Edit]] = {
    "values": [
        ("Deployment", WORKER, {"spec": {"replicas": 5}}),
        ("Deployment", WORKER, container("worker", image="worker:2", args=["run", "mine"])),
        ("Deployment", WORKER, container("worker", env=[{"name": "B", "value": "mine"}])),
        ("Deployment", DEPLOYMENT, {"spec": {"replicas": 0}}),
        ("StatefulSet", f"{NAME}-store", {"spec": {"replicas": 3}}),
        ("PodDisruptionBudget", f"{NAME}-store", {"spec": {"maxUnavailable": 2}}),
        ("Role", f"{NAME}-reader", {"rules": []}),
        ("Service", SERVICE, {"metadata": {"labels": {"helm.sh/chart": "mine"}}}),
        ("Service", SERVICE, {"spec": {"sessionAffinity": "ClientIP"}}),
        ("Service", SERVICE, {"spec": {"externalTrafficPolicy": "Local"}}),
        ("ConfigMap", f"{NAME}-etcd", {"data": {"replicaCount": "3"}}),
    ],
    "items": [
        ("Deployment", WORKER, container("worker", env=[{"name": "C", "value": "c"}])),
        ("Deployment", WORKER, container("sidecar", image="s:1")),
        ("Deployment", WORKER, container("worker", args=["run"])),
        ("Deployment", WORKER, annotated(**{"kubectl.kubernetes.io/restartedAt": "now"})),
        ("Deployment", DEPLOYMENT, container("standalone", imagePullPolicy="Always")),
        ("Deployment", DEPLOYMENT, container("standalone", livenessProbe=None)),
        ("ConfigMap", SERVICE, {"data": {"mine.yaml": "a: 1"}}),
    ],
}
MEANT = (
    "Service spec",
    "ConfigMap data[user.yaml]",
    "Deployment spec.template.metadata.annotations[checksum/",
)


@pytest.mark.parametrize("helm", [3, 4])
@pytest.mark.parametrize("edits", KEPT.values(), ids=KEPT.keys())
def test_what_is_changed_past_helm_is_kept_and_given_back(
    chain: Chain, chart: Path, edits: list[Edit], helm: int
) -> None:
    live_release.install(chain, PLAIN, helm, chart)
    for edit in edits:
        live_release.edit(chain.space, *edit)
    before, plan = chain.snapshot(), chain.plan()
    assert plan.fault is None
    chain.run()
    after = chain.snapshot()
    assert written(before, after) == planned(plan.changes)
    old = {key: live for key, live in after.items() if key in before}
    changed = {f"{target.split()[0]} {field}" for target, field in written(before, {**before, **old})}
    expected = [each for each in changed if "metadata.annotations[cloud.google.com" not in each]
    assert [each for each in expected if not each.startswith(MEANT)] == []
    chain.tear_down()
    assert chain.snapshot() == before


@pytest.mark.parametrize("helm", [3, 4])
def test_what_is_deleted_past_helm_stays_deleted(chain: Chain, chart: Path, helm: int) -> None:
    live_release.install(chain, PLAIN, helm, chart)
    gone = {("Job", f"{NAME}-init"), ("Role", f"{NAME}-reader"), ("Deployment", WORKER)}
    for kind, name in gone:
        live_release.remove(chain.space, kind, name)
    before, plan = chain.snapshot(), chain.plan()
    assert plan.fault is None
    chain.run()
    assert written(before, chain.snapshot()) == planned(plan.changes)
    assert not gone & chain.snapshot().keys()
    chain.tear_down()
    assert chain.snapshot() == before


RANGES = {"spec": {"loadBalancerSourceRanges": ["198.51.100.0/24"]}}
REFUSED: list[tuple[Edit, str]] = [
    (("Service", SERVICE, RANGES), "LoadBalancerSourceRanges"),
    (("ConfigMap", SERVICE, {"data": {"user.yaml": "mine: 1\n"}}), "data[user.yaml]"),
    (("Deployment", DEPLOYMENT, annotated(**{"checksum/config": "mine"})), "[checksum/config]"),
]


@pytest.mark.parametrize("helm", [3, 4])
def test_all_that_would_be_lost_is_refused_by_name_and_unwritten(chain: Chain, helm: int) -> None:
    live_release.install(chain, PLAIN, helm)
    for edit, _ in REFUSED:
        live_release.edit(chain.space, *edit)
    versions, plan = chain.versions(), chain.plan()
    assert plan.fault is not None
    assert [words for _, words in REFUSED if words not in plan.fault.message] == []
    with pytest.raises(Permanent) as refused:
        chain.run()
    assert refused.value.message == plan.fault.message
    assert chain.versions() == versions


@pytest.mark.parametrize("helm", [3, 4])
def test_object_that_the_upgrade_needs_and_nobody_has_is_named(chain: Chain, helm: int) -> None:
    live_release.install(chain, PLAIN, helm)
    live_release.remove(chain.space, "ConfigMap", SERVICE)
    plan = chain.plan()
    assert plan.fault is not None
    assert (plan.fault.reason, SERVICE in plan.fault.message) == (Reason.UPGRADE_NOT_CONTAINED, True)


@pytest.mark.parametrize("helm", [3, 4])
def test_default_source_ranges_are_planned_as_they_are_written(chain: Chain, helm: int) -> None:
    live_release.install(chain, LOAD_BALANCER, helm)
    before, plan = chain.snapshot(), chain.plan()
    assert plan.fault is None
    assert before["Service", SERVICE]["spec"]["loadBalancerSourceRanges"] == ["0.0.0.0/0"]
    chain.run()
    assert planned(plan.changes) == written(before, chain.snapshot())
    versions = chain.versions()
    chain.run()
    assert chain.versions() == versions
    chain.tear_down()
    assert chain.snapshot() == before


@pytest.mark.parametrize("live_type", ["NodePort", "ClusterIP"])
@pytest.mark.parametrize("helm", [3, 4])
def test_type_that_is_changed_past_helm_is_planned_and_given_back(
    chain: Chain, live_type: str, helm: int
) -> None:
    live_release.install(chain, PLAIN, helm)
    live_release.edit(chain.space, "Service", SERVICE, {"spec": {"type": live_type}})
    before, plan = chain.snapshot(), chain.plan()
    assert plan.fault is None
    chain.run()
    assert planned(plan.changes) == written(before, chain.snapshot())
    chain.tear_down()
    assert chain.snapshot()["Service", SERVICE]["spec"]["type"] == live_type


def test_node_port_that_somebody_has_chosen_is_given_back(chain: Chain) -> None:
    live_release.install(chain, PLAIN)
    port = {"port": 19530, "protocol": "TCP", "nodePort": 30530}
    live_release.edit(chain.space, "Service", SERVICE, {"spec": {"ports": [port]}})
    assert chain.plan().fault is None
    chain.run()
    assert "nodePort" not in node_port(chain)
    chain.tear_down()
    assert node_port(chain)["nodePort"] == 30530
    chain.helm("upgrade", {**PLAIN, "more": 1})
    assert node_port(chain)["nodePort"] == 30530


def node_port(chain: Chain) -> Json:
    ports = chain.space.get("services", SERVICE).body["spec"]["ports"]
    return dict(next(each for each in ports if each["port"] == 19530))


@pytest.mark.parametrize("helm", [3, 4])
def test_hook_of_the_chart_is_planned_and_run(chain: Chain, chart: Path, helm: int) -> None:
    live_release.install(chain, {**PLAIN, "hook": True}, helm, chart)
    before, plan = chain.snapshot(), chain.plan()
    assert plan.fault is None
    assert ("ConfigMap", f"{NAME}-hook") not in before
    hook = f"ConfigMap {chain.space.name}/{NAME}-hook"
    assert [each.after for each in plan.changes if each.target == hook] == ["runs as hook (post-upgrade)"]
    chain.run()
    after = chain.snapshot()
    assert after["ConfigMap", f"{NAME}-hook"]["data"] == {"made": "by-hook"}
    others = {each for each in written(before, after) if each[0] != hook}
    assert others == {each for each in planned(plan.changes) if each[0] != hook}
    again = chain.plan()
    assert (again.changes, again.fault) == ((), None)
