"""Find the Service of a Milvus release, and its gRPC port."""

from __future__ import annotations

from collections.abc import Sequence

from milvus_l7.domain.kubernetes import manifests
from milvus_l7.domain.kubernetes.manifests import Manifest
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Permanent
from milvus_l7.domain.setup.facts import ServiceFacts
from milvus_l7.domain.text.untrusted import integer, mapping, objects, text

# The Service of the component that clients talk to carries one of these (chart template service.yaml).
COMPONENTS = ("proxy", "standalone")
# The container port's name in the chart, and Milvus' default number.
GRPC_TARGETS = ("milvus", 19530)


def find(services: Sequence[Manifest], fullname: str, port_name: str) -> ServiceFacts:
    """Return the release's Service among its objects: by the chart's naming rule, else by component.

    Raises `Permanent(SERVICE_NOT_FOUND | SERVICE_PORT_NOT_FOUND)`.
    """
    named = [s for s in services if _name(s) == fullname]
    components = [s for s in services if mapping(s, "metadata", "labels").get("component") in COMPONENTS]
    candidates = named or components
    if len(candidates) != 1:
        there = ", ".join(sorted(_name(s) for s in services)) or "none"
        raise Permanent(Reason.SERVICE_NOT_FOUND, f"no Service {fullname}; Services of the release: {there}")
    return _facts(candidates[0], port_name)


def _facts(service: Manifest, port_name: str) -> ServiceFacts:
    ports = objects(mapping(service, "spec").get("ports"))
    by_name = [p for p in ports if port_name and p.get("name") == port_name]
    by_target = [p for p in ports if p.get("targetPort") in GRPC_TARGETS]
    found = next(iter(by_name or by_target), None)
    number = integer(found.get("port")) if found else 0
    if found is None or not number:
        names = ", ".join(f"{text(p.get('name'))}:{integer(p.get('port'))}" for p in ports) or "none"
        message = f"Service {_name(service)} has no port {port_name!r} to Milvus' gRPC; its ports: {names}"
        raise Permanent(Reason.SERVICE_PORT_NOT_FOUND, message)
    return ServiceFacts(_name(service), text(found.get("name")), number)


def _name(manifest: Manifest) -> str:
    return text(mapping(manifest, "metadata").get("name"))


def address(service: Manifest | None) -> str | None:
    """Return the address of the Service's Layer-4 load balancer, or None if it has none."""
    return manifests.address(service)


def is_standalone(service: Manifest | None) -> bool:
    """Return whether one Pod is all of Milvus: the chart's Service then selects `component: standalone`."""
    return mapping(service, "spec", "selector").get("component") == "standalone"
