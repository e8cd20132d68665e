"""What goes with a Service's type, and does not come back with it."""

from __future__ import annotations

from typing import Any

from milvus_l7.domain.kubernetes import services

KEY = 'k:{"port":80,"protocol":"TCP"}'


def service(owned: str, *ports: dict[str, Any], **spec: Any) -> dict[str, Any]:
    fields = {"f:spec": {"f:ports": {KEY: {".": {}, owned: {}}}}}
    row = {"manager": "kubectl-edit", "operation": "Update", "fieldsType": "FieldsV1", "fieldsV1": fields}
    return {"kind": "Service", "metadata": {"managedFields": [row]}, "spec": {**spec, "ports": list(ports)}}


CHOSEN = {"port": 80, "protocol": "TCP", "nodePort": 30080}
DRAWN = {"name": "b", "port": 90, "protocol": "TCP", "nodePort": 30090}


def test_only_node_ports_that_somebody_has_chosen_are_kept() -> None:
    there = service("f:nodePort", {"name": "a", **CHOSEN}, DRAWN, externalTrafficPolicy="Local")
    assert services.fields_of_type(there) == {"externalTrafficPolicy": "Local", "ports": [CHOSEN]}
    assert services.fields_of_type(service("f:name", CHOSEN)) == {}


def test_what_is_not_back_is_lost() -> None:
    before = {"externalTrafficPolicy": "Local", "ports": [CHOSEN]}
    there = service("f:name", {"name": "a", **CHOSEN}, externalTrafficPolicy="Local")
    assert services.lost_fields(there, before) == {}
    assert services.lost_fields(service("f:name", {**CHOSEN, "nodePort": 1}), before) == before
    assert services.lost_fields(service("f:name"), {}) == {}
