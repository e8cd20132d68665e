"""What a new cluster holds: the namespaces and the Service of the API server itself."""

from __future__ import annotations

from localcloud.kube.requests.http import Options, Target
from localcloud.kube.resources import NAMESPACES, SERVICES
from localcloud.kube.store.objects import Store
from localcloud.kube.store.writes import Writes

_OPTIONS = Options("kube-apiserver")


def populate(store: Store) -> None:
    """Create the objects that kube-apiserver creates when it starts."""
    writes = Writes(store)
    for name in ("default", "kube-system", "kube-public", "kube-node-lease"):
        writes.create(Target(NAMESPACES, "", "", ""), {"metadata": {"name": name}}, _OPTIONS)
    port = {"name": "https", "port": 443, "targetPort": 6443}
    service = {"metadata": {"name": "kubernetes"}, "spec": {"ports": [port]}}
    writes.create(Target(SERVICES, "default", "", ""), service, _OPTIONS)
