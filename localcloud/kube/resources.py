"""The table of the resources that are served: one row each, nothing else lists them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind of object under one group and version."""

    group: str
    version: str
    kind: str
    plural: str
    short_names: tuple[str, ...] = ()
    is_namespaced: bool = True
    has_status: bool = False  # a status subresource, so that the main endpoint ignores `status`
    has_generation: bool = (
        False  # metadata.generation counts the changes of everything but metadata and status
    )
    is_custom: bool = False  # defined by a CustomResourceDefinition (module `crds`)

    @property
    def api_version(self) -> str:
        """Return `v1` or `apps/v1`: the value of `apiVersion`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def singular(self) -> str:
        """Return `configmap`: what kubectl accepts beside the plural."""
        return self.kind.lower()

    @property
    def base_path(self) -> str:
        """Return `api/v1` or `apis/apps/v1`: where the group-version is served, without outer slashes."""
        return f"apis/{self.group}/{self.version}" if self.group else f"api/{self.version}"


def _core(
    kind: str, plural: str, *short_names: str, status: bool = False, namespaced: bool = True
) -> Resource:
    return Resource("", "v1", kind, plural, short_names, namespaced, status, has_generation=kind == "Pod")


def _grouped(group: str, kind: str, plural: str, *short_names: str, status: bool = True) -> Resource:
    return Resource(group, "v1", kind, plural, short_names, has_status=status, has_generation=status)


def _custom(group_version: str, kind: str, plural: str, *short_names: str) -> Resource:
    group, version = group_version.split("/")
    return Resource(group, version, kind, plural, short_names, has_generation=True, is_custom=True)


NAMESPACES = _core("Namespace", "namespaces", "ns", status=True, namespaced=False)
SERVICES = _core("Service", "services", "svc", status=True)
PODS = _core("Pod", "pods", "po", status=True)

RESOURCES: tuple[Resource, ...] = (
    NAMESPACES,
    SERVICES,
    PODS,
    _core("Secret", "secrets"),
    _core("ConfigMap", "configmaps", "cm"),
    _core("Event", "events", "ev"),
    _core("ServiceAccount", "serviceaccounts", "sa"),
    _core("Endpoints", "endpoints", "ep"),
    _core("PersistentVolumeClaim", "persistentvolumeclaims", "pvc", status=True),
    _core("Node", "nodes", "no", status=True, namespaced=False),
    _grouped("apps", "Deployment", "deployments", "deploy"),
    _grouped("apps", "ReplicaSet", "replicasets", "rs"),
    _grouped("apps", "StatefulSet", "statefulsets", "sts"),
    _grouped("networking.k8s.io", "Ingress", "ingresses", "ing"),
    Resource(
        "networking.k8s.io", "v1", "IngressClass", "ingressclasses", is_namespaced=False, has_generation=True
    ),
    Resource("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", has_generation=True),
    _grouped("coordination.k8s.io", "Lease", "leases", status=False),
    _grouped("policy", "PodDisruptionBudget", "poddisruptionbudgets", "pdb"),
    _grouped("batch", "Job", "jobs"),
    _grouped("rbac.authorization.k8s.io", "Role", "roles", status=False),
    _grouped("rbac.authorization.k8s.io", "RoleBinding", "rolebindings", status=False),
    _custom("cloud.google.com/v1", "BackendConfig", "backendconfigs", "bc"),
    _custom("networking.gke.io/v1", "ManagedCertificate", "managedcertificates", "mcrt"),
    _custom("networking.gke.io/v1beta1", "FrontendConfig", "frontendconfigs"),
    _custom(
        "networking.gke.io/v1beta1", "ServiceNetworkEndpointGroup", "servicenetworkendpointgroups", "svcneg"
    ),
)

# Kinds whose registry takes a PUT of a missing object as a create.
CREATED_BY_UPDATE = frozenset({"Service", "Endpoints", "Event", "Lease", "Role", "RoleBinding"})

BY_PATH: dict[tuple[str, str], Resource] = {(row.base_path, row.plural): row for row in RESOURCES}


def group_versions() -> list[tuple[str, str]]:
    """Return (group, version) pairs in table order, each once."""
    return list(dict.fromkeys((row.group, row.version) for row in RESOURCES))


def of_group_version(group: str, version: str) -> list[Resource]:
    """Return the resources under one group and version; empty if it is not served."""
    return [row for row in RESOURCES if (row.group, row.version) == (group, version)]
