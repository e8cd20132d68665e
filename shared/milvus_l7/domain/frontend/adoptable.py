"""Which objects that were made by hand, as the usual guides say, fit to be adopted as parts of a frontend."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from milvus_l7.domain.frontend import service_annotations
from milvus_l7.domain.frontend.ingress_objects import CLASS, INGRESS_CLASS, MANAGED_CERTIFICATES
from milvus_l7.domain.kubernetes.adoption import Path
from milvus_l7.domain.kubernetes.manifests import Manifest
from milvus_l7.domain.setup.desired import Desired
from milvus_l7.domain.setup.facts import ServiceFacts
from milvus_l7.domain.text import untrusted
from milvus_l7.domain.text.excerpt import excerpt

# The fields that we set in them.
INGRESS_FIELDS: Sequence[Path] = (
    ("metadata", "annotations", INGRESS_CLASS),
    ("metadata", "annotations", MANAGED_CERTIFICATES),
    ("spec", "rules"),
    ("spec", "tls"),
)
BACKEND_CONFIG_FIELDS: Sequence[Path] = (
    ("spec", "healthCheck", "type"),
    ("spec", "healthCheck", "port"),
    ("spec", "healthCheck", "requestPath"),
    ("spec", "timeoutSec"),
)
_SHOWN = 80


def ingress_fault(live: Manifest, desired: Desired, service: ServiceFacts) -> str | None:
    """Return why an Ingress cannot be the one of the Service; None if it can.

    It must lead the desired domains, and nothing else, to the Service's gRPC port, by an external load
    balancer: whatever else it did would be taken from somebody.
    """
    spec = untrusted.mapping(live, "spec")
    if spec.get("ingressClassName") is not None:
        return f"has spec.ingressClassName {excerpt(spec['ingressClassName'], _SHOWN)}"
    chosen = untrusted.mapping(live, "metadata", "annotations").get(INGRESS_CLASS, "")
    if chosen not in ("", CLASS):
        return f"is of the class {excerpt(chosen, _SHOWN)}, not {CLASS}"
    return next(_rule_faults(spec, desired, service), None)


def _rule_faults(spec: Manifest, desired: Desired, service: ServiceFacts) -> Iterator[str]:
    rules, default = untrusted.objects(spec.get("rules")), spec.get("defaultBackend")
    backends = [] if default is None else [default]
    for rule in rules:
        host = untrusted.text(rule.get("host"))
        if host not in desired.domains:
            yield f"has a rule for {excerpt(host, _SHOWN) or 'every host'}, which the request does not name"
        backends += [
            path.get("backend") for path in untrusted.objects(untrusted.mapping(rule, "http").get("paths"))
        ]
    for backend in backends:
        if not _leads_to(backend, service):
            yield f"leads to {_words(backend)}, not to {service.name}:{service.port}"
    if default is None and desired.domain not in {untrusted.text(rule.get("host")) for rule in rules}:
        yield f"has no rule for {desired.domain}"


def _leads_to(backend: Any, service: ServiceFacts) -> bool:
    named = untrusted.mapping(backend, "service")
    port = untrusted.mapping(named, "port")
    is_port = port.get("number") == service.port or (
        service.port_name and port.get("name") == service.port_name
    )
    return named.get("name") == service.name and bool(is_port)


def _words(backend: Any) -> str:
    named = untrusted.mapping(backend, "service")
    if not named:
        return "what is no Service"
    port = untrusted.mapping(named, "port")
    return excerpt(f"{named.get('name')}:{port.get('number') or port.get('name')}", _SHOWN)


def backend_config_fault(name: str, others: Sequence[Manifest]) -> str | None:
    """Return why a BackendConfig cannot be a Service's own: one of the other Services names it, too."""
    for each in others:
        if name in service_annotations.configs(untrusted.mapping(each, "metadata", "annotations")):
            shown = excerpt(untrusted.mapping(each, "metadata").get("name"), _SHOWN)
            return f"is named by Service {shown}, too, whose health check would change"
    return None
