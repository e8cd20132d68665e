"""Random histories of writes must end the same on the emulator and on a real kube-apiserver."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.kube_server import Answer, Json, Server, Space, emulated, real

ASSETS = os.environ.get("KUBEBUILDER_ASSETS", "")

pytestmark = pytest.mark.skipif(not ASSETS, reason="needs KUBEBUILDER_ASSETS")

_DIFFER = {
    "uid",
    "creationTimestamp",
    "resourceVersion",
    "clusterIP",
    "clusterIPs",
    "nodePort",
    "time",
    "namespace",
}


def maybe(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    """Objects that hold any of the fields."""
    return st.fixed_dictionaries({}, optional=fields)


small = st.sampled_from("12")
texts = maybe(a=small, b=small)
finalizers = st.lists(st.sampled_from(["example.com/a", "example.com/b"]), unique=True)
metadata = maybe(labels=texts, annotations=texts, finalizers=finalizers)


def ports() -> st.SearchStrategy[list[Json]]:
    port = maybe(targetPort=st.sampled_from([1, "z"]), protocol=st.just("TCP"), appProtocol=small)
    numbered = dict.fromkeys((80, 81, 82), port)
    chosen = st.fixed_dictionaries({}, optional=numbered).filter(bool)
    return chosen.map(lambda found: [{"name": f"p{key}", "port": key} | rest for key, rest in found.items()])


def pod_spec() -> st.SearchStrategy[Json]:
    env = st.lists(st.sampled_from("EF"), unique=True).map(
        lambda keys: [{"name": k, "value": "1"} for k in keys]
    )
    rest = maybe(env=env, args=st.lists(small), resources=st.just({"limits": {"cpu": "1"}}))
    container = st.builds(lambda tag, more: {"image": f"x:{tag}"} | more, small, rest)
    containers = st.fixed_dictionaries({"c": container}, optional={"d": container})
    named = containers.map(lambda found: [{"name": key} | more for key, more in found.items()])
    return st.builds(lambda rows, more: {"containers": rows} | more, named, maybe(nodeSelector=texts))


def deployment_spec() -> st.SearchStrategy[Json]:
    def build(labels: Json, spec: Json, more: Json) -> Json:
        template = {"metadata": {"labels": {"app": "x"} | labels}, "spec": spec}
        return {"selector": {"matchLabels": {"app": "x"}}, "template": template} | more

    return st.builds(build, texts, pod_spec(), maybe(replicas=st.sampled_from([1, 2])))


@dataclass(frozen=True, slots=True)
class Kind:
    group: str
    kind: str
    plural: str
    content: st.SearchStrategy[Json]


health_check = maybe(type=st.sampled_from(["HTTP", "HTTPS"]), port=st.sampled_from([1, 2]))
headers = maybe(headers=st.lists(small, unique=True))
backend_spec = maybe(
    healthCheck=health_check, timeoutSec=st.sampled_from([1, 2]), customRequestHeaders=headers
)
service_spec = st.builds(
    lambda rows, more: {"ports": rows} | more,
    ports(),
    maybe(selector=texts, type=st.sampled_from(["ClusterIP", "NodePort", "LoadBalancer"])),
)
KINDS = [
    Kind("v1", "ConfigMap", "configmaps", maybe(data=texts)),
    Kind("v1", "Service", "services", service_spec.map(lambda spec: {"spec": spec})),
    Kind("apps/v1", "Deployment", "deployments", deployment_spec().map(lambda spec: {"spec": spec})),
    Kind("cloud.google.com/v1", "BackendConfig", "backendconfigs", maybe(spec=backend_spec)),
]


@st.composite
def histories(draw: st.DrawFn) -> tuple[Kind, list[tuple[str, str, Json]]]:
    """A kind, and the writes to one object of it: (operation, manager, body)."""
    kind = draw(st.sampled_from(KINDS))
    operations = st.sampled_from(["apply", "apply", "force", "create", "put", "merge", "strategic-merge"])
    writes = []
    for _ in range(draw(st.integers(2, 6))):
        meta = {"name": "o"} | draw(metadata)
        body = {"apiVersion": kind.group, "kind": kind.kind, "metadata": meta} | draw(kind.content)
        writes.append((draw(operations), draw(st.sampled_from(["m1", "m2"])), body))
    return kind, writes


@pytest.fixture(scope="module")
def both() -> Iterator[tuple[Server, Server]]:
    with ExitStack() as stack:
        yield stack.enter_context(emulated()), stack.enter_context(real(Path(ASSETS)))


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(history=histories())
def test_histories_end_the_same(
    both: tuple[Server, Server], history: tuple[Kind, list[tuple[str, str, Json]]]
) -> None:
    kind, writes = history
    name = f"t-{uuid.uuid4().hex[:10]}"
    spaces = [Space(server, name) for server in both]
    for space in spaces:
        space.server.call("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    for write in writes:
        emulator, genuine = (comparable(perform(space, kind, write)) for space in spaces)
        assert emulator == genuine
        emulator, genuine = (comparable(space.get(kind.plural, "o", kind.group)) for space in spaces)
        assert emulator == genuine


def perform(space: Space, kind: Kind, write: tuple[str, str, Json]) -> Answer:
    operation, manager, body = write
    target = f"{kind.plural}/o"
    if operation in {"apply", "force"}:
        force = {"force": "true"} if operation == "force" else {}
        return space.apply(target, body, manager, kind.group, **force)
    if operation == "create":
        return space.create(kind.plural, body, kind.group, fieldManager=manager)
    if operation == "put":
        live = space.get(kind.plural, "o", kind.group).body["metadata"].get("resourceVersion")
        meta = body["metadata"] | ({"resourceVersion": live} if live else {})
        return space.put(kind.plural, body | {"metadata": meta}, kind.group, fieldManager=manager)
    is_custom = "google" in kind.group
    patch = "merge" if is_custom else operation
    return space.patch(target, body, patch, kind.group, fieldManager=manager)


def comparable(answer: Answer) -> Any:
    body = masked(answer.body)
    meta = body.get("metadata", {})
    meta.get("managedFields", []).sort(key=lambda row: json.dumps(row, sort_keys=True))
    causes = body.get("details", {}).get("causes", [])
    if len({cause["message"] for cause in causes}) > 1:
        # A real server lists the conflicts with several managers in no particular order.
        causes.sort(key=lambda cause: json.dumps(cause, sort_keys=True))
        body["message"] = "several"
    return answer.code, body


def masked(value: Any) -> Any:
    if isinstance(value, list):
        return [masked(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: "*" if key in _DIFFER else masked(inner) for key, inner in value.items()}
