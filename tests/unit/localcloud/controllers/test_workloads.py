"""Deployments, Pods and the configuration of the Milvus in them, as the emulated cluster decides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from localcloud.controllers.workloads import services
from localcloud.controllers.workloads.deployments import decide, new_pod, template_hash
from localcloud.node import milvus_config, mounts
from localcloud.node.containers import HOST_PORTS
from localcloud.node.pod_status import ContainerFacts, pod_status

Object = dict[str, Any]

NOW = "2026-11-23T05:00:00Z"
TLS = {"common": {"security": {"tlsMode": 1}}}


def a_deployment(checksum: str = "a", replicas: int = 1) -> Object:
    template = {
        "metadata": {"labels": {"app": "milvus"}, "annotations": {"checksum/config": checksum}},
        "spec": {
            "containers": [{"name": "standalone", "ports": [{"name": "milvus", "containerPort": 19530}]}]
        },
    }
    return {
        "metadata": {"name": "d", "namespace": "default", "uid": "1", "generation": 3},
        "spec": {"replicas": replicas, "template": template},
    }


def a_pod(deployment: Object, is_ready: bool = True, **metadata: str) -> Object:
    pod = new_pod(deployment, set())
    pod["metadata"] |= metadata
    pod["status"] = {"conditions": [{"type": "Ready", "status": str(is_ready)}]}
    return pod


def test_a_new_deployment_gets_its_pod_and_reports_nothing_available() -> None:
    decision = decide(a_deployment(), [], NOW)
    assert (decision.create, decision.delete) == (1, ())
    assert decision.status["observedGeneration"] == 3
    assert decision.status["availableReplicas"] == 0


def test_a_changed_template_ends_the_old_pod_before_it_makes_a_new_one() -> None:
    old, new = a_deployment("a"), a_deployment("b")
    pod = a_pod(old)
    first = decide(new, [pod], NOW)
    assert (first.create, first.delete) == (0, (pod["metadata"]["name"],))
    assert (first.status["replicas"], first.status["updatedReplicas"]) == (1, 0)
    going = a_pod(old, deletionTimestamp=NOW)
    assert decide(new, [going], NOW).create == 0
    assert decide(new, [], NOW).create == 1


def test_a_rolled_out_deployment_needs_nothing_and_says_so() -> None:
    decision = decide(a_deployment(), [a_pod(a_deployment())], NOW)
    assert (decision.create, decision.delete) == (0, ())
    assert decision.status["availableReplicas"] == decision.status["updatedReplicas"] == 1
    reasons = {item["type"]: item["reason"] for item in decision.status["conditions"]}
    assert reasons == {"Available": "MinimumReplicasAvailable", "Progressing": "NewReplicaSetAvailable"}


def test_scaling_to_zero_ends_the_pod() -> None:
    pod = a_pod(a_deployment())
    assert decide(a_deployment(replicas=0), [pod], NOW).delete == (pod["metadata"]["name"],)


def test_conditions_that_stay_keep_their_times() -> None:
    deployment = a_deployment()
    deployment["status"] = decide(deployment, [a_pod(deployment)], NOW).status
    later = decide(deployment, [a_pod(deployment)], "2026-11-23T06:00:00Z")
    assert later.status == deployment["status"]


def test_pods_carry_the_template_hash_and_a_name_that_is_free() -> None:
    deployment = a_deployment()
    first = new_pod(deployment, set())
    second = new_pod(deployment, {first["metadata"]["name"]})
    assert first["metadata"]["name"] != second["metadata"]["name"]
    assert first["metadata"]["labels"]["pod-template-hash"] == template_hash(deployment)


def test_a_crashing_container_is_shown_as_crash_loop_back_off_with_its_exit_status() -> None:
    facts = ContainerFacts("standalone", "i", restarts=2, last_exit=1, waiting_reason="CrashLoopBackOff")
    status = pod_status(a_pod(a_deployment()), (facts,), NOW)
    (container,) = status["containerStatuses"]
    assert (status["phase"], container["restartCount"], container["ready"]) == ("Running", 2, False)
    assert container["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert container["lastState"]["terminated"]["exitCode"] == 1


def test_a_layer_4_service_forwards_its_ports_to_ready_pods() -> None:
    pod = a_pod(a_deployment(), annotations={HOST_PORTS: '{"19530": 21001}'})  # type: ignore[arg-type]
    service = {
        "metadata": {"name": "s", "namespace": "default", "uid": "9"},
        "spec": {"selector": {"app": "milvus"}, "ports": [{"port": 19530, "targetPort": "milvus"}]},
    }
    part = services.forwarding(service, [pod], "127.1.1.10")
    assert [(item.address, item.port) for item in part.tcp] == [("127.1.1.10", 19530)]
    assert [endpoint.port for endpoint in part.backends[0].endpoints] == [21001]
    assert (
        services.forwarding(service, [a_pod(a_deployment(), False)], "127.1.1.10").backends[0].endpoints == ()
    )


@pytest.mark.parametrize(
    ("settings", "is_refused"),
    [
        ({}, False),
        (TLS, True),
        ({"common": {"security": {"tlsMode": "2"}}}, True),
        (TLS | {"proxy": {"http": {"port": 8080}}}, False),
        (TLS | {"proxy": {"http": {"port": 19530}}}, True),
        (TLS | {"proxy": {"http": {"enabled": False}}}, False),
        (TLS | {"proxy": {"http": {"port": None}}}, True),
    ],
)
def test_tls_is_refused_while_rest_shares_the_port(settings: Object, is_refused: bool) -> None:
    assert (milvus_config.refusal(settings) is not None) is is_refused


@pytest.mark.parametrize("text", ["a: [", "- a list"])
def test_a_user_yaml_that_is_no_map_stops_the_server(text: str) -> None:
    with pytest.raises(milvus_config.BadConfig):
        milvus_config.user_settings(text)


def test_the_users_settings_win_over_the_defaults_but_not_over_the_machine() -> None:
    user = milvus_config.overlaid(
        TLS, {"proxy": {"maxTaskNum": 7, "http": {"port": 8080}}, "rootCoord": {"port": 1}}
    )
    sections = (*milvus_config.SERVER_SECTIONS, "proxy")
    place = milvus_config.Placement(
        root=Path("/r"),
        volume=Path("/v"),
        ports={19530: 101, 9091: 102, 8080: 103},
        server_ports={name: 200 + index for index, name in enumerate(sections)},
        etcd_config=Path("/r/etcd.yaml"),
    )
    found = milvus_config.effective_settings({"proxy": {"maxTaskNum": 1, "timeTickInterval": 5}}, user, place)
    assert found["proxy"]["maxTaskNum"] == 7
    assert found["proxy"]["timeTickInterval"] == 5
    assert (found["proxy"]["port"], found["proxy"]["http"]["port"]) == (101, 103)
    assert found["rootCoord"]["port"] == 200
    assert found["tls"]["serverPemPath"] == "/r/milvus/configs/cert/server.pem"
    assert found["common"]["security"] == {"tlsMode": 1}


def test_the_ports_of_a_container_are_those_its_settings_name() -> None:
    assert milvus_config.container_ports({}) == (19530, 9091)
    assert milvus_config.container_ports({"proxy": {"http": {"port": "8080"}}}) == (19530, 9091, 8080)


POD = {"spec": {"volumes": [{"name": "v", "configMap": {"name": "c"}}]}}


def mount_of(**mount: str) -> Object:
    return {"volumeMounts": [{"name": "v", **mount}]}


def test_one_key_of_a_config_map_is_mounted_as_one_file(tmp_path: Path) -> None:
    container = mount_of(mountPath="/milvus/configs/user.yaml", subPath="user.yaml")
    found = {"data": {"user.yaml": "a: 1", "other": "x"}}
    mounts.mount_all(POD, container, tmp_path, lambda kind, name: found)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["user.yaml"]


def test_a_missing_config_map_keeps_the_container_from_starting(tmp_path: Path) -> None:
    with pytest.raises(mounts.MissingVolume, match='"c" not found'):
        mounts.mount_all(POD, mount_of(mountPath="/m"), tmp_path, lambda kind, name: None)


def test_a_mount_path_cannot_lead_out_of_the_container(tmp_path: Path) -> None:
    with pytest.raises(mounts.MissingVolume, match="leads out"):
        mounts.mount_all(
            POD, mount_of(mountPath="/../../etc"), tmp_path, lambda kind, name: {"data": {"a": "b"}}
        )
