"""What `managedFields` tell without a request is what the API server answers to a dry run.

`is_applied` may say False when it is not sure, never True when an apply would change something.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from milvus_l7.adapters.kubernetes import apply
from milvus_l7.adapters.kubernetes.apply import ApplyRequest
from milvus_l7.adapters.kubernetes.objects import KubernetesObjects
from milvus_l7.domain.certificates import certificate_objects
from milvus_l7.domain.certificates.key_pair import KeyPair
from milvus_l7.domain.frontend import ingress_objects, service_annotations
from milvus_l7.domain.frontend.ingress_objects import Attachments
from milvus_l7.domain.kubernetes import manifests, services
from milvus_l7.domain.kubernetes.change import Plan
from milvus_l7.domain.kubernetes.difference import difference
from milvus_l7.domain.kubernetes.field_managers import is_applied, writer
from milvus_l7.domain.kubernetes.manifests import OURS
from milvus_l7.domain.reasons.errors import Permanent, Transient
from milvus_l7.domain.setup.facts import ServiceFacts
from milvus_l7.ports import ClusterAccess, ObjectRef
from tests.builders import desired
from tests.contract.kube_server import Json, Server, Space, fresh_space, server_under_test  # noqa: F401 (fixtures)

KUBECTL = "kubectl-patch"
HELM = "helm"

PLURALS = {
    "BackendConfig": "backendconfigs",
    "Ingress": "ingresses",
    "ManagedCertificate": "managedcertificates",
    "Secret": "secrets",
    "Service": "services",
}


@dataclass(frozen=True, slots=True)
class Cluster:
    """A namespace, and our client for it."""

    space: Space
    objects: KubernetesObjects

    def live(self, manifest: Json) -> Json:
        metadata = manifest["metadata"]
        ref = ObjectRef(manifest["apiVersion"], manifest["kind"], metadata["namespace"], metadata["name"])
        found = self.objects.get(ref)
        assert found is not None
        return dict(found)

    def patch(self, manifest: Json, change: Json, manager: str = KUBECTL, status: str = "") -> None:
        target = f"{PLURALS[manifest['kind']]}/{manifest['metadata']['name']}{status}"
        group = manifest["apiVersion"]
        assert self.space.patch(target, change, group=group, fieldManager=manager).code == 200

    def seize(self, manifest: Json, manager: str = HELM) -> None:
        """Apply with force as somebody else; the server may refuse the outcome."""
        target = f"{PLURALS[manifest['kind']]}/{manifest['metadata']['name']}"
        group = manifest["apiVersion"]
        answer = self.space.apply(target, manifest, manager, group=group, force="true")
        assert answer.code in {200, 201, 422}, answer.body

    def dry_run(self, manifest: Json) -> Plan | None:
        """What an apply would change; None if it is refused."""
        live = self.live(manifest)
        try:
            return difference(live, self.objects.apply(manifest, dry_run=True))
        except (Permanent, Transient):
            return None


@pytest.fixture
def cluster(server: Server, space: Space) -> Iterator[Cluster]:
    token = next(iter(server.tokens.values()))
    client = KubernetesObjects(ClusterAccess(server.url, server.ca_pem), lambda: token)
    yield Cluster(space, client)
    client._connected().close()


def facts(name: str = "milvus") -> ServiceFacts:
    return ServiceFacts(name, "milvus", 19530)


def service(namespace: str, name: str = "milvus", **annotations: str) -> Json:
    metadata = {"namespace": namespace, "name": name, "annotations": annotations}
    ports = [{"name": "milvus", "port": 19530, "protocol": "TCP", "targetPort": 19530}]
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": ports}}


def annotated(cluster: Cluster) -> Json:
    """The Service of a Helm release, as it is now, with the annotations that it needs."""
    name = cluster.space.name
    if cluster.space.get("services", "milvus").code == 404:
        cluster.space.create("services", service(name), fieldManager=HELM)
    live = cluster.live(service(name))
    existing = live["metadata"].get("annotations", {})
    return dict(services.annotated_service(live, service_annotations.merged(existing, facts(), "config")))


def ingress(cluster: Cluster, attachments: Attachments) -> Json:
    return dict(ingress_objects.ingress(desired(namespace=cluster.space.name), facts(), attachments))


def backend_config(cluster: Cluster, labels: Mapping[str, str] = manifests.MADE) -> Json:
    wanted = desired(namespace=cluster.space.name)
    return dict(ingress_objects.backend_config(wanted, "milvus-backendconfig", labels))


def secret(cluster: Cluster) -> Json:
    return dict(
        certificate_objects.tls_secret(
            desired(namespace=cluster.space.name), "milvus-tls", KeyPair("key", "cert")
        )
    )


def managed_certificate(cluster: Cluster) -> Json:
    return dict(certificate_objects.managed_certificate(desired(namespace=cluster.space.name), "milvus-tls"))


HOSTS = ("a.io", "b.io")
MADE: dict[str, Callable[[Cluster], Json]] = {
    "annotations": annotated,
    "backend config": backend_config,
    "backend config of somebody": lambda cluster: backend_config(cluster, manifests.ADOPTED),
    "ingress": lambda cluster: ingress(cluster, Attachments(HOSTS, secrets=("milvus-tls", "other"))),
    "ingress of google": lambda cluster: ingress(cluster, Attachments(HOSTS, managed=("milvus-tls",))),
    "managed certificate": managed_certificate,
    "secret": secret,
}

each_kind = pytest.mark.parametrize("make", MADE.values(), ids=MADE)


def rules(*hosts: str, path: str = "/") -> Json:
    backend = {"service": {"name": "milvus", "port": {"number": 19530}}}
    paths = [{"path": path, "pathType": "Prefix", "backend": backend}]
    return {"spec": {"rules": [{"host": host, "http": {"paths": paths}} for host in hosts]}}


LABEL = {"metadata": {"labels": {manifests.MANAGED_BY: "somebody"}}}
# kind, what somebody else changes in it, and the field in which an apply of ours would then differ
EDITS: list[tuple[str, Json, str]] = [
    ("annotations", {"metadata": {"annotations": {service_annotations.NEG: "x"}}}, "metadata.annotations"),
    ("backend config", {"spec": {"timeoutSec": 30}}, "spec.timeoutSec"),
    ("backend config", {"spec": {"healthCheck": {"port": 1}}}, "spec.healthCheck.port"),
    ("backend config", LABEL, "metadata.labels"),
    ("ingress", rules("a.io", path="/x"), "spec.rules"),
    ("ingress", rules("b.io", "a.io"), "spec.rules"),
    ("ingress", {"spec": {"tls": [{"secretName": "other"}]}}, "spec.tls"),
    (
        "ingress of google",
        {"metadata": {"annotations": {ingress_objects.MANAGED_CERTIFICATES: "x"}}},
        "metadata",
    ),
    ("managed certificate", {"spec": {"domains": ["other.io"]}}, "spec.domains"),
    ("secret", {"data": {"tls.crt": "b3RoZXI="}}, "data[tls.crt]"),
]


@each_kind
def test_a_second_apply_needs_no_request(cluster: Cluster, make: Callable[[Cluster], Json]) -> None:
    cluster.objects.apply(make(cluster))
    again = make(cluster)
    assert is_applied(cluster.live(again), again, OURS)
    assert cluster.dry_run(again) == ()


@each_kind
def test_what_was_not_applied_yet_is_asked(cluster: Cluster, make: Callable[[Cluster], Json]) -> None:
    cluster.seize(make(cluster))
    again = make(cluster)
    assert not is_applied(cluster.live(again), again, OURS)


@each_kind
def test_fields_of_others_need_no_request(cluster: Cluster, make: Callable[[Cluster], Json]) -> None:
    cluster.objects.apply(make(cluster))
    cluster.patch(make(cluster), {"metadata": {"annotations": {"theirs": "x"}, "labels": {"theirs": "x"}}})
    again = make(cluster)
    assert is_applied(cluster.live(again), again, OURS)
    assert cluster.dry_run(again) == ()


@each_kind
def test_a_field_that_we_no_longer_want_is_asked(cluster: Cluster, make: Callable[[Cluster], Json]) -> None:
    manifest = make(cluster)
    more = {**manifest["metadata"].get("annotations", {}), "dropped": "x"}
    cluster.objects.apply(manifest | {"metadata": manifest["metadata"] | {"annotations": more}})
    again = make(cluster)
    assert not is_applied(cluster.live(again), again, OURS)
    assert cluster.dry_run(again)


@each_kind
def test_taking_everything_back_is_asked(cluster: Cluster, make: Callable[[Cluster], Json]) -> None:
    cluster.objects.apply(make(cluster))
    live = cluster.live(make(cluster))
    assert not is_applied(live, manifests.empty_apply(live), OURS)


@pytest.mark.parametrize(("kind", "edit", "field"), EDITS)
def test_what_somebody_changed_is_asked_and_has_a_writer(
    cluster: Cluster, kind: str, edit: Json, field: str
) -> None:
    cluster.objects.apply(MADE[kind](cluster))
    manifest = MADE[kind](cluster)
    cluster.patch(manifest, edit)
    live = cluster.live(manifest)
    again = manifest | {
        "metadata": manifest["metadata"] | {"resourceVersion": live["metadata"]["resourceVersion"]}
    }
    assert not is_applied(live, again, OURS)
    changes = difference(live, cluster.objects.apply(again, dry_run=True, force=True))
    assert changes
    for change in changes:
        assert change.field.startswith(field)
        found = writer(live, change.field)
        assert found is not None
        assert (found.manager, found.operation) == (KUBECTL, "Update")
        assert found.at is not None


def test_what_somebody_removed_is_asked(cluster: Cluster) -> None:
    manifest = secret(cluster)
    cluster.objects.apply(manifest)
    cluster.patch(manifest, {"metadata": {"labels": {manifests.MANAGED_BY: None, "theirs": "x"}}})
    live = cluster.live(manifest)
    assert not is_applied(live, manifest, OURS)
    (change,) = cluster.dry_run(manifest) or ()
    assert str(writer(live, change.field)).startswith(f"{KUBECTL} (Update, ")


def test_an_applier_that_took_fields_over_is_their_writer(cluster: Cluster) -> None:
    manifest = backend_config(cluster)
    cluster.objects.apply(manifest)
    cluster.seize(manifest | {"spec": manifest["spec"] | {"timeoutSec": 30}})
    live = cluster.live(manifest)
    assert not is_applied(live, manifest, OURS)
    assert str(writer(live, "spec.timeoutSec")).startswith(f"{HELM} (Apply, ")


def test_a_controller_that_writes_status_changes_nothing(cluster: Cluster) -> None:
    manifest = MADE["ingress"](cluster)
    cluster.objects.apply(manifest)
    status = {"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}}
    cluster.patch(manifest, status, "gce-controller", "/status")
    live = cluster.live(manifest)
    assert is_applied(live, manifest, OURS)
    assert cluster.dry_run(manifest) == ()
    assert "gce" not in str(writer(live, "spec.gone"))


def test_an_older_version_is_asked(cluster: Cluster) -> None:
    cluster.objects.apply(annotated(cluster))
    stale = annotated(cluster)
    cluster.patch(stale, {"metadata": {"labels": {"theirs": "x"}}})
    assert not is_applied(cluster.live(stale), stale, OURS)
    assert cluster.dry_run(stale) is None


def test_a_list_whose_items_have_owners_is_asked(cluster: Cluster) -> None:
    manifest = service(cluster.space.name)
    cluster.objects.apply(manifest)
    assert not is_applied(cluster.live(manifest), manifest, OURS)


def test_a_list_that_the_server_completes_is_asked_for_ever(cluster: Cluster) -> None:
    manifest = service(cluster.space.name)
    manifest["spec"] = {"ports": [{"port": 80}]}
    cluster.objects.apply(manifest)
    assert not is_applied(cluster.live(manifest), manifest, OURS)
    assert cluster.dry_run(manifest) == ()


# Random histories

small = st.sampled_from("12")
texts = st.fixed_dictionaries({}, optional={"a": small, "b.io/c": small})
whole = st.fixed_dictionaries({}, optional={"labels": texts, "annotations": texts})
check = st.fixed_dictionaries({}, optional={"port": st.sampled_from([1, 2]), "type": st.sampled_from("xy")})
CONTENTS: dict[str, st.SearchStrategy[Json]] = {
    "BackendConfig": st.fixed_dictionaries(
        {},
        optional={
            "spec": st.fixed_dictionaries(
                {}, optional={"timeoutSec": st.sampled_from([1, 2]), "healthCheck": check}
            )
        },
    ),
    "Ingress": st.lists(st.sampled_from(HOSTS), min_size=1, max_size=2).map(lambda hosts: rules(*hosts)),
    "ManagedCertificate": st.lists(st.sampled_from(HOSTS), max_size=2).map(
        lambda d: {"spec": {"domains": d}}
    ),
    "Secret": texts.map(
        lambda data: {"data": {key[0]: "YQ==" if v == "1" else "Yg==" for key, v in data.items()}}
    ),
}
VERSIONS = {
    "BackendConfig": "cloud.google.com/v1",
    "Ingress": "networking.k8s.io/v1",
    "ManagedCertificate": "networking.gke.io/v1",
    "Secret": "v1",
}

Step = tuple[str, Any, Any]  # who writes, metadata, content
APPLY, SEIZE, PATCH = "apply", "seize", "patch"
settled = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


def steps(kind: str) -> st.SearchStrategy[list[Step]]:
    writes = st.tuples(st.sampled_from([APPLY, APPLY, SEIZE, PATCH]), whole, CONTENTS[kind])
    first = st.tuples(st.just(APPLY), whole, CONTENTS[kind])
    return st.builds(lambda one, more: [one, *more], first, st.lists(writes, max_size=4))


def manifest_of(kind: str, name: str, namespace: str, step: Step) -> Json:
    _, metadata, content = step
    names = {"namespace": namespace, "name": name}
    return {"apiVersion": VERSIONS[kind], "kind": kind, "metadata": names | metadata, **content}


def run(cluster: Cluster, history: list[tuple[str, Json]]) -> None:
    for how, manifest in history:
        if how == PATCH:
            cluster.patch(manifest, {key: manifest[key] for key in manifest.keys() - {"apiVersion", "kind"}})
        elif how == SEIZE:
            cluster.seize(manifest)
        else:
            with suppress(Permanent):  # an emptied map becomes null, which not every schema admits
                cluster.objects.apply(manifest, force=True)


@pytest.mark.parametrize("kind", sorted(VERSIONS))
@settled
@given(data=st.data())
def test_what_needs_no_request_would_not_change(cluster: Cluster, kind: str, data: st.DataObject) -> None:
    name = f"t-{uuid4().hex[:10]}"
    chosen = data.draw(steps(kind))
    history = [(step[0], manifest_of(kind, name, cluster.space.name, step)) for step in chosen]
    run(cluster, history)
    live = cluster.live(history[0][1])
    for _, manifest in history:
        if is_applied(live, manifest, OURS):
            assert cluster.dry_run(manifest) == ()
            assert apply.plan(cluster.objects, ApplyRequest(live, manifest)) == ()
