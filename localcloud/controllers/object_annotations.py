"""The annotations of Ingresses, and how those of any object are read. Pure.

Keys and rules: kubernetes/ingress-gce pkg/annotations, pkg/utils (`IsGCEIngress`); gke-managed-certs.
"""

from __future__ import annotations

from typing import Any

Object = dict[str, Any]

CLASS = "kubernetes.io/ingress.class"
ALLOW_HTTP = "kubernetes.io/ingress.allow-http"
STATIC_IP = "kubernetes.io/ingress.global-static-ip-name"
MANAGED_CERTIFICATES = "networking.gke.io/managed-certificates"
PRE_SHARED_CERT = "ingress.gcp.kubernetes.io/pre-shared-cert"


def of(item: Object) -> dict[str, str]:
    """Return the object's annotations; empty if it has none."""
    return item["metadata"].get("annotations") or {}


def listed(annotation: str | None) -> list[str]:
    """Return the items of a comma list, trimmed."""
    return [item.strip() for item in (annotation or "").split(",") if item.strip()]


def is_gce(ingress: Object) -> bool:
    """Return whether the GKE controller looks at the Ingress.

    The annotation decides; without it, an `ingressClassName` of whatever value excludes.
    """
    name = of(ingress).get(CLASS, "")
    if name:
        return name == "gce"
    return not ingress["spec"].get("ingressClassName")
