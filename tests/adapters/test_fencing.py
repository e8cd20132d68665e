"""No port writes without its fence: every method of every port is known here, as a read or as a write."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from localcloud.kube import KubeApi
from milvus_l7.adapters.dns import cloud_dns
from milvus_l7.adapters.kubernetes import bounds
from milvus_l7.adapters.kubernetes.objects import KubernetesObjects
from milvus_l7.adapters.release import limits
from milvus_l7.adapters.stage_ports import FencedPorts, NothingAhead
from milvus_l7.adapters.verification import probe
from milvus_l7.domain.dns.records import ChangeSet
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import LeaseLost, Unanswered
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.maintenance_window import LEAST_LEFT, SHORTEST
from milvus_l7.ports import (
    Certificates,
    ClusterAccess,
    Connections,
    Deployments,
    DnsZones,
    Endpoint,
    EndpointProbe,
    Frontends,
    KubeObjects,
    ObjectRef,
    Releases,
    Resolver,
    Rollouts,
    StagePorts,
    ValuesChange,
)
from tests.application.stages.test_prepare_tls import release
from tests.builders import TOPOLOGY
from tests.fakes.dns_zones import ZONE, FakeDnsZones
from tests.fakes.endpoint import FakeEndpointProbe
from tests.fakes.ports import FakePorts
from tests.fakes.releases import FakeReleases, ReleaseCluster

Call = Callable[[StagePorts], Any]

META = {"namespace": "default", "name": "a", "uid": "u", "resourceVersion": "2"}
MANIFEST = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": META}
NEW = {**MANIFEST, "metadata": {"namespace": "default", "name": "a"}}
REF = ObjectRef("v1", "ConfigMap", "default", "a")
ENDPOINT = Endpoint("192.0.2.1", "a.io")
CHANGE = ValuesChange({}, "x")
KUBE = (bounds.WRITE_MAY_TAKE_S, bounds.SERVER_S)
HELM = (limits.WRITE_MAY_TAKE_S, limits.SERVER_S)
DNS = (cloud_dns.WRITE_MAY_TAKE_S, cloud_dns.SERVER_S)
DEEP = (probe.DEEP_MAY_TAKE_S, probe.SERVER_S)


def objects(ports: StagePorts) -> KubeObjects:
    return ports.connections.objects("c")


def releases(ports: StagePorts) -> Releases:
    return ports.connections.releases("c", "default")


WRITES: dict[tuple[type, str], tuple[Call, tuple[float, float]]] = {
    (KubeObjects, "apply"): (lambda p: objects(p).apply(NEW), KUBE),
    (KubeObjects, "create"): (lambda p: objects(p).create(NEW), KUBE),
    (KubeObjects, "delete"): (lambda p: objects(p).delete(MANIFEST), KUBE),
    (Releases, "upgrade"): (lambda p: releases(p).upgrade(release(), CHANGE), HELM),
    (Releases, "recover"): (lambda p: releases(p).recover(release()), HELM),
    (DnsZones, "change"): (lambda p: p.zones.change(ZONE, ChangeSet()), DNS),
    (EndpointProbe, "milvus_version"): (lambda p: p.probe.milvus_version(ENDPOINT, deep=True), DEEP),
}
READS: dict[tuple[type, str], Call] = {
    (KubeObjects, "get"): lambda p: objects(p).get(REF),
    (KubeObjects, "list"): lambda p: objects(p).list(REF, {}),
    (KubeObjects, "events"): lambda p: objects(p).events(REF),
    (KubeObjects, "apply, dry"): lambda p: objects(p).apply(NEW, dry_run=True),
    (KubeObjects, "create, dry"): lambda p: objects(p).create(NEW, dry_run=True),
    (Releases, "get"): lambda p: releases(p).get("my-release"),
    (Releases, "names"): lambda p: releases(p).names(),
    (Releases, "elsewhere"): lambda p: releases(p).elsewhere("r"),
    (Releases, "render_upgrade"): lambda p: releases(p).render_upgrade(release(), CHANGE),
    (DnsZones, "suffix"): lambda p: p.zones.suffix(ZONE),
    (DnsZones, "records"): lambda p: p.zones.records(ZONE, "a."),
    (EndpointProbe, "served_certificate"): lambda p: p.probe.served_certificate(ENDPOINT),
    (EndpointProbe, "milvus_version, shallow"): lambda p: p.probe.milvus_version(ENDPOINT, deep=False),
    (EndpointProbe, "plaintext_version"): lambda p: p.probe.plaintext_version("192.0.2.1", 1),
}
# What writes through the ports above, and what never writes.
OTHERS = (Certificates, Connections, Deployments, Rollouts, Frontends, Resolver)


def each(table: dict[tuple[type, str], Any]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", table.values(), ids=[f"{p.__name__}.{n}" for p, n in table])


@dataclass
class RecordingFence:
    """Lets pass, or refuses, and keeps what it was told."""

    refuses: bool = False
    passed: list[float] = field(default_factory=list)
    lost: list[float] = field(default_factory=list)

    def pass_write(self, may_take_s: float) -> None:
        if self.refuses:
            raise LeaseLost("too late")
        self.passed.append(may_take_s)

    def lose_answer(self, limit_s: float) -> None:
        self.lost.append(limit_s)


@dataclass
class World:
    """Ports over fakes, and what was written through them."""

    there: ReleaseCluster = field(default_factory=lambda: ReleaseCluster(helm=FakeReleases([release()])))
    zones: FakeDnsZones = field(default_factory=FakeDnsZones)
    probe: FakeEndpointProbe = field(default_factory=lambda: FakeEndpointProbe("00"))

    def behind(self, fence: RecordingFence) -> StagePorts:
        return FencedPorts(FakePorts(self.there, zones=self.zones, probe=self.probe), fence, NothingAhead())

    def writes(self) -> int:
        deep = [look for look in self.probe.looks if look[1]]
        return self.there.kube.writes + self.there.helm.writes + len(self.zones.changes) + len(deep)


@dataclass
class OneServer:
    """`Connections` to one API server."""

    real: KubernetesObjects

    def objects(self, cluster: str) -> KubernetesObjects:
        return self.real


class Silent:
    """A port, or all of them, that sends whatever it is asked and never gets an answer."""

    connections: Any = property(lambda self: self)
    zones: Any = property(lambda self: self)
    probe: Any = property(lambda self: self)
    objects: Any = property(lambda self: lambda cluster: self)
    releases: Any = property(lambda self: lambda cluster, namespace: self)

    def __getattr__(self, name: str) -> Callable[..., None]:
        def send(*arguments: Any, **options: Any) -> None:
            for begin in filter(callable, arguments):
                begin()
            raise Unanswered(Reason.CLUSTER_UNAVAILABLE, name)

        return send


@pytest.mark.parametrize("port", [KubeObjects, Releases, DnsZones, EndpointProbe])
def test_every_method_of_a_port_is_known_as_a_read_or_as_a_write(port: type) -> None:
    methods = {name for name in vars(port) if not name.startswith("_")}
    assert methods == {name.partition(",")[0] for kind, name in (*WRITES, *READS) if kind is port}


def test_every_port_of_the_stages_is_known() -> None:
    ports = {name for name in vars(StagePorts) if not name.startswith("_")}
    stores = {"plans", "ahead", "dry_run"}  # of ours, or of nothing
    ports -= stores
    built = {"deployments", "rollouts", "frontends"}  # over the connections
    assert ports == {"connections", *built, "zones", "certificates", "probe", "resolver"}
    assert {name for name in vars(Connections) if not name.startswith("_")} == {"objects", "releases"}
    assert len(OTHERS) + len({kind for kind, _ in WRITES}) == len(ports) + 2


@each(WRITES)
def test_fence_that_refuses_keeps_the_write_from_being_sent(case: tuple[Call, Any]) -> None:
    world = World()
    with pytest.raises(LeaseLost):
        case[0](world.behind(RecordingFence(refuses=True)))
    assert world.writes() == 0


@each(WRITES)
def test_write_passes_the_fence_once_with_the_time_that_it_may_take(case: tuple[Call, Any]) -> None:
    world, fence = World(), RecordingFence()
    case[0](world.behind(fence))
    assert (fence.passed, fence.lost) == ([case[1][0]], [])
    assert case[1][0] > case[1][1] > 0


@each(READS)
def test_read_needs_no_lease(case: Call) -> None:
    case(World().behind(RecordingFence(refuses=True)))


@each(WRITES)
def test_lost_answer_is_told_to_the_fence_and_raised(case: tuple[Call, Any]) -> None:
    fence, silent = RecordingFence(), Silent()
    with pytest.raises(Unanswered):
        case[0](FencedPorts(silent, fence, NothingAhead()))  # type: ignore[arg-type]
    assert fence.lost == [case[1][1]]


def test_what_is_built_over_the_ports_writes_through_the_fence() -> None:
    ports = World().behind(RecordingFence(refuses=True))
    assert ports.deployments.connections is ports.connections  # type: ignore[attr-defined]
    assert ports.rollouts.connections is ports.connections  # type: ignore[attr-defined]
    assert ports.frontends.connections is ports.connections  # type: ignore[attr-defined]


@pytest.mark.parametrize("write", ["apply", "create", "delete"])
def test_refused_write_does_not_reach_the_api_server(write: str) -> None:
    with KubeApi() as api:
        token = api.issue_token("us")
        real = KubernetesObjects(ClusterAccess(api.url, api.ca_pem), lambda: token)
        live = real.apply(NEW)
        before = len(api.audit)
        ports = FencedPorts(FakePorts(OneServer(real)), RecordingFence(refuses=True), NothingAhead())
        with pytest.raises(LeaseLost):
            getattr(objects(ports), write)(live)
        assert len(api.audit) == before
        real._connected().close()


def test_every_write_fits_into_the_leases_of_the_functions_that_make_it() -> None:
    upgrade_s = limits.RENDER.time_s + limits.WRITE_MAY_TAKE_S
    for stage in (Stage.PREPARE_TLS, Stage.TEAR_DOWN):
        assert upgrade_s < TOPOLOGY.lease_s(stage)
    for stage in Stage:
        assert TOPOLOGY.lease_s(stage) > 1.5 * bounds.WRITE_MAY_TAKE_S
    for stage in (Stage.CREATE_INGRESS, Stage.TEAR_DOWN):
        assert TOPOLOGY.lease_s(stage) > 1.4 * cloud_dns.WRITE_MAY_TAKE_S
    assert TOPOLOGY.lease_s(Stage.VERIFY_ENDPOINT) > 1.5 * probe.DEEP_MAY_TAKE_S
    assert limits.WRITE.time_s > limits.HOOKS_S


def test_upgrade_that_begins_within_a_maintenance_window_is_written_within_it() -> None:
    assert limits.RENDER.time_s + limits.KILL_S + limits.WRITE_MAY_TAKE_S < LEAST_LEFT.total_seconds()
    assert LEAST_LEFT < SHORTEST / 2
