"""What only the emulator has: tokens, audit log, gates, Pod logs, garbage collection, stored schemas."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest

from localcloud.gates import Gates
from localcloud.kube import KubeApi
from localcloud.kube.requests import protobuf
from localcloud.kube.resources import RESOURCES
from localcloud.kube.schema import schemas
from tests.contract.kube_server import Answer, Json, Server, Space, server_under_test, until  # noqa: F401 (fixtures)

CONFIG: Json = {"metadata": {"name": "a"}, "data": {"k": "v"}}


@pytest.fixture
def gates() -> Gates:
    return Gates()


@pytest.fixture
def api(gates: Gates) -> Iterator[KubeApi]:
    with KubeApi(gates) as started:
        yield started


@pytest.fixture
def space(api: KubeApi) -> Iterator[Space]:
    tokens = {user: api.issue_token(user) for user in ("alice", "bob")}
    talker = Server(api.url, api.ca_pem, tokens, is_real=False)
    yield Space(talker, "default")
    talker.close()


DIFFERENCES = (
    (
        "no right is checked: every user with a token may do everything",
        "the roles were measured on a real one",
    ),
    (
        "only the kinds, versions and subresources that the product and Helm use are served",
        "others get a 404",
    ),
    (
        "schemas are those of one release; validation beyond them covers what the product writes",
        "see the module",
    ),
    (
        "a Job that is deleted without a policy stays until a controller has orphaned its Pods; ours is gone "
        "at once, with them",
        "the product deletes none, and kubectl and Helm name a policy",
    ),
    (
        "a Service with externalTrafficPolicy Local is given a healthCheckNodePort; with ours it has none",
        "it is drawn anew with every change of the type, and nothing of the product reads it",
    ),
)


def owned_by(owner: Json, name: str, **more: Any) -> Json:
    meta = owner["metadata"]
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": meta["name"], "uid": meta["uid"]}
    return {"metadata": {"name": name, "ownerReferences": [reference], **more}}


def test_audit_log_holds_every_request(api: KubeApi, space: Space) -> None:
    space.create("configmaps", CONFIG, agent="me/1")
    space.get("configmaps", "a", user="bob")
    space.patch("configmaps/a", {"data": {}}, dryRun="All")
    space.get("configmaps", "nope")
    rows = [(row.user, row.verb, row.resource, row.name, row.status_code) for row in api.audit.records()]
    assert rows == [
        ("alice", "create", "configmaps", "a", 201),
        ("bob", "get", "configmaps", "a", 200),
        ("alice", "patch", "configmaps", "a", 200),
        ("alice", "get", "configmaps", "nope", 404),
    ]
    assert api.audit.records()[0].user_agent == "me/1"
    assert api.audit.records()[2].dry_run


def test_writes_leave_out_reads_and_dry_runs_and_other_users(api: KubeApi, space: Space) -> None:
    space.create("configmaps", CONFIG)
    space.create("configmaps", {"metadata": {"name": "b"}}, user="bob")
    space.put("configmaps", CONFIG, dryRun="All")
    space.get("configmaps")
    assert [row.user for row in api.audit.writes()] == ["alice", "bob"]
    assert [row.user for row in api.audit.writes("bo")] == ["bob"]


def test_delete_with_a_dry_run_in_its_body_is_no_write(api: KubeApi, space: Space) -> None:
    space.create("configmaps", CONFIG)
    assert space.delete("configmaps", "a", body={"dryRun": ["All"]}).code == 200
    assert [row.verb for row in api.audit.writes()] == ["create"]


def test_request_without_a_token_is_forbidden_but_health_is_open(space: Space) -> None:
    import urllib3

    with urllib3.PoolManager(ca_cert_data=space.server.ca_pem) as pool:
        secret = pool.request("GET", space.server.url + "/api/v1/namespaces/default/secrets")
        assert secret.status == 403
        assert json.loads(secret.data)["message"].startswith('secrets is forbidden: User "system:anonymous"')
        assert pool.request("GET", space.server.url + "/healthz").data == b"ok"


def test_gate_holds_a_request_before_its_effect_and_lets_others_pass(gates: Gates, space: Space) -> None:
    answers: list[Answer] = []
    with gates.hold(lambda call: (call.method, call.caller) == ("POST", "bob")) as gate:
        thread = threading.Thread(
            target=lambda: answers.append(space.create("configmaps", CONFIG, user="bob"))
        )
        thread.start()
        gate.wait_reached(10)
        assert space.get("configmaps", "a").code == 404
        assert space.create("configmaps", {"metadata": {"name": "b"}}).code == 201
    thread.join(10)
    assert [answer.code for answer in answers] == [201]


def test_request_that_is_held_longer_than_it_allows_has_no_effect(gates: Gates, space: Space) -> None:
    answers: list[Answer] = []
    with gates.hold(lambda call: call.caller == "bob") as gate:
        thread = threading.Thread(
            target=lambda: answers.append(space.create("configmaps", CONFIG, user="bob", timeout="20ms"))
        )
        thread.start()
        gate.wait_reached(10)
        time.sleep(0.05)
    thread.join(10)
    assert [(answer.code, answer.body["reason"]) for answer in answers] == [(504, "Timeout")]
    assert space.get("configmaps", "a").code == 404


def test_dependents_go_with_their_owner(space: Space) -> None:
    owner = space.create("configmaps", CONFIG).body
    middle = space.create("configmaps", owned_by(owner, "middle")).body
    space.create("configmaps", owned_by(middle, "leaf"))
    space.create("configmaps", {"metadata": {"name": "stranger"}})
    space.delete("configmaps", "a")
    names = lambda: [row["metadata"]["name"] for row in space.get("configmaps").body["items"]]  # noqa: E731
    until(lambda: names() == ["stranger"])


def test_orphaned_dependents_stay(space: Space) -> None:
    owner = space.create("configmaps", CONFIG).body
    space.create("configmaps", owned_by(owner, "b"))
    space.delete("configmaps", "a", body={"propagationPolicy": "Orphan"})
    assert "ownerReferences" not in space.get("configmaps", "b").body["metadata"]


def test_deleted_namespace_is_emptied_and_goes(space: Space) -> None:
    other = Space(space.server, "other")
    space.server.call("POST", "/api/v1/namespaces", {"metadata": {"name": "other"}})
    other.create("configmaps", CONFIG)
    other.create("configmaps", {"metadata": {"name": "held", "finalizers": ["example.com/hold"]}})
    path = "/api/v1/namespaces/other"
    assert space.server.call("DELETE", path).body["status"]["phase"] == "Terminating"
    until(lambda: other.get("configmaps", "a").code == 404)
    assert space.server.call("GET", path).code == 200
    other.patch("configmaps/held", {"metadata": {"finalizers": None}})
    until(lambda: space.server.call("GET", path).code == 404)


def test_pod_logs_come_from_whoever_serves_them(api: KubeApi, space: Space) -> None:
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "x"}]}}
    space.create("pods", pod)
    log = space.path("pods", "p") + "/log"
    assert space.server.call("GET", log).code == 400
    api.serve_pod_logs(lambda *names: " ".join(names) + "\nlast\n")
    assert space.server.call("GET", log, container="c").body == {"text": "default p c\nlast\n"}
    assert space.server.call("GET", log, tailLines="1").body == {"text": "last\n"}
    assert space.server.call("GET", space.path("pods", "nope") + "/log").code == 404


def test_watch_from_a_forgotten_version_is_gone(api: KubeApi, space: Space) -> None:
    space.create("configmaps", CONFIG)
    api.store.forget()
    with space.server.watch(space.path("configmaps"), resourceVersion="1") as events:
        error = next(events)
    assert (error["type"], error["object"]["code"], error["object"]["reason"]) == ("ERROR", 410, "Expired")


def test_initial_events_end_with_a_bookmark(space: Space) -> None:
    space.create("configmaps", CONFIG)
    query = {"sendInitialEvents": "true", "allowWatchBookmarks": "true"}
    with space.server.watch(space.path("configmaps"), **query) as events:
        added, bookmark = islice(events, 2)
    assert (added["type"], bookmark["type"]) == ("ADDED", "BOOKMARK")
    assert bookmark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


def test_stop_ends_open_watches() -> None:
    with KubeApi() as api:
        talker = Server(api.url, api.ca_pem, {"alice": api.issue_token("alice")}, is_real=False)
        with talker.watch("/api/v1/namespaces") as events:
            next(events)
            api.stop()
            assert len(list(events)) < 10
        talker.close()


def test_stop_is_safe_to_call_twice() -> None:
    api = KubeApi()
    api.start()
    api.stop()
    api.stop()


def test_kubeconfig_names_the_server_and_carries_the_token(api: KubeApi) -> None:
    import yaml

    document = yaml.safe_load(api.kubeconfig("a-token"))
    cluster = document["clusters"][0]["cluster"]
    assert cluster["server"] == api.url == f"https://{api.endpoint}"
    assert base64.b64decode(cluster["certificate-authority-data"]).decode() == api.ca_pem
    assert document["users"][0]["user"] == {"token": "a-token"}


@pytest.mark.parametrize(
    "body", [b"", b"k8s", b"k8s\x00\xff", b"k8s\x00\x0a\x7f", b"k8s\x00\x0a\x02\x12\x00"]
)
def test_broken_protobuf_is_an_unsupported_media_type(space: Space, body: bytes) -> None:
    path = space.path("secrets")
    answer = space.server.call("POST", path, body or b"x", media="application/vnd.kubernetes.protobuf")
    assert answer.code == 415


def test_protobuf_of_another_kind_is_refused() -> None:
    type_meta = b"\x0a\x02v1\x12\x03Pod"
    with pytest.raises(protobuf.ProtobufError, match="no protobuf decoder for kind 'Pod'"):
        protobuf.decode(protobuf.MAGIC + b"\x0a" + bytes([len(type_meta)]) + type_meta)


def test_every_served_kind_has_a_schema() -> None:
    for row in RESOURCES:
        assert schemas.of(row).field("metadata") is not None


def test_stored_schemas_are_those_of_the_real_server(server: Server) -> None:
    if not server.is_real:
        pytest.skip("needs KUBEBUILDER_ASSETS")
    bases = dict.fromkeys(row.base_path for row in RESOURCES if not row.is_custom)
    served: Json = {}
    for base in bases:
        served |= server.call("GET", f"/openapi/v3/{base}").body["components"]["schemas"]
    stored = {name: node for name, node in schemas.definitions().items() if name.startswith("io.k8s.")}
    different = [
        name for name, node in stored.items() if name not in served or node != stripped(served[name])
    ]
    assert different == []


def stripped(node: Any) -> Any:
    """An OpenAPI schema without descriptions, and with single-element `allOf` references written directly."""
    if isinstance(node, list):
        return [stripped(item) for item in node]
    if not isinstance(node, dict):
        return node
    result = {
        key: {name: stripped(inner) for name, inner in value.items()}
        if key == "properties"
        else stripped(value)
        for key, value in node.items()
        if not (key == "description" and isinstance(value, str))
    }
    if len(result.get("allOf", ())) == 1:
        result |= result.pop("allOf")[0]
    return result
