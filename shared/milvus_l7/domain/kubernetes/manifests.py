"""The Kubernetes objects that a setup needs, as JSON.

Names: a Service's name has at most 63 characters (RFC 1035 label), and names of the other kinds may have 253
(RFC 1123 subdomain), so a Service's name with a suffix always fits.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from milvus_l7.domain.certificates.key_pair import TLS_TYPE, KeyPair
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Permanent
from milvus_l7.domain.setup.document import Desired, ServiceFacts, Setup
from milvus_l7.domain.text import untrusted

Manifest = Mapping[str, Any]

CLUSTER_IP = "ClusterIP"  # the default type of a Service
MANAGED_BY = "app.kubernetes.io/managed-by"
OURS = "milvus-l7"

# Milvus answers plain HTTP here, whatever its gRPC port does; with NEGs this is the Pod's container port.
HEALTH_PORT = 9091
HEALTH_PATH = "/healthz"

INGRESS_CLASS = "kubernetes.io/ingress.class"
MANAGED_CERTIFICATES = "networking.gke.io/managed-certificates"  # comma list of names

_TLS_SUFFIX = re.compile(r"-tls(?:-(?P<number>[2-9]|[1-9][0-9]+))?")


@dataclass(frozen=True, slots=True)
class Attachments:
    """What an Ingress serves, and with which certificates; what comes first is preferred."""

    hosts: tuple[str, ...] = ()
    managed: tuple[str, ...] = ()  # names of ManagedCertificates
    secrets: tuple[str, ...] = ()  # names of TLS Secrets


def service_of(setup: Setup) -> ServiceFacts:
    """The Service that prepare_tls found; `Permanent(SERVICE_NOT_FOUND)` if the setup has none."""
    if setup.facts.service is None:
        raise Permanent(Reason.SERVICE_NOT_FOUND, "no Service is known for the release; set it up again")
    return setup.facts.service


def is_ours(live: Manifest | None) -> bool:
    """Whether we made the object, or would make it: only such objects are labelled, and ever deleted."""
    if live is None:
        return True
    return bool(untrusted.mapping(live, "metadata", "labels").get(MANAGED_BY) == OURS)


def backend_config_name(service: ServiceFacts) -> str:
    """The name of the Service's BackendConfig."""
    return f"{service.name}-backendconfig"


def tls_name(service: str, number: int = 1) -> str:
    """What the Service's certificates are called, Secrets and ManagedCertificates alike.

    `<service>-tls`, then `<service>-tls-2`, ...: a second one is made when the first must serve on meanwhile.
    """
    return f"{service}-tls" if number == 1 else f"{service}-tls-{number}"


def tls_number(service: str, name: str) -> int | None:
    """Which of the Service's certificates the name says: 1, 2, ...; None for a name that we never give.

    The name alone does not make an object ours: see `is_ours`.
    """
    match = _TLS_SUFFIX.fullmatch(name.removeprefix(service)) if name.startswith(service) else None
    return int(match["number"] or 1) if match else None


def secret_name(service: ServiceFacts, number: int = 1) -> str:
    """The name of the TLS Secrets that we issue."""
    return tls_name(service.name, number)


def secret_number(service: ServiceFacts, name: str) -> int | None:
    """Which of the Secrets that we issue has this name; None if none of them can have it."""
    return tls_number(service.name, name)


def backend_config(desired: Desired, service: ServiceFacts, *, labelled: bool) -> Manifest:
    """The BackendConfig with Milvus' health check and the time-out of whole responses, in seconds.

    `type` is always given: without it an HTTP/2 backend keeps a TLS check, which fails on the plain health
    port (kubernetes/ingress-gce `pkg/translator/healthchecks.go`).
    """
    metadata = _metadata(desired, backend_config_name(service), labelled=labelled)
    check = {"type": "HTTP", "port": HEALTH_PORT, "requestPath": HEALTH_PATH}
    return {
        "apiVersion": "cloud.google.com/v1",
        "kind": "BackendConfig",
        "metadata": metadata,
        "spec": {"healthCheck": check, "timeoutSec": desired.backend_timeout_s},
    }


def annotated_service(live: Manifest, annotations: Mapping[str, str]) -> Manifest:
    """The Service with nothing but annotations.

    It carries the version that the annotations were merged into, so that the API server refuses it if
    somebody has changed the Service since then.
    """
    metadata = {key: live["metadata"][key] for key in ("namespace", "name", "resourceVersion")}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {**metadata, "annotations": dict(annotations)},
    }


def typed_service(live: Manifest, of: str = CLUSTER_IP) -> Manifest:
    """The Service with nothing but its type."""
    return {**annotated_service(live, {}), "spec": {"type": of}}


def is_cluster_ip(service: Manifest) -> bool:
    """Whether the Service has no load balancer or node ports of its own."""
    return bool(untrusted.mapping(service, "spec").get("type", CLUSTER_IP) == CLUSTER_IP)


def nothing_of(live: Manifest) -> Manifest:
    """The object without any field: applied, it takes back the fields that we have set."""
    metadata = {key: live["metadata"][key] for key in ("namespace", "name")}
    return {"apiVersion": live["apiVersion"], "kind": live["kind"], "metadata": metadata}


def tls_secret(desired: Desired, name: str, pair: KeyPair) -> Manifest:
    """The Secret that holds a key and its certificate, with our label. Must not be logged."""
    files = {"tls.crt": pair.certificate_pem, "tls.key": pair.key_pem}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": _metadata(desired, name, labelled=True),
        "type": TLS_TYPE,
        "data": {key: b64encode(pem.encode()).decode() for key, pem in files.items()},
    }


def managed_certificate(desired: Desired, name: str) -> Manifest:
    """The ManagedCertificate for the desired domains, with our label. It must never be applied again with
    other domains: the controller would delete the certificate that serves.
    """
    return {
        "apiVersion": "networking.gke.io/v1",
        "kind": "ManagedCertificate",
        "metadata": _metadata(desired, name, labelled=True),
        "spec": {"domains": list(desired.domains)},
    }


def ingress(desired: Desired, service: ServiceFacts, attachments: Attachments) -> Manifest:
    """The Ingress from the hosts to the Service's gRPC port, with our label.

    The class is an annotation: `ingressClassName` makes GKE's controller ignore the Ingress
    (kubernetes/ingress-gce `pkg/utils/utils.go`). The TLS entries name no hosts: they have no effect there.
    Without a Secret there is no TLS entry at all: one that names none makes the whole sync fail
    (kubernetes/ingress-gce#1334).
    """
    backend = {"service": {"name": service.name, "port": {"number": service.port}}}
    paths = {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}
    annotations = {INGRESS_CLASS: "gce"}
    if attachments.managed:
        annotations[MANAGED_CERTIFICATES] = ",".join(attachments.managed)
    tls = [{"secretName": secret} for secret in attachments.secrets]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {**_metadata(desired, service.name, labelled=True), "annotations": annotations},
        "spec": {
            **({"tls": tls} if tls else {}),
            "rules": [{"host": host, "http": paths} for host in attachments.hosts],
        },
    }


def _metadata(desired: Desired, name: str, *, labelled: bool) -> dict[str, Any]:
    metadata: dict[str, Any] = {"namespace": desired.namespace, "name": name}
    return metadata | ({"labels": {MANAGED_BY: OURS}} if labelled else {})
