"""What stages rely on from `KubeObjects`, whoever implements it."""

from __future__ import annotations

import os
import socket
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from milvus_l7.adapters.kubernetes.apply import ApplyRequest, plan, write
from milvus_l7.adapters.kubernetes.objects import KubernetesObjects
from milvus_l7.domain.certificates import certificate_objects
from milvus_l7.domain.frontend import ingress_objects
from milvus_l7.domain.frontend.ingress_objects import Attachments
from milvus_l7.domain.kubernetes.difference import difference
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Conflict, Permanent, Transient
from milvus_l7.domain.setup.facts import ServiceFacts
from milvus_l7.ports import ClusterAccess, KubeObjects, ObjectRef
from tests.builders import desired
from tests.contract import kube_server
from tests.contract.kube_server import Server
from tests.fakes.kube_objects import FakeKubeObjects

NAMESPACE = "default"
ASSETS = "KUBEBUILDER_ASSETS"
THEM = "somebody"


@dataclass
class World:
    """The implementation under test, and a way to write as somebody else."""

    objects: KubeObjects
    put: Callable[[dict[str, Any]], object]


def ref_of(manifest: dict[str, Any]) -> ObjectRef:
    return ObjectRef(manifest["apiVersion"], manifest["kind"], NAMESPACE, manifest["metadata"]["name"])


def put_by(client: KubernetesObjects) -> Callable[[dict[str, Any]], None]:
    """Creates or replaces objects under another field manager's name, as kubectl or Helm would."""

    def put(manifest: dict[str, Any]) -> None:
        ref, verb = ref_of(manifest), "PUT"
        if client.get(ref) is None:
            ref, verb = replace(ref, name=""), "POST"
        answer = client._send(verb, ref, [("fieldManager", THEM)], manifest)
        assert answer.is_success, answer

    return put


@contextmanager
def world_at(server: Server) -> Iterator[World]:
    access = ClusterAccess(server.url, server.ca_pem)
    ours, theirs = (KubernetesObjects(access, lambda token=t: token) for t in server.tokens.values())
    yield World(ours, put_by(theirs))
    for client in (ours, theirs):
        client._connected().close()  # before the server ends, which would otherwise have to cut it off


@pytest.fixture(scope="module")
def emulator() -> Iterator[World]:
    with kube_server.emulated() as server, world_at(server) as world:
        yield world


@pytest.fixture(scope="module")
def real() -> Iterator[World]:
    if ASSETS not in os.environ:
        pytest.skip(f"{ASSETS} is not set")
    with kube_server.real(Path(os.environ[ASSETS])) as server, world_at(server) as world:
        yield world


@pytest.fixture(params=["fake", "emulator", "real"])
def world(request: pytest.FixtureRequest) -> World:
    if request.param == "fake":
        fake = FakeKubeObjects()
        return World(fake, fake.put)
    return request.getfixturevalue(request.param)


@pytest.fixture
def name() -> str:
    return f"t-{uuid4().hex[:10]}"


def config_map(name: str, **more: Any) -> dict[str, Any]:
    data = more.pop("data", {"a": "1"})
    metadata = {"namespace": NAMESPACE, "name": name, **more}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def service(name: str, **annotations: str) -> dict[str, Any]:
    metadata = {"namespace": NAMESPACE, "name": name, "annotations": annotations}
    ports = [{"name": "milvus", "port": 19530, "protocol": "TCP", "targetPort": 19530}]
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": ports}}


def partial(name: str, **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"namespace": NAMESPACE, "name": name, **metadata},
    }


def version(world: World, manifest: dict[str, Any]) -> str:
    live = world.objects.get(ref_of(manifest))
    assert live is not None
    return str(live["metadata"]["resourceVersion"])


def test_an_object_that_does_not_exist_is_none(world: World, name: str) -> None:
    assert world.objects.get(ObjectRef("v1", "ConfigMap", NAMESPACE, name)) is None


def test_an_applied_object_can_be_read(world: World, name: str) -> None:
    applied = world.objects.apply(config_map(name))
    found = world.objects.get(ref_of(config_map(name)))
    assert found is not None
    assert found["data"] == applied["data"] == {"a": "1"}


def test_applying_again_writes_nothing(world: World, name: str) -> None:
    world.objects.apply(config_map(name))
    before = version(world, config_map(name))
    world.objects.apply(config_map(name))
    assert version(world, config_map(name)) == before


def test_a_dry_run_answers_and_stores_nothing(world: World, name: str) -> None:
    assert world.objects.apply(config_map(name), dry_run=True)["data"] == {"a": "1"}
    assert world.objects.get(ref_of(config_map(name))) is None


def test_a_dry_run_after_an_apply_differs_in_nothing(world: World, name: str) -> None:
    world.objects.apply(config_map(name))
    live = world.objects.get(ref_of(config_map(name)))
    assert difference(live, world.objects.apply(config_map(name), dry_run=True)) == ()


def test_a_field_that_is_no_longer_applied_is_removed(world: World, name: str) -> None:
    world.objects.apply(config_map(name, data={"a": "1", "b": "2"}))
    assert world.objects.apply(config_map(name))["data"] == {"a": "1"}


def test_what_others_own_survives_a_partial_apply(world: World, name: str) -> None:
    world.put(service(name, theirs="kept"))
    applied = world.objects.apply(partial(name, annotations={"ours": "new"}))
    assert applied["metadata"]["annotations"] == {"theirs": "kept", "ours": "new"}
    assert applied["spec"]["ports"][0]["port"] == 19530


def test_another_value_of_a_field_that_others_own_is_a_conflict_naming_both(world: World, name: str) -> None:
    world.put(config_map(name, data={"a": "theirs"}))
    with pytest.raises(Permanent, match=r"data\.a.*somebody") as refused:
        world.objects.apply(config_map(name))
    assert refused.value.reason is Reason.FIELD_CONFLICT


def test_a_dry_run_finds_the_conflict_too(world: World, name: str) -> None:
    world.put(config_map(name, data={"a": "theirs"}))
    with pytest.raises(Permanent, match=THEM):
        world.objects.apply(config_map(name), dry_run=True)


def test_the_same_value_is_no_conflict(world: World, name: str) -> None:
    world.put(config_map(name))
    assert world.objects.apply(config_map(name))["data"] == {"a": "1"}


def test_force_takes_a_field_over(world: World, name: str) -> None:
    world.put(config_map(name, data={"a": "theirs"}))
    assert world.objects.apply(config_map(name), force=True)["data"] == {"a": "1"}
    assert world.objects.apply(config_map(name, data={"a": "3"}))["data"] == {"a": "3"}


def test_an_apply_onto_an_older_version_is_refused_for_now(world: World, name: str) -> None:
    world.put(service(name, theirs="old"))
    old = version(world, service(name))
    world.objects.apply(partial(name, annotations={"ours": "1"}))
    stale = partial(name, resourceVersion=old, annotations={"ours": "2"})
    for dry_run in (True, False):
        with pytest.raises(Conflict) as refused:
            world.objects.apply(stale, dry_run=dry_run, force=True)
        assert refused.value.reason is Reason.CLUSTER_UNAVAILABLE


def test_an_apply_onto_the_present_version_is_taken_and_can_be_repeated(world: World, name: str) -> None:
    world.put(service(name, theirs="old"))
    manifest = partial(name, resourceVersion=version(world, service(name)), annotations={"ours": "1"})
    applied = world.objects.apply(manifest, force=True)
    again = partial(name, resourceVersion=applied["metadata"]["resourceVersion"], annotations={"ours": "1"})
    assert difference(applied, world.objects.apply(again, dry_run=True)) == ()


def changed(world: World, live: Any) -> None:
    world.put(config_map(live["metadata"]["name"], data={"theirs": "1"}))


def deleted(world: World, live: Any) -> None:
    world.objects.delete(live)


def replaced(world: World, live: Any) -> None:
    deleted(world, live)
    world.put(config_map(live["metadata"]["name"], data={"theirs": "1"}))


@pytest.mark.parametrize("meanwhile", [changed, deleted, replaced])
def test_apply_onto_what_was_read_leaves_anything_else_alone(
    world: World, name: str, meanwhile: Callable[[World, Any], None]
) -> None:
    read = world.objects.apply(config_map(name))
    meanwhile(world, read)
    before = world.objects.get(ref_of(read))
    with pytest.raises(Conflict) as refused:
        write(world.objects, ApplyRequest(read, config_map(name, data={"a": "2"}), force=True))
    assert refused.value.reason is Reason.CLUSTER_UNAVAILABLE
    assert world.objects.get(ref_of(read)) == before


def test_apply_onto_what_was_read_is_taken(world: World, name: str) -> None:
    read = world.objects.apply(config_map(name))
    write(world.objects, ApplyRequest(read, config_map(name, data={"a": "2"})))
    found = world.objects.get(ref_of(read))
    assert found is not None
    assert (found["data"], found["metadata"]["uid"]) == ({"a": "2"}, read["metadata"]["uid"])


@pytest.mark.parametrize("force", [True, False])
def test_what_is_to_be_made_is_not_merged_into_what_somebody_else_made(
    world: World, name: str, force: bool
) -> None:
    target = ApplyRequest(None, config_map(name, labels={"ours": "yes"}), force=force)
    assert plan(world.objects, target)
    world.put(config_map(name, data={"a": "theirs"}))
    before = world.objects.get(ref_of(config_map(name)))
    with pytest.raises(Conflict):
        write(world.objects, target)
    assert world.objects.get(ref_of(config_map(name))) == before


def test_what_is_to_be_made_is_made_and_owned_as_applied(world: World, name: str) -> None:
    write(world.objects, ApplyRequest(None, config_map(name)))
    assert world.objects.apply(config_map(name, data={"b": "2"}))["data"] == {"b": "2"}


def test_creating_what_exists_leaves_it_alone(world: World, name: str) -> None:
    assert world.objects.create(config_map(name))
    assert not world.objects.create(config_map(name, data={"a": "other"}))
    found = world.objects.get(ref_of(config_map(name)))
    assert found is not None
    assert found["data"] == {"a": "1"}


def test_what_was_created_can_be_replaced_with_force(world: World, name: str) -> None:
    world.objects.create(config_map(name))
    assert world.objects.apply(config_map(name, data={"a": "2"}), force=True)["data"] == {"a": "2"}


def test_a_deleted_object_is_gone_and_deleting_it_again_does_nothing(world: World, name: str) -> None:
    live = world.objects.apply(config_map(name))
    world.objects.delete(live)
    assert world.objects.get(ref_of(config_map(name))) is None
    world.objects.delete(live)


def test_an_object_that_has_changed_since_it_was_read_is_not_deleted(world: World, name: str) -> None:
    live = world.objects.apply(config_map(name))
    world.objects.apply(config_map(name, data={"a": "2"}))
    with pytest.raises(Conflict) as refused:
        world.objects.delete(live)
    assert refused.value.reason is Reason.CLUSTER_UNAVAILABLE
    assert world.objects.get(ref_of(config_map(name))) is not None


def test_another_object_of_the_same_name_is_not_deleted(world: World, name: str) -> None:
    live = world.objects.apply(config_map(name))
    world.objects.delete(live)
    world.objects.apply(config_map(name))
    with pytest.raises(Conflict):
        world.objects.delete(live)
    assert world.objects.get(ref_of(config_map(name))) is not None


def test_a_finalizer_keeps_a_deleted_object_marked(world: World, name: str) -> None:
    world.put(config_map(name, finalizers=["example.com/wait"]))
    live = world.objects.get(ref_of(config_map(name)))
    assert live is not None
    world.objects.delete(live)
    marked = world.objects.get(ref_of(config_map(name)))
    assert marked is not None
    assert marked["metadata"]["deletionTimestamp"]


def test_lists_hold_what_carries_all_labels(world: World, name: str) -> None:
    world.put(config_map(f"{name}-1", labels={"app": name, "part": "x"}))
    world.put(config_map(f"{name}-2", labels={"app": name}))
    found = world.objects.list(ObjectRef("v1", "ConfigMap", NAMESPACE), {"app": name, "part": "x"})
    assert [(o["kind"], o["metadata"]["name"]) for o in found] == [("ConfigMap", f"{name}-1")]


def test_an_object_without_events_has_none(world: World, name: str) -> None:
    assert list(world.objects.events(ObjectRef("v1", "Service", NAMESPACE, name))) == []


# What only an API server can say


@pytest.fixture(params=["emulator", "real"])
def cluster(request: pytest.FixtureRequest) -> World:
    return request.getfixturevalue(request.param)


def event(name: str, mark: str, seen: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"namespace": NAMESPACE, "name": f"{name}.{mark}"},
        "involvedObject": {"apiVersion": "v1", "kind": "Service", "namespace": NAMESPACE, "name": name},
        "type": "Warning",
        "reason": "Sync",
        "message": mark,
        "lastTimestamp": seen,
    }


def test_events_come_oldest_first_and_are_about_one_object(cluster: World, name: str) -> None:
    cluster.put(event(name, "a-newer", "2026-01-01T00:00:05Z"))
    cluster.put(event(name, "b-older", "2026-01-01T00:00:01Z"))
    cluster.put(event(f"{name}-other", "c", "2026-01-01T00:00:02Z"))
    found = cluster.objects.events(ObjectRef("v1", "Service", NAMESPACE, name))
    assert [e["message"] for e in found] == ["b-older", "a-newer"]


def test_an_invalid_object_is_refused_in_the_api_servers_words(cluster: World, name: str) -> None:
    wrong = service(name)
    wrong["spec"]["ports"][0]["port"] = 99999999
    with pytest.raises(Permanent, match=r"422.*port") as refused:
        cluster.objects.apply(wrong)
    assert refused.value.reason is Reason.REFUSED_BY_CLUSTER


def test_an_unknown_field_is_refused_at_creation(cluster: World, name: str) -> None:
    with pytest.raises(Permanent, match='unknown field "nonsense"'):
        cluster.objects.create({**service(name), "nonsense": "x"})


def test_a_missing_namespace_is_refused(cluster: World, name: str) -> None:
    lost = service(name)
    lost["metadata"]["namespace"] = f"{name}-missing"
    with pytest.raises(Permanent, match=f"404.*{name}-missing") as refused:
        cluster.objects.apply(lost)
    assert refused.value.reason is Reason.REFUSED_BY_CLUSTER


def test_a_refused_secret_shows_nothing_of_its_values(cluster: World, name: str) -> None:
    value = b64encode(b"very secret").decode()
    secret = {**config_map(name, data={"tls.key": value}), "kind": "Secret"}
    with pytest.raises(Permanent, match=r"422.*Secret") as refused:
        cluster.objects.create({**secret, "type": "kubernetes.io/tls"})
    assert value not in str(refused.value)
    with pytest.raises((Permanent, Transient)) as refused:
        cluster.objects.apply({**secret, "data": {"tls.key": ["very secret"]}})
    assert "very secret" not in repr(refused.value) + repr(refused.value.__cause__)


@pytest.mark.parametrize("kind", ["backend_config", "ingress", "managed_certificate"])
def test_an_object_of_ours_is_taken_and_then_differs_in_nothing(cluster: World, name: str, kind: str) -> None:
    facts = ServiceFacts(name, "milvus", 19530)
    made = {
        "backend_config": ingress_objects.backend_config(desired(), f"{name}-backendconfig"),
        "ingress": ingress_objects.ingress(
            desired(), facts, Attachments(("a.io",), ("m",), (f"{name}-tls",))
        ),
        "managed_certificate": certificate_objects.managed_certificate(desired(), f"{name}-tls"),
    }[kind]
    applied = cluster.objects.apply(made)
    assert difference(applied, cluster.objects.apply(made, dry_run=True)) == ()


def test_an_unknown_token_is_denied(cluster: World) -> None:
    stranger = KubernetesObjects(cluster.objects.access, lambda: "unknown")
    with pytest.raises(Permanent) as refused:
        stranger.get(ObjectRef("v1", "Secret", NAMESPACE, "any"))
    assert refused.value.reason is Reason.CLUSTER_ACCESS_DENIED
    stranger._connected().close()


def test_every_request_asks_for_the_token_anew(cluster: World, name: str) -> None:
    tokens = iter(["unknown", cluster.objects.token()])
    client = KubernetesObjects(cluster.objects.access, lambda: next(tokens))
    ref = ObjectRef("v1", "ConfigMap", NAMESPACE, name)
    with pytest.raises(Permanent):
        client.get(ref)
    assert client.get(ref) is None
    client._connected().close()


def test_a_list_longer_than_a_page_is_read_whole(cluster: World, name: str) -> None:
    wanted = {f"{name}-{index}" for index in range(5)}
    for each in wanted:
        cluster.objects.create(config_map(each, labels={"app": name}))
    client = replace(cluster.objects, page_size=2)
    found = client.list(ObjectRef("v1", "ConfigMap", NAMESPACE), {"app": name})
    assert {o["metadata"]["name"] for o in found} == wanted
    client._connected().close()


def test_an_api_server_that_does_not_answer_is_expected_back() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    gone = KubernetesObjects(ClusterAccess(f"https://127.0.0.1:{port}", None), lambda: "secret-token")
    with pytest.raises(Transient) as refused:
        gone.get(ObjectRef("v1", "ConfigMap", NAMESPACE, "any"))
    assert refused.value.reason is Reason.CLUSTER_UNAVAILABLE
    assert "secret-token" not in repr(refused.value) + repr(refused.value.__cause__)


def test_an_api_server_with_another_ca_is_not_trusted(cluster: World) -> None:
    access = replace(cluster.objects.access, ca_pem=None)
    with pytest.raises(Transient):
        KubernetesObjects(access, lambda: "t").get(ObjectRef("v1", "ConfigMap", NAMESPACE, "any"))
