"""The Kubernetes objects that expose a Service through a GKE Ingress, as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from milvus_l7.domain.kubernetes import kinds, manifests
from milvus_l7.domain.kubernetes.manifests import Manifest
from milvus_l7.domain.reasons import health_check
from milvus_l7.domain.setup.desired import Desired
from milvus_l7.domain.setup.facts import ServiceFacts

INGRESS_CLASS = "kubernetes.io/ingress.class"
CLASS = "gce"  # an external load balancer
MANAGED_CERTIFICATES = "networking.gke.io/managed-certificates"  # comma list of names


@dataclass(frozen=True, slots=True)
class Attachments:
    """What an Ingress serves, and with which certificates; what comes first is preferred."""

    hosts: tuple[str, ...] = ()
    managed: tuple[str, ...] = ()  # names of ManagedCertificates
    secrets: tuple[str, ...] = ()  # names of TLS Secrets


def backend_config_name(service: ServiceFacts) -> str:
    """Return the name of the Service's BackendConfig."""
    return f"{service.name}-backendconfig"


def backend_config(desired: Desired, name: str, labels: Mapping[str, str] = manifests.MADE) -> Manifest:
    """Return the BackendConfig with Milvus' health check and the time-out of whole responses, in seconds.

    `type` is always given: without it an HTTP/2 backend keeps a TLS check, which fails on the plain health
    port (kubernetes/ingress-gce `pkg/translator/healthchecks.go`).
    """
    check = {"type": "HTTP", "port": health_check.PORT, "requestPath": health_check.PATH}
    return {
        **kinds.BACKEND_CONFIG.header(),
        "metadata": manifests.metadata(desired, name, labels),
        "spec": {"healthCheck": check, "timeoutSec": desired.backend_timeout_s},
    }


def ingress(
    desired: Desired,
    service: ServiceFacts,
    attachments: Attachments,
    labels: Mapping[str, str] = manifests.MADE,
) -> Manifest:
    """Return the Ingress from the hosts to the Service's gRPC port, with our label.

    The class is an annotation: `ingressClassName` makes GKE's controller ignore the Ingress
    (kubernetes/ingress-gce `pkg/utils/utils.go`). The TLS entries name no hosts: they have no effect there.
    Without a Secret there is no TLS entry at all: one that names none makes the whole sync fail
    (kubernetes/ingress-gce#1334).
    """
    backend = {"service": {"name": service.name, "port": {"number": service.port}}}
    paths = {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}
    annotations = {INGRESS_CLASS: CLASS}
    if attachments.managed:
        annotations[MANAGED_CERTIFICATES] = ",".join(attachments.managed)
    tls = [{"secretName": secret} for secret in attachments.secrets]
    return {
        **kinds.INGRESS.header(),
        "metadata": {**manifests.metadata(desired, service.name, labels), "annotations": annotations},
        "spec": {
            **({"tls": tls} if tls else {}),
            "rules": [{"host": host, "http": paths} for host in attachments.hosts],
        },
    }
