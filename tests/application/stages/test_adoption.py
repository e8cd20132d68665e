"""What somebody made by hand is adopted, if it fits and that is asked for, and given back as it was found."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from milvus_l7.application.planning.planner import Planner
from milvus_l7.application.stages import registry
from milvus_l7.domain.kubernetes import adoption
from milvus_l7.domain.planning.chain_plan import ChainPlan
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Conflict, Permanent
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.document import Setup, TearDown
from milvus_l7.domain.setup.facts import Facts
from milvus_l7.domain.setup.outcome import Done, Waiting
from milvus_l7.ports import ObjectRef
from tests.builders import new_setup
from tests.fakes.plaintext_release import PORTS, deployment, named, release
from tests.fakes.ports import FakePorts, dry_run
from tests.fakes.provisioning import FakeCertificates, pair, secret
from tests.fakes.releases import FakeReleases, Killed, ReleaseCluster
from tests.fakes.state import START

Json = dict[str, Any]
SERVICE, CONFIG, DOMAIN = "my-release-milvus", "my-release-backendconfig", "my-release.milvus.io"
TLS_VALUES = {
    "extraConfigFiles": {"user.yaml": "common: {security: {tlsMode: 1}}\nproxy: {http: {port: 8080}}"}
}
ANNOTATIONS = {
    "cloud.google.com/neg": '{"ingress": true}',
    "cloud.google.com/app-protocols": '{"grpc":"HTTP2"}',
    "cloud.google.com/backend-config": f'{{"default": "{CONFIG}"}}',
}
HELD = {"milvus-l7/adopted": "true"}
KINDS = {
    "Service": "v1",
    "Secret": "v1",
    "Ingress": "networking.k8s.io/v1",
    "BackendConfig": "cloud.google.com/v1",
}


def ref(kind: str, name: str) -> ObjectRef:
    return ObjectRef(KINDS[kind], kind, "default", name)


def made(kind: str, name: str, spec: Json, **metadata: Any) -> Json:
    named = {"namespace": "default", "name": name, **metadata}
    return {"apiVersion": KINDS[kind], "kind": kind, "metadata": named, "spec": spec}


def rule(host: str = DOMAIN, name: str = SERVICE, port: int = 19530) -> Json:
    backend = {"service": {"name": name, "port": {"number": port}}}
    return {"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}


def ingress(rules: list[Json] | None = None, spec: Json | None = None, **metadata: Any) -> Json:
    tls = [{"hosts": [DOMAIN], "secretName": f"{SERVICE}-tls"}]
    return made(
        "Ingress",
        SERVICE,
        {"tls": tls, "rules": [rule()] if rules is None else rules, **(spec or {})},
        **metadata,
    )


def config(**spec: Any) -> Json:
    check = {"type": "HTTP", "port": 9091, "requestPath": "/healthz", "checkIntervalSec": 20}
    return made("BackendConfig", CONFIG, {"healthCheck": check, "logging": {"enable": True}, **spec})


@dataclass
class World:
    """A release with TLS already, and all objects of the usual guide, made by hand."""

    there: ReleaseCluster = field(default_factory=ReleaseCluster)
    setup: Setup = field(default_factory=lambda: new_setup(adopt=True))

    def __post_init__(self) -> None:
        self.there.helm = FakeReleases([release(values=TLS_VALUES)])
        live = named("Service", SERVICE, spec={"ports": PORTS, "type": "ClusterIP"})
        live["metadata"]["annotations"] = dict(ANNOTATIONS)
        for each in (live, deployment(1), config(), ingress(), secret(pair(5))):
            self.put(each)

    def put(self, manifest: Json) -> None:
        self.there.kube.put(manifest, "kubectl-create")

    def record(self, facts: Facts, *, begins_effect: bool = False) -> None:
        self.setup = replace(self.setup, facts=facts)

    @property
    def ports(self) -> FakePorts:
        return FakePorts(self.there, certificates=FakeCertificates(), ahead=self)

    def plan(self) -> ChainPlan:
        return Planner(dry_run(self.ports), registry.planned).plan(self.setup, START)

    def run(self) -> None:
        for work in registry.planned(self.ports).values():
            outcome = work(self.setup, START)
            assert isinstance(outcome, Done) or outcome.reason is Reason.ADDRESS_PENDING
            self.record(outcome.facts or self.setup.facts)

    def tear_down(self) -> None:
        self.setup = replace(self.setup, teardown=TearDown())
        outcome: Any = Waiting(Reason.ADDRESS_PENDING, "")
        while isinstance(outcome, Waiting):
            outcome = registry.work(Stage.TEAR_DOWN, self.ports)(self.setup, START)
        assert isinstance(outcome, Done)
        self.record(outcome.facts or self.setup.facts)

    def contents(self) -> dict[tuple[str, str], Json]:
        return {(r.kind, r.name): _content(live) for r, live in self.there.kube.stored.items()}

    def labels(self, kind: str, name: str) -> Json:
        return self.there.kube.stored[ref(kind, name)]["metadata"].get("labels", {})


def _content(live: Json) -> Json:
    metadata = {k: v for k, v in live["metadata"].items() if k != "resourceVersion" and v}
    return {**live, "metadata": metadata}


def test_what_fits_is_adopted_recorded_and_given_back() -> None:
    world = World()
    before = world.contents()
    world.run()
    assert [(each.kind, each.name) for each in world.setup.facts.adopted] == [
        ("BackendConfig", CONFIG),
        ("Secret", f"{SERVICE}-tls"),
        ("Ingress", SERVICE),
    ]
    assert world.labels("Ingress", SERVICE) == world.labels("BackendConfig", CONFIG) == HELD
    spec = world.there.kube.stored[ref("BackendConfig", CONFIG)]["spec"]
    assert (spec["timeoutSec"], spec["healthCheck"]["checkIntervalSec"]) == (3600, 20)
    assert world.setup.facts.certificate is not None
    assert world.setup.facts.certificate.sha256 == "sha-5"
    world.tear_down()
    assert world.contents() == before
    assert world.setup.facts.adopted == ()


def test_no_other_backend_config_is_made_and_the_annotations_stay() -> None:
    world = World()
    world.run()
    kinds = [each.kind for each in world.there.kube.stored]
    assert kinds.count("BackendConfig") == 1
    assert world.there.kube.stored[ref("Service", SERVICE)]["metadata"]["annotations"] == ANNOTATIONS


def test_plan_names_what_changes_hands_and_the_second_is_empty() -> None:
    world = World()
    plan = world.plan()
    assert plan.fault is None
    assert [note.partition(":")[0] for note in plan.notes] == [
        f"adopts BackendConfig default/{CONFIG}",
        f"adopts Ingress default/{SERVICE}",
        f"adopts Secret default/{SERVICE}-tls",
    ]
    world.run()
    again, writes = world.plan(), world.there.kube.writes
    assert (again.changes, again.notes, again.fault) == ((), (), None)
    world.run()
    assert world.there.kube.writes == writes


def test_record_holds_no_key_and_only_the_fields_that_we_set() -> None:
    world = World()
    world.run()
    told = {each.kind: each.found for each in world.setup.facts.adopted}
    assert told["Secret"] == ""
    assert "key-5" not in str(world.setup)
    assert json.loads(told["BackendConfig"]) == [
        [["spec", "healthCheck", "type"], "HTTP"],
        [["spec", "healthCheck", "port"], 9091],
        [["spec", "healthCheck", "requestPath"], "/healthz"],
        [["spec", "timeoutSec"], None],
    ]


@pytest.mark.parametrize("missing", ["BackendConfig", "Ingress", "Secret"])
def test_without_leave_each_is_refused_by_name_before_any_write(missing: str) -> None:
    world = World(setup=new_setup())
    name = {"Ingress": SERVICE, "Secret": f"{SERVICE}-tls", "BackendConfig": f"{SERVICE}-backendconfig"}[
        missing
    ]
    if missing == "BackendConfig":
        world.put(made("BackendConfig", name, {"timeoutSec": 30}))
    if missing == "Ingress":
        del world.there.kube.stored[ref("Secret", f"{SERVICE}-tls")]
    fault = world.plan().fault
    assert fault is not None
    assert fault.reason in (Reason.OBJECT_NOT_OURS, Reason.SECRET_NOT_OURS)
    assert f"{missing} {name}" in fault.message
    assert '"adopt": true' in fault.reason.remedy
    assert world.there.kube.writes == 0


def owned(manifest: Json, **metadata: Any) -> Json:
    return {**manifest, "metadata": {**manifest["metadata"], **metadata}}


UNFIT: dict[str, tuple[Callable[[], Json], str]] = {
    "another service": (lambda: ingress([rule(name="other")]), "leads to other:19530"),
    "another port": (lambda: ingress([rule(port=9091)]), "leads to my-release-milvus:9091"),
    "another host too": (lambda: ingress([rule(), rule("old.io")]), "old.io"),
    "every host": (lambda: ingress([{k: v for k, v in rule().items() if k != "host"}]), "every host"),
    "no rule": (lambda: ingress([]), f"no rule for {DOMAIN}"),
    "default backend": (lambda: ingress(spec={"defaultBackend": {"resource": {}}}), "no Service"),
    "class name": (lambda: ingress(spec={"ingressClassName": "nginx"}), "nginx"),
    "internal": (
        lambda: ingress(annotations={"kubernetes.io/ingress.class": "gce-internal"}),
        "gce-internal",
    ),
    "owner": (lambda: ingress(ownerReferences=[{"kind": "Gateway", "name": "g"}]), "owned by Gateway g"),
    "helm": (lambda: ingress(labels={"app.kubernetes.io/managed-by": "Helm"}), "managed by Helm"),
    "release": (lambda: owned(config(), annotations={"meta.helm.sh/release-name": "r"}), "Helm release r"),
    "too large": (lambda: ingress([rule()] * 400), "given back"),
    "secret of another domain": (lambda: secret(pair(5, domain="other.io")), "do not cover"),
    "secret without its key": (lambda: secret(pair(5), data={}), "tls.key"),
    "secret of a controller": (
        lambda: owned(secret(pair(5)), ownerReferences=[{"kind": "Certificate", "name": "c"}]),
        "owned by Certificate c",
    ),
}


@pytest.mark.parametrize(("spoilt", "words"), UNFIT.values(), ids=UNFIT)
def test_what_does_not_fit_is_refused_with_the_reason_though_asked_for(
    spoilt: Callable[[], Json], words: str
) -> None:
    world = World()
    world.put(spoilt())
    fault = world.plan().fault
    assert fault is not None
    assert (fault.reason, words in fault.message) == (Reason.NOT_ADOPTABLE, True), fault.message
    assert world.there.kube.writes == 0


def test_backend_config_of_two_services_is_refused() -> None:
    world = World()
    other = named("Service", "other", spec={"ports": PORTS})
    other["metadata"] |= {
        "annotations": {"cloud.google.com/backend-config": f'{{"ports":{{"x":"{CONFIG}"}}}}'}
    }
    other["metadata"]["labels"] = {}
    world.put(other)
    fault = world.plan().fault
    assert fault is not None
    assert (fault.reason, "Service other" in fault.message) == (Reason.NOT_ADOPTABLE, True)


def test_tear_down_of_a_later_generation_gives_back_what_was_found_first() -> None:
    world = World()
    before = world.contents()
    world.run()
    later = replace(world.setup.desired, domain="new.milvus.io", adopt=False, backend_timeout_s=60)
    world.setup = replace(world.setup, desired=later)
    world.run()
    assert world.setup.facts.certificate is not None
    assert world.setup.facts.certificate.secret == f"{SERVICE}-tls-2"
    world.tear_down()
    assert world.contents() == before


class DyingObjects:
    """Ends the process before or after one write to the cluster."""

    def __init__(self, real: Any, at: int, *, is_made: bool) -> None:
        self.real, self.at, self.is_made = real, at, is_made

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def _counted(self, write: Callable[[], Any]) -> Any:
        self.at -= 1
        if self.at == 0 and not self.is_made:
            raise Killed
        made = write()
        if self.at == 0:
            raise Killed
        return made

    def apply(self, manifest: Any, *, dry_run: bool = False, **options: Any) -> Any:
        def write() -> Any:
            return self.real.apply(manifest, dry_run=dry_run, **options)

        return write() if dry_run else self._counted(write)


@pytest.mark.parametrize("is_made", [True, False])
def test_killed_at_any_write_all_is_given_back(is_made: bool) -> None:
    for at in range(1, 20):
        world = World()
        before, kube = world.contents(), world.there.kube
        world.there.kube = DyingObjects(kube, at, is_made=is_made)  # type: ignore[assignment]
        try:
            world.run()
            world.tear_down()
        except Killed:
            world.there.kube = kube
            world.tear_down()
        assert world.contents() == before
        if world.there.kube is not kube:
            assert at > 3
            return
    raise AssertionError("it never came to its end")


def test_second_tear_down_writes_nothing() -> None:
    world = World()
    world.run()
    known = world.setup
    world.tear_down()
    writes, world.setup = world.there.kube.writes, known
    world.tear_down()
    assert world.there.kube.writes == writes


def test_without_its_record_an_adopted_object_stays_as_it_is_without_our_label() -> None:
    world = World()
    world.run()
    world.record(replace(world.setup.facts, adopted=()))
    world.tear_down()
    left = world.there.kube.stored[ref("Ingress", SERVICE)]
    assert (left["spec"]["rules"], left["metadata"].get("labels", {})) == ([rule()], {})


def test_object_that_is_made_between_the_look_and_the_write_is_left_alone() -> None:
    world = World()
    world.run()
    frontend = world.ports.frontends.of(world.setup, world.setup.facts.service)  # type: ignore[arg-type]
    world.put(ingress(uid="another"))
    with pytest.raises(Conflict):
        frontend.expose(START)


def test_repair_of_an_adopted_object_keeps_the_first_record() -> None:
    world = World()
    world.run()
    first, live = world.setup.facts.adopted, world.there.kube.stored[ref("Ingress", SERVICE)]
    world.put({**live, "metadata": {**live["metadata"], "labels": {}}})
    world.run()
    assert world.setup.facts.adopted == first
    assert world.labels("Ingress", SERVICE) == HELD


def test_long_names_of_claims_are_cut() -> None:
    live = ingress(labels={"app.kubernetes.io/managed-by": "x" * 5000})
    with pytest.raises(Permanent) as refused:
        adoption.refuse_unfit(live, None)
    assert len(refused.value.message) < 300
