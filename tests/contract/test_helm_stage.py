"""The stage prepare_tls through the production adapters, against an API server."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from milvus_l7.adapters.kubernetes.objects import KubernetesObjects
from milvus_l7.adapters.release.helm import HelmReleases
from milvus_l7.adapters.release.helm_sdk import sdk
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.facts import Facts, ServiceFacts
from milvus_l7.domain.setup.outcome import Done
from tests.builders import new_setup
from tests.contract.kube_server import USERS, Server, Space, fresh_space, server_under_test  # noqa: F401 (fixtures)
from tests.fakes.ports import stage

CHART = Path(__file__).parents[2] / "localcloud" / "chart" / "milvus"
NAME = "my-release"
CHOSEN = {
    "service": {"type": "LoadBalancer"},
    "extraConfigFiles": {"user.yaml": "log: {level: info} # mine\n"},
}


@dataclass(frozen=True)
class OneServer:
    """`Connections` to the server under test."""

    server: Server

    def objects(self, cluster: str) -> KubernetesObjects:
        return self.server.objects

    def releases(self, cluster: str, namespace: str) -> HelmReleases:
        return HelmReleases(self.server.objects, namespace)


@dataclass
class Ahead:
    """Keeps what is stored before something is written."""

    stored: list[Facts] = field(default_factory=list)

    def record(self, facts: Facts, *, begins_effect: bool = False) -> None:
        assert begins_effect
        self.stored.append(facts)


def versions(space: Space) -> dict[str, str]:
    """The version of everything in the namespace that the stage could write."""
    kinds = [(kind, "v1") for kind in ("secrets", "services", "configmaps")] + [("deployments", "apps/v1")]
    return {
        item["metadata"]["uid"]: item["metadata"]["resourceVersion"]
        for kind, group in kinds
        for item in space.get(kind, group=group).body["items"]
    }


def test_release_is_upgraded_and_then_left_alone(space: Space) -> None:
    with sdk().Config(kubeconfig_content=space.server.kubeconfig(), namespace=space.name) as helm:
        helm.install(CHART, NAME, CHOSEN)
    ahead, setup = Ahead(), new_setup(namespace=space.name)
    work = stage(Stage.PREPARE_TLS, OneServer(space.server), ahead=ahead)
    first = work(setup, datetime.now(UTC))
    assert isinstance(first, Done)
    text = space.get("configmaps", f"{NAME}-milvus").body["data"]["user.yaml"]
    assert "log: {level: info} # mine" in text
    assert "tlsMode: 1" in text
    before = versions(space)
    # As after a kill, the setup has what was stored ahead of the first change, and no result.
    second = work(replace(setup, facts=ahead.stored[0]), datetime.now(UTC))
    assert isinstance(second, Done)
    assert second.facts is not None
    assert second.facts.service == ServiceFacts(f"{NAME}-milvus", "milvus", 19530)
    assert first.facts is not None
    assert second.facts.before == first.facts.before
    assert second.facts.before is not None
    assert second.facts.before.live_type == "LoadBalancer"
    unknown = work(setup, datetime.now(UTC))
    assert isinstance(unknown, Done)
    assert unknown.facts is not None
    assert unknown.facts.before == replace(second.facts.before, live_type=None, live_fields={})
    assert len(ahead.stored) == 1
    assert versions(space) == before
