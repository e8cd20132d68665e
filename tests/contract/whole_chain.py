"""A Milvus release in a namespace of an API server, and every stage through its production adapter.

No controller runs there, so the tests say what controllers would: that a roll-out is complete, and which
address the load balancer has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from localcloud.kube.resources import RESOURCES
from milvus_l7.adapters.certificates.x509 import X509Certificates
from milvus_l7.adapters.kubernetes.objects import KubernetesObjects
from milvus_l7.adapters.release.helm import HelmReleases
from milvus_l7.adapters.release.helm_sdk import sdk
from milvus_l7.application.planning.planner import Planner
from milvus_l7.application.stages import registry
from milvus_l7.domain.planning.chain_plan import ChainPlan
from milvus_l7.domain.setup.chain import SETUP_STAGES, Stage
from milvus_l7.domain.setup.document import Setup, TearDown, service_of
from milvus_l7.domain.setup.facts import Facts
from milvus_l7.domain.setup.outcome import Done, Outcome
from tests.builders import new_setup
from tests.contract.kube_server import Json, Server, Space
from tests.fakes.dns_zones import FakeDnsZones
from tests.fakes.endpoint import FakeEndpointProbe
from tests.fakes.ports import FakePorts, dry_run

CHART = Path(__file__).parents[2] / "localcloud" / "chart" / "milvus"
NAME = "my-release"
SERVICE = f"{NAME}-milvus"
DEPLOYMENT = f"{SERVICE}-standalone"
ADDRESS = "192.0.2.7"
CHOSEN: Json = {
    "service": {"type": "LoadBalancer", "annotations": {"team": "search"}},
    "extraConfigFiles": {"user.yaml": "log: {level: info} # mine\n"},
}
KINDS = {
    "services": "v1",
    "configmaps": "v1",
    "secrets": "v1",
    "deployments": "apps/v1",
    "statefulsets": "apps/v1",
    "jobs": "batch/v1",
    "poddisruptionbudgets": "policy/v1",
    "roles": "rbac.authorization.k8s.io/v1",
    "rolebindings": "rbac.authorization.k8s.io/v1",
    "ingresses": "networking.k8s.io/v1",
    "backendconfigs": "cloud.google.com/v1",
    "managedcertificates": "networking.gke.io/v1",
}
# What the API server keeps itself.
SERVERS_OWN = {"resourceVersion", "managedFields", "generation", "uid", "creationTimestamp"}


@dataclass
class Chain:
    """`Connections` to the namespace, and one setup there."""

    space: Space
    zones: FakeDnsZones = field(default_factory=FakeDnsZones)
    probe: FakeEndpointProbe = field(default_factory=lambda: FakeEndpointProbe("sha"))
    setup: Setup = field(init=False)

    def __post_init__(self) -> None:
        self.setup = new_setup(namespace=self.space.name)

    @property
    def ports(self) -> FakePorts:
        return FakePorts(self, self.zones, X509Certificates(), self.probe, ahead=self)

    def record(self, facts: Facts, *, begins_effect: bool = False) -> None:
        """What is stored before a write, as `WriteAhead` says."""
        self.setup = replace(self.setup, facts=facts)

    @property
    def server(self) -> Server:
        return self.space.server

    def objects(self, cluster: str) -> KubernetesObjects:
        return self.server.objects

    def releases(self, cluster: str, namespace: str) -> HelmReleases:
        return HelmReleases(self.server.objects, namespace)

    def install(self, values: Json | None = None) -> None:
        self.helm("install", CHOSEN if values is None else values)
        self.roll_out()

    def helm(self, verb: str, values: Json) -> None:
        """What a person does with the helm command."""
        with self.helm_config() as config:
            getattr(config, verb)(CHART, NAME, values)

    @contextmanager
    def helm_config(self) -> Iterator[Any]:
        """Helm, as the person who has installed the release."""
        content = self.server.kubeconfig()
        with sdk().Config(kubeconfig_content=content, namespace=self.space.name, qps=100) as config:
            yield config

    def roll_out(self) -> None:
        self.space.roll_out(DEPLOYMENT)

    def address(self, plural: str = "ingresses", group: str = "networking.k8s.io/v1") -> None:
        """What a load balancer's controller would report."""
        status = {"status": {"loadBalancer": {"ingress": [{"ip": ADDRESS}]}}}
        self.space.patch(f"{plural}/{SERVICE}/status", status, group=group)

    def run(self, upto: Stage = SETUP_STAGES[-1]) -> None:
        """The stages that write, up to and with `upto`; the last is what verification takes away."""
        works = registry.planned(self.ports)
        for stage in SETUP_STAGES[: SETUP_STAGES.index(upto) + 1]:
            if stage in works:
                self._work(works[stage])
                self.roll_out()
            elif stage is Stage.VERIFY_ENDPOINT:
                self.ports.frontends.of(self.setup, service_of(self.setup)).retire(datetime.now(UTC))

    def _work(self, work: Any) -> None:
        for _ in range(3):
            outcome = self.note(work(self.setup, datetime.now(UTC)))
            if isinstance(outcome, Done):
                return
            self.roll_out()
            self.address()
        raise AssertionError(outcome)

    def note(self, outcome: Outcome) -> Outcome:
        self.setup = replace(self.setup, facts=outcome.facts or self.setup.facts)
        return outcome

    def tear_down(self, *, restore_l4: bool = True) -> None:
        """The way back, until it is done."""
        self.setup = replace(self.setup, teardown=TearDown(restore_l4))
        for _ in range(5):
            if isinstance(self.tear_down_once(), Done):
                return
            self.roll_out()
            self.address("services", "v1")
        raise AssertionError(self.tear_down_once())

    def tear_down_once(self) -> Outcome:
        work = registry.work(Stage.TEAR_DOWN, self.ports)
        return self.note(work(self.setup, datetime.now(UTC)))

    def plan(self) -> ChainPlan:
        return Planner(dry_run(self.ports), registry.planned).plan(self.setup, datetime.now(UTC))

    def snapshot(self) -> dict[tuple[str, str], Json]:
        """All that people and stages write, without Helm's own records."""
        return {(live["kind"], live["metadata"]["name"]): live for live in self._all()}

    def versions(self) -> dict[str, str]:
        """The version of everything, Helm's own records too."""
        return {
            item["metadata"]["uid"]: item["metadata"]["resourceVersion"]
            for plural, group in KINDS.items()
            for item in self.space.get(plural, group=group).body["items"]
        }

    def _all(self) -> Iterator[Json]:
        kinds = {row.plural: row.kind for row in RESOURCES}
        for plural, group in KINDS.items():
            for item in self.space.get(plural, group=group).body["items"]:
                if item.get("type") != "helm.sh/release.v1":
                    yield {"apiVersion": group, "kind": kinds[plural], **_kept(item)}


def _kept(item: Mapping[str, Any]) -> Json:
    """Without what the server keeps itself; node ports are drawn anew with every change of the type."""
    metadata = {key: value for key, value in item["metadata"].items() if key not in SERVERS_OWN}
    if not metadata.get("annotations"):
        metadata.pop("annotations", None)
    kept = {key: value for key, value in item.items() if key != "status"} | {"metadata": metadata}
    if "ports" in kept.get("spec", {}):
        ports = [{k: v for k, v in port.items() if k != "nodePort"} for port in kept["spec"]["ports"]]
        kept["spec"] = {**kept["spec"], "ports": ports}
        kept["spec"].pop("healthCheckNodePort", None)
    return kept
