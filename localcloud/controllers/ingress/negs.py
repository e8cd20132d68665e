"""The NEG controller: records on a Service the network endpoint groups that its ports got."""

from __future__ import annotations

import json
from typing import Any

from localcloud.controllers import object_annotations
from localcloud.controllers.client import KubeClient
from localcloud.controllers.events import Events
from localcloud.controllers.ingress import names, service_annotations, translation
from localcloud.controllers.store import Store

Object = dict[str, Any]


def neg_ports(service: Object, ingresses: list[Object]) -> set[int]:
    """Return the ports that get a NEG: exposed ones, and those an Ingress uses if NEGs are asked for.

    Pure.
    """
    metadata = service["metadata"]
    known = {port["port"] for port in service["spec"].get("ports") or []}
    ports = service_annotations.exposed_neg_ports(service) & known
    if service_annotations.has_neg_for_ingress(service):
        neighbours = (one for one in ingresses if one["metadata"]["namespace"] == metadata["namespace"])
        for ingress in filter(object_annotations.is_gce, neighbours):
            ports |= _used_ports(service, ingress)
    return ports


def neg_status(service: Object, ports: set[int]) -> str | None:
    """Return the text of the status annotation, None when there are no NEGs. Pure."""
    if not ports:
        return None
    metadata = service["metadata"]
    groups = {
        str(port): names.neg_name(metadata["namespace"], metadata["name"], port) for port in sorted(ports)
    }
    return json.dumps({"network_endpoint_groups": groups, "zones": [names.ZONE]}, separators=(",", ":"))


def recorded(service: Object, port: int) -> str | None:
    """Return the network endpoint group that the Service says its port has, or None. Pure."""
    status = json.loads(object_annotations.of(service).get(service_annotations.NEG_STATUS, "{}"))
    found: str | None = status.get("network_endpoint_groups", {}).get(str(port))
    return found


class Negs:
    """Acts on all Services of the cluster."""

    def __init__(self, client: KubeClient, store: Store) -> None:
        self._client = client
        self._store = store
        self._events = Events(client, "neg-controller")

    def reconcile(self) -> None:
        """Go once over all Services."""
        ingresses = [
            item for item in self._store.list("ingresses") if "deletionTimestamp" not in item["metadata"]
        ]
        for service in self._store.list("services"):
            wanted = neg_status(service, neg_ports(service, ingresses))
            if object_annotations.of(service).get(service_annotations.NEG_STATUS) != wanted:
                self._record(service, wanted)

    def _record(self, service: Object, wanted: str | None) -> None:
        metadata = service["metadata"]
        path = f"/api/v1/namespaces/{metadata['namespace']}/services/{metadata['name']}"
        self._client.patch(path, {"metadata": {"annotations": {service_annotations.NEG_STATUS: wanted}}})
        for name in json.loads(wanted or "{}").get("network_endpoint_groups", {}).values():
            self._events.normal(
                service, "Create", f'Created NEG "{name}" for {metadata["namespace"]}/{metadata["name"]}'
            )


def _used_ports(service: Object, ingress: Object) -> set[int]:
    found = (
        translation.find_port(service, port)
        for name, port in translation.service_ports(ingress)
        if name == service["metadata"]["name"]
    )
    return {port["port"] for port in found if port}
