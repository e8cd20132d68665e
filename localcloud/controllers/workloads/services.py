"""The Layer-4 Service controller: an address and TCP forwarding for Services of type LoadBalancer."""

from __future__ import annotations

import time
from typing import Any

from localcloud.addresses import Addresses
from localcloud.controllers.client import KubeClient
from localcloud.controllers.delays import Delays
from localcloud.controllers.store import Store
from localcloud.controllers.workloads import endpoints
from localcloud.envoy.model import Backend, Balancing, Endpoint, TcpFrontEnd
from localcloud.envoy.process import Envoy

Object = dict[str, Any]


def forwarding(service: Object, pods: list[Object], address: str) -> Balancing:
    """Return listeners on `address` for the Service's ports, and the ready Pods behind each. Pure."""
    backends, front_ends = [], []
    for port in service["spec"].get("ports") or []:
        name = f"l4-{service['metadata']['uid']}-{port['port']}"
        hosts = (
            endpoints.host_port(pod, endpoints.target_port(pod, port))
            for pod in endpoints.ready_pods(service, pods)
        )
        backends.append(Backend(name, tuple(Endpoint(host, host) for host in hosts if host)))
        front_ends.append(TcpFrontEnd(name, address, port["port"], name))
    return Balancing(backends=tuple(backends), tcp=tuple(front_ends))


class Services:
    """Acts on all Services of the cluster."""

    def __init__(self, client: KubeClient, store: Store, addresses: Addresses, envoy: Envoy) -> None:
        self._client = client
        self._store = store
        self._addresses = addresses
        self._envoy = envoy
        self._wanted_since: dict[str, float] = {}  # owner -> monotonic time
        self.delays = Delays()

    def reconcile(self) -> None:
        """Go once over all Services: program, give addresses, and release what is no longer asked for."""
        services = self._store.list("services")
        wanted = {_owner(item): item for item in services if _wants_address(item)}
        for owner in [owner for owner in self._wanted_since if owner not in wanted]:
            del self._wanted_since[owner]
            self._envoy.serve(owner, Balancing())
            self._addresses.release(owner)
        for service in services:
            if not _wants_address(service) and _status_address(service):
                self._report(service, None)
        for owner, service in wanted.items():
            self._serve(owner, service)

    def _serve(self, owner: str, service: Object) -> None:
        since = self._wanted_since.setdefault(owner, time.monotonic())
        if time.monotonic() - since < self.delays.address_s:
            return
        address = self._addresses.lease(owner)
        self._envoy.serve(owner, forwarding(service, self._store.list("pods"), address))
        if _status_address(service) != address:
            self._report(service, address)

    def _report(self, service: Object, address: str | None) -> None:
        metadata = service["metadata"]
        status = {"loadBalancer": {"ingress": [{"ip": address}] if address else None}}
        path = f"/api/v1/namespaces/{metadata['namespace']}/services/{metadata['name']}/status"
        self._client.patch(path, {"status": status})


def _wants_address(service: Object) -> bool:
    return service["spec"].get("type") == "LoadBalancer" and "deletionTimestamp" not in service["metadata"]


def _status_address(service: Object) -> str:
    found = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    return str(found[0].get("ip", "")) if found else ""


def _owner(service: Object) -> str:
    return f"service/{service['metadata']['uid']}"
