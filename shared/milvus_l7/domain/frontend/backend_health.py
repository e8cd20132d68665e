"""What Ingress and Service tell of the load balancer's backends.

Source: kubernetes/ingress-gce pkg/backends, pkg/annotations. With a NEG the backend service has the NEG's
name, which only `neg-status` tells reliably. Both objects are untrusted input: odd content is "not known".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from milvus_l7.domain.frontend import ingress_freshness
from milvus_l7.domain.frontend.service_annotations import ALPHA_APP_PROTOCOLS, APP_PROTOCOLS, LIMITS
from milvus_l7.domain.kubernetes import manifests
from milvus_l7.domain.kubernetes.manifests import Manifest
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.setup import checks
from milvus_l7.domain.setup.facts import Check, CheckState, ServiceFacts
from milvus_l7.domain.text import bounded_json, excerpt, untrusted

REPORT = "ingress.kubernetes.io/backends"
NEG_STATUS = "cloud.google.com/neg-status"
# The older key wins where both are set.
_APP_PROTOCOLS = (ALPHA_APP_PROTOCOLS, APP_PROTOCOLS)

HEALTHY = "HEALTHY"
NOT_KNOWN = "Unknown"  # an error, no backends, or no health yet


def backends(
    ingress: Manifest | None, service: Manifest | None, port: ServiceFacts, stale: str = ""
) -> Check:
    """Return whether the load balancer reports the network endpoint group of the Service's port healthy.

    `stale`: why the report may be of a load balancer that is no more.
    """
    if service is None:
        message = f"Service {port.name} is gone"
        return checks.failed(checks.BACKENDS, Reason.SERVICE_NOT_FOUND, message)
    if ingress is None:
        message = f"Ingress {port.name} is gone; publish the request again"
        return checks.failed(checks.BACKENDS, Reason.INGRESS_NOT_FOUND, message)
    if not ingress_freshness.has_class(ingress):
        message = (
            f"Ingress {port.name} has another class, so it has no load balancer; publish the request again"
        )
        return checks.failed(checks.BACKENDS, Reason.INGRESS_CLASS_CHANGED, message)
    if stale:
        return checks.pending(checks.BACKENDS, Reason.LOAD_BALANCER_REPLACED, stale)
    return _reported(ingress, service, port)


def _reported(ingress: Manifest, service: Manifest, port: ServiceFacts) -> Check:
    group = neg_name(service, port.port)
    if group is None:
        return _unknown(f"Service {port.name} has no network endpoint group for port {port.port} yet")
    state = _json_object(ingress, REPORT).get(group)
    if state == HEALTHY:
        return checks.passed(checks.BACKENDS, f"{group} is {HEALTHY}")
    if not isinstance(state, str) or state == NOT_KNOWN:
        return _unknown(f"the load balancer has not reported on {group} yet")
    message = f"the load balancer reports {group} {excerpt.excerpt(state, 40)}"
    return checks.failed(checks.BACKENDS, Reason.BACKENDS_UNHEALTHY, message)


def explained(check: Check, pods: Sequence[Manifest], firewall_change: str | None) -> Check:
    """Tell unhealthy backends apart by whether their Pods are ready; other checks come back as they are.

    Ready Pods whose health checks fail have a firewall or a BackendConfig in the way. `firewall_change` is
    what the controller asks a Shared VPC's admin for.
    """
    if check.state is not CheckState.FAILED or check.reason is not Reason.BACKENDS_UNHEALTHY:
        return check
    ready = sum(_is_ready(pod) for pod in pods)
    if not ready:
        message = f"{check.message}; none of {len(pods)} Pods is ready"
        return checks.failed(checks.BACKENDS, Reason.BACKENDS_UNHEALTHY, message)
    asked = f"; {excerpt.excerpt(firewall_change, 300)}" if firewall_change else ""
    message = f"{check.message}, although {ready} of {len(pods)} Pods are ready{asked}"
    return checks.failed(checks.BACKENDS, Reason.BACKENDS_UNHEALTHY_PODS_READY, message)


def selector(service: Manifest | None) -> Mapping[str, str]:
    """Return the labels of the Service's Pods; empty if there are none, which selects no Pod."""
    labels = untrusted.mapping(service, "spec", "selector")
    return {key: value for key, value in labels.items() if isinstance(value, str)}


def _is_ready(pod: Manifest) -> bool:
    conditions = untrusted.objects(untrusted.mapping(pod, "status").get("conditions"))
    is_reported = any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)
    return is_reported and not manifests.is_terminating(pod)


def _unknown(message: str) -> Check:
    return checks.pending(checks.BACKENDS, Reason.BACKENDS_UNHEALTHY, message)


def neg_name(service: Manifest, port: int) -> str | None:
    """Return the name of the network endpoint group that the controller made for the port, or None."""
    groups = untrusted.mapping(_json_object(service, NEG_STATUS), "network_endpoint_groups")
    return untrusted.text(groups.get(str(port))) or None


def protocol_problem(service: Manifest, port: ServiceFacts) -> str | None:
    """Return why the load balancer does not speak HTTP/2 to the port, or None if it does.

    Only the port's *name* counts ("" when it has none); without a match the load balancer speaks HTTP/1.1,
    which breaks gRPC silently (kubernetes/ingress-gce pkg/controller/translator).
    """
    texts = _annotations(service)
    key = next((key for key in _APP_PROTOCOLS if key in texts), None)
    if key is None:
        return f'Service {port.name} has no annotation {APP_PROTOCOLS}; port "{port.port_name}" needs HTTP2'
    if _json_object(service, key).get(port.port_name) == "HTTP2":
        return None
    content = excerpt.excerpt(texts[key], 120)
    return f'Service {port.name} has {key}: {content}; port "{port.port_name}" needs HTTP2'


def _annotations(manifest: Manifest) -> Mapping[str, Any]:
    return untrusted.mapping(manifest, "metadata", "annotations")


def _json_object(manifest: Manifest, key: str) -> Mapping[str, Any]:
    """Return the JSON object in an annotation; empty if it is absent or anything else."""
    try:
        text = untrusted.text(_annotations(manifest).get(key))
        return untrusted.mapping(bounded_json.loads(text, LIMITS))
    except ValueError:
        return {}
