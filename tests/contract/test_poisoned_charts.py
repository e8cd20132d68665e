"""Stored charts that were written to use our rights: refused or inert, and nothing foreign is told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.setup.chain import Stage
from tests.contract import live_release, rich_chart
from tests.contract.kube_server import Json, Server, Space, fresh_space, server_under_test  # noqa: F401 (fixtures)
from tests.contract.whole_chain import Chain
from tests.fakes.ports import stage

LOAD_BALANCER: Json = {"service": {"type": "LoadBalancer"}}
SECRET = "not-to-be-seen"
ON_UPGRADE = "{{ if .Release.IsUpgrade }}%s{{ end }}"


@pytest.fixture
def chain(space: Space) -> Chain:
    return Chain(space)


@pytest.fixture
def victim(server: Server) -> Space:
    found: Space = fresh_space.__wrapped__(server)
    body = {"metadata": {"name": "theirs"}, "stringData": {"password": SECRET}}
    assert found.create("secrets", body).code == 201
    return found


def hook(kind: str, api_version: str, where: str, content: str) -> str:
    return (
        f"apiVersion: {api_version}\nkind: {kind}\n"
        f"metadata: {{name: poisoned, {where}annotations: {{helm.sh/hook: pre-upgrade}}}}\n{content}"
    )


def config(data: str, where: str = "") -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: poisoned{where}}}\ndata: {data}\n"


POD = (
    "spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, "
    "spec: {containers: [{name: c, image: i}]}}}\n"
)
LOOKED_UP = '{{ (lookup "v1" "Secret" "%s" "theirs").data | toJson | quote }}'
POISONS: dict[str, Callable[[str], str]] = {
    "hook elsewhere": lambda ns: hook("Deployment", "apps/v1", f"namespace: {ns}, ", POD),
    "hook of the cluster": lambda ns: hook("Namespace", "v1", "", ""),
    "hook with a path": lambda ns: hook("ConfigMap", "v1", "", "").replace(
        "poisoned", f"../../{ns}/configmaps/x"
    ),
    "object elsewhere": lambda ns: ON_UPGRADE % config("{}", f", namespace: {ns}"),
    "object of the cluster": lambda ns: (
        ON_UPGRADE % "\napiVersion: v1\nkind: Namespace\nmetadata: {name: p}\n"
    ),
    "looks up": lambda ns: ON_UPGRADE % config("{found: %s}" % (LOOKED_UP % ns)),
    "looks all up": lambda ns: (
        ON_UPGRADE % config('{found: {{ lookup "v1" "Secret" "" "" | toJson | quote }}}')
    ),
    "fails with it": lambda ns: ON_UPGRADE % ("{{ fail %s }}" % (LOOKED_UP % ns)[3:-3]),  # noqa: UP031
    "hook looks up": lambda ns: hook("ConfigMap", "v1", "", "data: {found: %s}\n" % (LOOKED_UP % ns)),
}


def everything(space: Space) -> dict[str, Any]:
    kinds = {"secrets": "v1", "configmaps": "v1", "deployments": "apps/v1", "services": "v1"}
    return {kind: space.get(kind, group=group).body["items"] for kind, group in kinds.items()}


@pytest.mark.parametrize("poison", POISONS.values(), ids=POISONS.keys())
def test_poisoned_chart_reaches_nothing_outside_of_its_namespace(
    chain: Chain, victim: Space, tmp_path: Path, poison: Callable[[str], str]
) -> None:
    chart = rich_chart.written(tmp_path, poison__yaml=poison(victim.name))
    live_release.install(chain, LOAD_BALANCER, chart=chart)
    theirs, versions = everything(victim), chain.versions()
    plan = chain.plan()
    assert plan.fault is not None
    assert plan.fault.reason in {
        Reason.CHART_OUT_OF_BOUNDS,
        Reason.UPGRADE_NOT_CONTAINED,
        Reason.REFUSED_BY_CLUSTER,
    }
    encoded = "bm90LXRvLWJlLXNlZW4="
    assert SECRET not in str(plan) and encoded not in str(plan)
    with pytest.raises(Exception) as caught:
        stage(Stage.PREPARE_TLS, chain)(chain.setup, datetime.now(UTC))
    assert SECRET not in str(caught.value) and encoded not in str(caught.value)
    assert (everything(victim), chain.versions()) == (theirs, versions)
    assert SECRET not in str(everything(chain.space))


def test_chart_that_renders_otherwise_each_time_writes_nothing(chain: Chain, tmp_path: Path) -> None:
    text = hook("ConfigMap", "v1", "", "data: {at: {{ randAlphaNum 9 | quote }}}\n")
    chart = rich_chart.written(tmp_path, poison__yaml=text)
    live_release.install(chain, LOAD_BALANCER, chart=chart)
    versions = chain.versions()
    with pytest.raises(Exception, match="renders differently each time"):
        stage(Stage.PREPARE_TLS, chain)(chain.setup, datetime.now(UTC))
    assert chain.versions() == versions
