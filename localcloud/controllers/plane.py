"""All controllers and the node of one embedded cluster, started and stopped together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol

from localcloud.addresses import Addresses, free_port
from localcloud.authority import Authority
from localcloud.controllers.certificates.managed_certificates import ManagedCertificates
from localcloud.controllers.certificates.ssl_certificates import SslCertificates
from localcloud.controllers.certificates.visibility import Lookup
from localcloud.controllers.client import KubeClient
from localcloud.controllers.delays import Delays
from localcloud.controllers.ingress.ingresses import Edge, Ingresses
from localcloud.controllers.ingress.negs import Negs
from localcloud.controllers.ingress.quotas import Quotas
from localcloud.controllers.loop import Loop
from localcloud.controllers.quirks import Quirks
from localcloud.controllers.store import Store
from localcloud.controllers.workloads.deployments import Deployments
from localcloud.controllers.workloads.kubelet import Kubelet
from localcloud.controllers.workloads.services import Services
from localcloud.envoy.process import Envoy
from localcloud.guard import Guard
from localcloud.node import binaries
from localcloud.node.milvus import MilvusImage

COLLECTIONS = {
    "pods": "/api/v1/pods",
    "services": "/api/v1/services",
    "deployments": "/apis/apps/v1/deployments",
    "ingresses": "/apis/networking.k8s.io/v1/ingresses",
    "backendconfigs": "/apis/cloud.google.com/v1/backendconfigs",
    "managedcertificates": "/apis/networking.gke.io/v1/managedcertificates",
}


class Cluster(Protocol):
    """The Kubernetes API server that is to be served; `localcloud.kube.KubeApi` is one."""

    @property
    def url(self) -> str:
        """Return where it listens."""

    @property
    def ca_pem(self) -> str:
        """Return what its certificate is verified against."""

    def issue_token(self, user: str) -> str:
        """Return a bearer token for a user name."""

    def serve_pod_logs(self, source: Callable[[str, str, str], str | None]) -> None:
        """Have it ask `source` (namespace, Pod, container) for logs."""


@dataclass(frozen=True, slots=True)
class PublicServices:
    """What Google-managed certificates need of the world: an authority that issues them, and public DNS."""

    authority: Authority
    lookup: Lookup


class ControlPlane:
    """Runs everything in threads: `start()`, then `stop()`, or as a context manager.

    Not to be started twice.
    """

    def __init__(
        self,
        cluster: Cluster,
        guard: Guard,
        addresses: Addresses,
        state: Path,
        public: PublicServices | None = None,
    ) -> None:
        self._cluster = cluster
        self._clients: list[KubeClient] = []
        self._store = Store(self._client("system:informer"), COLLECTIONS)
        self.envoy = Envoy(guard, state / "envoy", addresses.own, free_port())
        image = MilvusImage(guard, binaries.cache_folder())
        self._kubelet = Kubelet(self._client("system:kubelet"), self._store, state / "node", image)
        deployments = Deployments(self._client("system:deployment-controller"), self._store)
        self._services = Services(
            self._client("system:service-controller"), self._store, addresses, self.envoy
        )
        gce = self._client("system:gce-controller")
        public = public or PublicServices(Authority(), lambda _name, _kind: ())
        self.certificates = SslCertificates(public.authority, public.lookup)
        edge = Edge(addresses, self.envoy, self.certificates)
        self._ingresses = Ingresses(gce, self._store, edge)
        managed = self._client("system:managed-certificate-controller")
        self._managed = ManagedCertificates(managed, self._store, self.certificates)
        loops = {
            "kubelet": self._kubelet.sync,
            "deployments": deployments.reconcile,
            "services": self._services.reconcile,
            "negs": Negs(gce, self._store).reconcile,
            "ingresses": self._ingresses.reconcile,
            "managed-certificates": self._managed.reconcile,
        }
        self._loops = [Loop(name, self._store, reconcile) for name, reconcile in loops.items()]
        self.delays = Delays()

    def __enter__(self) -> ControlPlane:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def delays(self) -> Delays:
        """Return the present delays; new ones take effect in the next round of every controller."""
        return self._delays

    @delays.setter
    def delays(self, delays: Delays) -> None:
        self._delays = delays
        for part in (self._kubelet, self._services, self._ingresses, self._managed, self.certificates):
            part.delays = delays

    @property
    def quotas(self) -> Quotas:
        """Return the project's quotas; new ones take effect when something is made, or tried again."""
        return self._ingresses.quotas

    @quotas.setter
    def quotas(self, quotas: Quotas) -> None:
        self._ingresses.quotas = quotas
        self.certificates.limit = quotas.ssl_certificates

    @property
    def quirks(self) -> Quirks:
        """Return what goes less well than on a good day; others take effect in the next round."""
        return self._ingresses.quirks

    @quirks.setter
    def quirks(self, quirks: Quirks) -> None:
        for part in (self._ingresses, self._managed, self.certificates):
            part.quirks = quirks

    def start(self) -> None:
        """Start Envoy and all controllers, and serve Pod logs; returns at once.

        Raises `RuntimeError` if Milvus could not run here.
        """
        binaries.check_run_folder()
        self._cluster.serve_pod_logs(self.pod_log)
        self.envoy.start()
        self._store.start()
        for loop in self._loops:
            loop.start()

    def stop(self) -> None:
        """Stop all controllers, containers and Envoy; nothing is left running. Safe to call twice."""
        for loop in self._loops:
            loop.stop()
        self._kubelet.stop()
        self.envoy.stop()
        self._store.stop()
        for client in self._clients:
            client.close()

    def pod_log(self, namespace: str, pod: str, container: str = "") -> str | None:
        """Return the log of a Pod's Milvus container, all restarts; None for a Pod that never ran here."""
        del container  # a Pod here has one container that writes
        return self._kubelet.log_text(namespace, pod)

    def _client(self, user: str) -> KubeClient:
        client = KubeClient(self._cluster.url, self._cluster.ca_pem, self._cluster.issue_token(user))
        self._clients.append(client)
        return client
