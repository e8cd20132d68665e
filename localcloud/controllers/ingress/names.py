"""Names of the Google resources that the controllers would make. Pure.

Form: kubernetes/ingress-gce pkg/utils/namer. Users must read them from annotations and never rebuild them:
fields are trimmed to fit, and the hash is over things they do not see.
"""

from __future__ import annotations

import hashlib

CLUSTER_UID = "10ca1c10"
PROJECT, ZONE = "milvus-testing-nonprod", "us-central1-a"
NAME_LIMIT = 63
DEFAULT_BACKEND = ("kube-system", "default-http-backend", 80)


def neg_name(namespace: str, service: str, port: int) -> str:
    """Return the name of the NEG, and of the backend service on it."""
    digest = _hash(CLUSTER_UID, namespace, service, str(port))
    room = NAME_LIMIT - len(f"k8s1-{CLUSTER_UID}---{port}-{digest}")
    short_namespace, short_service = _trimmed(namespace, service, room)
    return f"k8s1-{CLUSTER_UID}-{short_namespace}-{short_service}-{port}-{digest}"


def node_port_backend_name(node_port: int) -> str:
    """Return the name of the backend service on instance groups."""
    return f"k8s-be-{node_port}--{CLUSTER_UID}"


def front_end_name(kind: str, namespace: str, name: str) -> str:
    """Return the name of a front-end resource; `kind` is fr, fs, tp, ts, um, rm or cr."""
    digest = _hash(CLUSTER_UID, namespace, name)
    room = NAME_LIMIT - len(f"k8s2-{kind}-{CLUSTER_UID}---{digest}")
    short_namespace, short_name = _trimmed(namespace, name, room)
    return f"k8s2-{kind}-{CLUSTER_UID}-{short_namespace}-{short_name}-{digest}"


def load_balancer_id(namespace: str, name: str) -> str:
    """Return what the controller calls the load balancer of an Ingress in its messages."""
    return f"{CLUSTER_UID}-{namespace}-{name}-{_hash(CLUSTER_UID, namespace, name)}"


def certificate_name(namespace: str, ingress: str, chain_pem: str) -> str:
    """Return the name of the SslCertificate made of a Secret: no word of the Secret is in it."""
    digest = hashlib.sha256(chain_pem.encode()).hexdigest()[:16]
    whose = hashlib.sha256(f"{namespace}/{ingress}".encode()).hexdigest()[:16]
    return f"k8s2-cr-{CLUSTER_UID}-{whose}-{digest}"


def _trimmed(first: str, second: str, room: int) -> tuple[str, str]:
    """Return both, cut in proportion to their length, so that they fit into `room` characters together."""
    total = len(first) + len(second)
    if total <= room:
        return first, second
    share = max(1, len(first) * room // total)
    return first[:share], second[: room - share]


def _hash(*parts: str) -> str:
    return hashlib.sha256(";".join(parts).encode()).hexdigest()[:8]
