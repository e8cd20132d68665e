"""What drift checks cost: time, memory, Kubernetes requests, and Firestore reads and writes, for many setups.

Production adapters against the emulators; nothing has drifted. The stages set one release up; a copy of it in
a namespace of its own stands for each setup, with the same certificate. Two processes check, as two instances
of the function would. The emulators are in a third and share the cores, so their time is in all times. The
emulated API server sorts all objects of a kind for each list, where a real one reads an index; the last
column is the time of a list alone.

The load balancer and public DNS are fakes that answer at once: a thousand real ones cannot be had. What they
add to a check is in `warm stage`, row `verify_endpoint`.
"""

from __future__ import annotations

import base64
import gzip
import json
import multiprocessing
import os
import re
import statistics
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from google.pubsub_v1 import PublisherClient

from localcloud.firestore import FirestoreEmulator
from localcloud.kube import KubeApi
from localcloud.kube.resources import RESOURCES, Resource
from localcloud.pubsub import PubSubEmulator
from milvus_l7.adapters.certificates.x509 import X509Certificates
from milvus_l7.adapters.kubernetes.objects import KubernetesObjects
from milvus_l7.adapters.release.helm import HelmReleases
from milvus_l7.adapters.setup import documents
from milvus_l7.adapters.setup.firestore import FirestoreSetups
from milvus_l7.adapters.setup.pubsub import PubSubEvents
from milvus_l7.application.drift.check_drift import CheckDrift
from milvus_l7.application.engine.outbox import Outbox
from milvus_l7.bootstrap import SystemClock
from milvus_l7.domain.frontend import backend_health
from milvus_l7.domain.setup import event as events
from milvus_l7.domain.setup.chain import SETUP_STAGES
from milvus_l7.domain.setup.desired import SetupId
from milvus_l7.domain.setup.document import Setup, StageRecord, StageState
from milvus_l7.domain.setup.drift_report import Verdict
from milvus_l7.ports import ClusterAccess, ObjectRef, Resolved
from tests.builders import TOPOLOGY, new_setup
from tests.contract.kube_server import USERS, Json, Server, Space
from tests.contract.whole_chain import ADDRESS, SERVICE, Chain
from tests.fakes.endpoint import FakeEndpointProbe
from tests.fakes.ports import FakePorts, dry_run
from tests.fakes.resolver import FakeResolver

SCALES = (100, 1_000)
PROCESSES = 2
FIRST = "bench-first"  # the namespace of the release that is copied
NEG = "k8s1-0123abcd-bench-my-release-milvus-19530-89abcdef"
HELM = "helm.sh/release.v1"
LISTS = 20  # of which the time is taken


@dataclass(frozen=True, slots=True)
class Row:
    """All setups checked once; everything but `seconds` and `MiB` is for each setup."""

    seconds: float
    ms: float  # median
    MiB: float  # peak of a checking process
    reads: float
    dry: float
    writes: float
    fs_reads: float
    fs_writes: float
    list_ms: float


@dataclass(frozen=True, slots=True)
class Cluster:
    """`Connections` to one API server, the client kept, as `ClusterConnections` does."""

    kube: KubernetesObjects

    @classmethod
    def at(cls, url: str, ca_pem: str, token: str) -> Cluster:
        return cls(KubernetesObjects(ClusterAccess(url, ca_pem), lambda: token))

    def objects(self, cluster: str) -> KubernetesObjects:
        return self.kube

    def releases(self, cluster: str, namespace: str) -> HelmReleases:
        return HelmReleases(self.kube, namespace)


@dataclass(frozen=True, slots=True)
class World:
    """The emulators with all setups in them."""

    api: KubeApi
    server: Server
    firestore: FirestoreEmulator

    @property
    def way(self) -> tuple[str, str, str]:
        return self.server.url, self.server.ca_pem, self.server.tokens[USERS[0]]


@dataclass(frozen=True, slots=True)
class Checked:
    """What a process tells of one check."""

    verdict: str
    ms: float
    peak_mib: float


@contextmanager
def emulators() -> Iterator[World]:
    """All three, Firestore and Pub/Sub named in the environment."""
    with KubeApi() as api, FirestoreEmulator() as firestore, PubSubEmulator() as pubsub:
        os.environ["FIRESTORE_EMULATOR_HOST"] = firestore.address
        os.environ["PUBSUB_EMULATOR_HOST"] = pubsub.address
        server = Server(api.url, api.ca_pem, {USERS[0]: api.issue_token(USERS[0])}, is_real=False)
        try:
            yield World(api, server, firestore)
        finally:
            server.close()
            del os.environ["FIRESTORE_EMULATOR_HOST"], os.environ["PUBSUB_EMULATOR_HOST"]


def first_setup(world: World) -> Setup:
    """A release that the stages have set up, and what GKE's controllers report of a healthy load balancer."""
    world.server.call("POST", "/api/v1/namespaces", {"metadata": {"name": FIRST}})
    chain = Chain(Space(world.server, FIRST))
    chain.install()
    chain.run()
    service = chain.setup.facts.service
    assert service is not None
    groups = {"network_endpoint_groups": {str(service.port): NEG}, "zones": ["us-central1-a"]}
    annotate(chain, "services", "v1", {backend_health.NEG_STATUS: groups})
    annotate(
        chain, "ingresses", "networking.k8s.io/v1", {backend_health.REPORT: {NEG: backend_health.HEALTHY}}
    )
    done = {stage: StageRecord(StageState.DONE) for stage in SETUP_STAGES}
    return replace(chain.setup, stages=done, verified_at=datetime.now(UTC))


def annotate(chain: Chain, plural: str, group: str, values: Json) -> None:
    """Write annotations as a controller does."""
    body = {"metadata": {"annotations": {key: json.dumps(value) for key, value in values.items()}}}
    answer = chain.space.patch(f"{plural}/{SERVICE}", body, group=group, fieldManager="glbc")
    assert answer.code == 200, answer.body


def fill(world: World, first: Setup, names: Sequence[str]) -> list[SetupId]:
    """A copy of the first setup in each of the namespaces, due now."""
    client, setups, now = FirestoreSetups("bench"), [], datetime.now(UTC)
    kinds = [(kind, each) for kind in RESOURCES for each in world.api.store.items(kind, FIRST)]
    for name in names:
        copy_objects(world.api, kinds, name)
        known = replace(new_setup(namespace=name), facts=first.facts, stages=first.stages)
        setups.append(replace(known, verified_at=first.verified_at, check_at=now))
    for start in range(0, len(setups), 250):
        batch = client._client.batch()
        for setup in setups[start : start + 250]:
            batch.set(client._setup(setup.setup_id), documents.to_document(setup))
        batch.commit()
    return [setup.setup_id for setup in setups]


def copy_objects(api: KubeApi, kinds: Sequence[tuple[Resource, Json]], namespace: str) -> None:
    """The objects with their managers' fields, in another namespace."""
    for kind, each in kinds:
        metadata = {**each["metadata"], "namespace": namespace, "uid": str(uuid.uuid4())}
        copied = {**each, "metadata": metadata}
        if each.get("type") == HELM:
            copied["data"] = {"release": moved(each["data"]["release"], namespace)}
        api.store.put(kind, copied)


def moved(stored: str, namespace: str) -> str:
    """Helm's record of a release, as if it had been installed in the namespace."""
    content = json.loads(gzip.decompress(base64.b64decode(base64.b64decode(stored))))
    packed = gzip.compress(json.dumps({**content, "namespace": namespace}).encode(), compresslevel=1)
    return base64.b64encode(base64.b64encode(packed)).decode()


def use_case(way: tuple[str, str, str], sha256: str, domain: str) -> CheckDrift:
    """As `bootstrap.check_drift` wires it, but for the data plane."""
    ports = FakePorts(
        Cluster.at(*way),
        certificates=X509Certificates(),
        probe=FakeEndpointProbe(sha256),
        resolver=FakeResolver({domain: Resolved((ADDRESS,))}),
    )
    outbox = Outbox(FirestoreSetups("bench"), PubSubEvents("bench", TOPOLOGY.rejected_topic))
    return CheckDrift(outbox, SystemClock(), TOPOLOGY, dry_run(ports))


_CHECK: list[Callable[[SetupId], Checked]] = []  # of this process


def begin(arguments: tuple[Any, ...], warm_up: SetupId, ready: Any) -> None:
    """Make a process ready, as a function's instance is after its first event."""
    sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 (the journal's, until the process ends)
    case = use_case(*arguments)
    replace(case, pace_scale=0.0).check(warm_up)  # each process checks the same setup, at once

    def check(setup_id: SetupId) -> Checked:
        started = time.perf_counter()
        report = case.check(setup_id)
        ms = (time.perf_counter() - started) * 1000
        words = str(report.verdict) if report and report.verdict is Verdict.HEALTHY else str(report)
        return Checked(words, ms, peak_mib())

    _CHECK.append(check)
    ready.wait()


def check(setup_id: SetupId) -> Checked:
    """One check in a process that has begun."""
    return _CHECK[0](setup_id)


def peak_mib() -> float:
    """Of this process alone; `getrusage` would tell the parent's peak if that was higher."""
    found = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


def measure(count: int) -> Row:
    """That many setups, asked for by a tick, then each checked once."""
    with emulators() as world:
        first = first_setup(world)
        warm_up, *ids = fill(world, first, [f"bench-{number:05}" for number in range(count + 1)])
        assert first.facts.certificate is not None
        arguments = (world.way, first.facts.certificate.sha256, first.desired.domain)
        topic = f"projects/bench/topics/{TOPOLOGY.functions[events.CHECKED].trigger}"
        PublisherClient().create_topic(name=topic)
        assert use_case(*arguments).tick().count == count + 1
        context = multiprocessing.get_context("spawn")
        ready = context.Barrier(PROCESSES + 1)
        with context.Pool(PROCESSES, begin, (arguments, warm_up, ready)) as pool:
            ready.wait(60)
            skip, before, started = len(world.api.audit), world.firestore.counts, time.perf_counter()
            checked = pool.map(check, ids, chunksize=1)
            seconds = time.perf_counter() - started
        after, requests = world.firestore.counts, world.api.audit.records()[skip:]
        assert {each.verdict for each in checked} == {str(Verdict.HEALTHY)}, checked[0]
        return Row(
            seconds=seconds,
            ms=statistics.median(each.ms for each in checked),
            MiB=max(each.peak_mib for each in checked),
            reads=sum(not each.is_write and not each.dry_run for each in requests) / count,
            dry=sum(each.dry_run for each in requests) / count,
            writes=sum(each.is_write for each in requests) / count,
            fs_reads=(after.reads - before.reads) / count,
            fs_writes=(after.writes - before.writes) / count,
            list_ms=list_ms(world),
        )


def list_ms(world: World) -> float:
    """How long a list of one namespace's ConfigMaps takes, when nothing else runs."""
    kube, spans = Cluster.at(*world.way).kube, []
    for _ in range(LISTS):
        started = time.perf_counter()
        kube.list(ObjectRef("v1", "ConfigMap", FIRST), {})
        spans.append((time.perf_counter() - started) * 1000)
    return statistics.median(spans)


def show() -> None:
    """Print the table."""
    heads = ("drift checks: setups", *(each.name for each in fields(Row)))
    print(
        f"\n{PROCESSES} processes; load balancer and DNS are fakes, for theirs see warm stage verify_endpoint"
    )
    print("{:>24} {:>7} {:>6} {:>6} {:>6} {:>6} {:>6} {:>8} {:>9} {:>8}".format(*heads))
    rows = [measure(count) for count in SCALES]
    for count, row in zip(SCALES, rows, strict=True):
        figures = (getattr(row, each.name) for each in fields(Row))
        line = "{:24,} {:7.1f} {:6.1f} {:6.0f} {:6.2f} {:6.2f} {:6.2f} {:8.2f} {:9.2f} {:8.1f}"
        print(line.format(count, *figures))
    ratio = rows[-1].seconds / rows[0].seconds
    print(f"{SCALES[-1] / SCALES[0]:.0f} times the setups take {ratio:.1f} times as long")


if __name__ == "__main__":
    show()
