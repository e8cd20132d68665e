"""The kinds of Kubernetes objects that are read or written, each in the version that is spoken."""

from __future__ import annotations

from typing import NamedTuple


class Kind(NamedTuple):
    """What names a kind, in the order in which a reference to an object has it."""

    api_version: str
    kind: str

    def header(self) -> dict[str, str]:
        """Return the fields of a manifest that say its kind."""
        return {"apiVersion": self.api_version, "kind": self.kind}


BACKEND_CONFIG = Kind("cloud.google.com/v1", "BackendConfig")
CONFIG_MAP = Kind("v1", "ConfigMap")
DEPLOYMENT = Kind("apps/v1", "Deployment")
EVENT = Kind("v1", "Event")
INGRESS = Kind("networking.k8s.io/v1", "Ingress")
MANAGED_CERTIFICATE = Kind("networking.gke.io/v1", "ManagedCertificate")
POD = Kind("v1", "Pod")
SECRET = Kind("v1", "Secret")
SERVICE = Kind("v1", "Service")
STATEFUL_SET = Kind("apps/v1", "StatefulSet")


def plural(kind: str) -> str:
    """Return what a kind is called in the API's paths, by the rule that all of Kubernetes' own follow.

    Source: k8s.io/apimachinery `pkg/api/meta`, UnsafeGuessKindToResource.
    """
    name = kind.lower()
    if name.endswith("s") and name != "endpoints":
        return f"{name}es"
    if name.endswith("y"):
        return f"{name[:-1]}ies"
    return name if name == "endpoints" else f"{name}s"
