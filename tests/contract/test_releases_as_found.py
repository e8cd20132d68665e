"""Releases as people have them, by what is odd about them: refused by name, or accepted, as planned."""

from __future__ import annotations

import base64
import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Permanent
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.outcome import Failed, Waiting
from tests.contract import live_release, rich_chart
from tests.contract.kube_server import Json, Space, fresh_space, server_under_test  # noqa: F401 (fixtures)
from tests.contract.test_plans import planned, written
from tests.contract.whole_chain import CHART, NAME, SERVICE, Chain
from tests.fakes.ports import stage

LOAD_BALANCER: Json = {"service": {"type": "LoadBalancer"}}
APP = """apiVersion: v1
kind: Service
metadata: {name: {{ .Release.Name }}-app, labels: {app.kubernetes.io/instance: {{ .Release.Name }}}}
spec: {type: {{ .Values.service.type }}, selector: {app: a}, ports: [{name: http, port: 80}]}
"""


@pytest.fixture
def chain(space: Space) -> Chain:
    return Chain(space)


def refused(chain: Chain) -> tuple[Reason, str]:
    """How the plan and the run refuse, which is the same, and that nothing is written."""
    versions, plan = chain.versions(), chain.plan()
    assert plan.fault is not None
    work = stage(Stage.PREPARE_TLS, chain)
    try:
        outcome = work(chain.setup, datetime.now(UTC))
        assert isinstance(outcome, Failed | Waiting)
        run = (outcome.reason, outcome.message)
    except Permanent as error:
        run = (error.reason, error.message)
    assert run == (plan.fault.reason, plan.fault.message)
    assert chain.versions() == versions
    return run


def app(folder: Path, more: str = "") -> Path:
    (folder / "templates").mkdir(parents=True)
    (folder / "Chart.yaml").write_text(f"apiVersion: v2\nname: app\nversion: 1.0.0\n{more}")
    (folder / "templates" / "service.yaml").write_text(APP)
    (folder / "values.yaml").write_text("service: {type: LoadBalancer, portName: http}\n")
    return folder


def test_release_of_another_chart(chain: Chain, tmp_path: Path) -> None:
    with chain.helm_config() as helm:
        helm.install(app(tmp_path / "app"), NAME, {})
    assert refused(chain) == (
        Reason.RELEASE_NOT_MILVUS,
        f"release {NAME} is of the chart 'app', not milvus",
    )


def test_milvus_as_a_subchart_of_another_chart(chain: Chain, tmp_path: Path) -> None:
    chart = app(tmp_path / "app", "dependencies: [{name: milvus, version: 0.1.0, repository: ''}]\n")
    (chart / "charts").mkdir()
    (chart / "charts" / "milvus").symlink_to(CHART)
    with chain.helm_config() as helm:
        helm.install(chart, NAME, {})
    reason, message = refused(chain)
    assert reason is Reason.RELEASE_NOT_MILVUS
    assert "as a subchart of another chart is not supported" in message


def test_chart_that_mounts_no_user_yaml(chain: Chain, tmp_path: Path) -> None:
    chart = rich_chart.written(tmp_path)
    deployment = chart / "templates" / "deployment.yaml"
    text = deployment.read_text().replace("/milvus/configs/user.yaml", "/milvus/configs/milvus.yaml")
    deployment.write_text(
        text.replace('subPath: {{ include "milvus.configMapKey" . }}', "subPath: milvus.yaml")
    )
    live_release.install(chain, LOAD_BALANCER, chart=chart)
    reason, message = refused(chain)
    assert (reason, "mounts user.yaml" in message) == (Reason.CHART_WITHOUT_TLS, True)


def test_release_that_is_stored_in_config_maps(chain: Chain) -> None:
    labels = {"owner": "helm", "name": NAME, "version": "1", "status": "deployed"}
    metadata = {"name": f"sh.helm.release.v1.{NAME}.v1", "labels": labels}
    assert chain.space.create("configmaps", {"metadata": metadata, "data": {"release": "x"}}).code == 201
    reason, message = refused(chain)
    assert reason is Reason.RELEASE_NOT_FOUND
    assert "is stored in ConfigMaps (HELM_DRIVER=configmap), which is not supported" in message


def test_release_that_another_namespace_has(chain: Chain) -> None:
    metadata = {
        "name": SERVICE,
        "labels": {"app.kubernetes.io/instance": NAME},
        "annotations": {"meta.helm.sh/release-name": NAME, "meta.helm.sh/release-namespace": "other"},
    }
    body = {"metadata": metadata, "spec": {"ports": [{"port": 19530}]}}
    assert chain.space.create("services", body).code == 201
    reason, message = refused(chain)
    assert reason is Reason.RELEASE_NOT_FOUND
    assert f"belong to a release {NAME} of namespace other" in message


def test_custom_config_map_that_has_tls_is_accepted(chain: Chain) -> None:
    text = "common: {security: {tlsMode: 1}}\nproxy: {http: {port: 8080}}\n"
    chain.space.create("configmaps", {"metadata": {"name": "mine"}, "data": {"milvus.yaml": text}})
    live_release.install(chain, {**LOAD_BALANCER, "customConfigMap": "mine"})
    before, plan = chain.snapshot(), chain.plan()
    assert plan.fault is None
    chain.run()
    assert planned(plan.changes) == written(before, chain.snapshot())
    chain.tear_down()
    assert chain.snapshot() == before


@pytest.mark.parametrize("data", [None, {}, {"milvus.yaml": "common: {security: {tlsMode: 1}}\n"}])
def test_custom_config_map_without_tls_is_told_what_it_lacks(chain: Chain, data: Json | None) -> None:
    if data is not None:
        chain.space.create("configmaps", {"metadata": {"name": "mine"}, "data": data})
    live_release.install(chain, {**LOAD_BALANCER, "customConfigMap": "mine"})
    reason, message = refused(chain)
    assert reason is Reason.CUSTOM_CONFIG_MAP
    assert "whose milvus.yaml lacks " in message
    assert "proxy.http.port: 8080" in message


INGRESS: Json = {"ingress": {"enabled": True, "rules": [{"host": "m", "path": "/", "pathType": "Prefix"}]}}
BY_HAND: dict[str, tuple[str, str, Json]] = {
    "secret": ("secrets", "v1", {"metadata": {"name": f"{SERVICE}-tls"}, "data": {}}),
    "ingress": (
        "ingresses",
        "networking.k8s.io/v1",
        {
            "metadata": {"name": SERVICE},
            "spec": {"defaultBackend": {"service": {"name": SERVICE, "port": {"number": 19530}}}},
        },
    ),
}


def test_ingress_of_the_chart_is_refused_by_the_plan(chain: Chain) -> None:
    live_release.install(chain, {**LOAD_BALANCER, **INGRESS})
    plan = chain.plan()
    assert plan.fault is not None
    assert (plan.fault.reason, SERVICE in plan.fault.message) == (Reason.OBJECT_NOT_OURS, True)


@pytest.mark.parametrize("made", BY_HAND.values(), ids=BY_HAND.keys())
def test_objects_of_the_needed_names_are_refused_by_the_plan(
    chain: Chain, made: tuple[str, str, Json]
) -> None:
    live_release.install(chain, LOAD_BALANCER)
    assert chain.space.create(made[0], made[2], group=made[1]).code == 201
    plan = chain.plan()
    assert plan.fault is not None
    assert made[2]["metadata"]["name"] in plan.fault.message


def left_pending(chain: Chain, age: timedelta) -> None:
    """What somebody's killed `helm upgrade` leaves."""
    (newest,) = chain.space.get("secrets", labelSelector="owner=helm").body["items"]
    content = json.loads(gzip.decompress(base64.b64decode(base64.b64decode(newest["data"]["release"]))))
    moment = (datetime.now(UTC) - age).isoformat()
    info = {**content["info"], "status": "pending-upgrade", "last_deployed": moment}
    content |= {"version": 2, "info": info}
    packed = base64.b64encode(base64.b64encode(gzip.compress(json.dumps(content).encode()))).decode()
    labels = {**newest["metadata"]["labels"], "version": "2", "status": "pending-upgrade"}
    metadata = {"name": f"sh.helm.release.v1.{NAME}.v2", "labels": labels}
    body = {"type": "helm.sh/release.v1", "metadata": metadata, "data": {"release": packed}}
    assert chain.space.create("secrets", body).code == 201


def test_release_that_is_being_upgraded_is_busy_in_plan_and_run(chain: Chain) -> None:
    live_release.install(chain, LOAD_BALANCER)
    left_pending(chain, timedelta(minutes=1))
    assert refused(chain)[0] is Reason.RELEASE_BUSY


def test_release_that_was_left_pending_is_planned_as_it_is_run(chain: Chain) -> None:
    live_release.install(chain, LOAD_BALANCER)
    left_pending(chain, timedelta(hours=1))
    before, plan = chain.snapshot(), chain.plan()
    assert plan.fault is None
    status = next(each for each in plan.changes if each.field == "status")
    assert (status.before, status.after) == ("pending-upgrade", "deployed")
    chain.run()
    assert planned(plan.changes) == written(before, chain.snapshot())


def test_history_of_the_user_is_not_pruned(chain: Chain) -> None:
    live_release.install(chain, LOAD_BALANCER)
    for number in range(12):
        with chain.helm_config() as helm:
            helm.upgrade(CHART, NAME, {**LOAD_BALANCER, "labels": {"n": f"n{number}"}}, max_history=50)
    chain.roll_out()
    there = names(chain)
    chain.run(Stage.PREPARE_TLS)
    assert names(chain) - there == {f"sh.helm.release.v1.{NAME}.v14"}
    assert there <= names(chain)
    chain.tear_down()
    assert there <= names(chain)


def names(chain: Chain) -> set[Any]:
    found = chain.space.get("secrets", labelSelector="owner=helm").body["items"]
    return {each["metadata"]["name"] for each in found}
