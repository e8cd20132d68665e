"""What an Ingress means: backends, routes and certificates, or the error that GKE would report. Pure.

Rules and texts: kubernetes/ingress-gce pkg/translator, pkg/controller/errors.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from localcloud.controllers import object_annotations
from localcloud.controllers.ingress import health_checks, names, service_annotations
from localcloud.controllers.workloads import endpoints
from localcloud.envoy.model import Backend, Certificate, Endpoint, HealthCheck, Protocol, Route

Object = dict[str, Any]

NODE_PORT_TYPES = ("NodePort", "LoadBalancer")
NO_FRONT_END = (
    "both HTTP and HTTPS are disabled "
    "(kubernetes.io/ingress.allow-http is false and there is no valid TLS configuration)"
)
CLOSED_PORT = 1  # nothing listens here: a probe of a port that does not exist fails


class TranslateError(Exception):
    """The Ingress or its Services are wrong; reported as `Translate`."""


class SyncError(Exception):
    """The load balancer cannot be made from what is there; reported as `Sync`."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """What an Ingress may refer to, by name, in its own namespace."""

    services: Mapping[str, Object]
    backend_configs: Mapping[str, Object]
    secrets: Mapping[str, Object]
    ssl_certificates: frozenset[str] = frozenset()  # of the project


@dataclass(frozen=True, slots=True)
class BackendSpec:
    """One backend of the load balancer, without its endpoints, which come and go."""

    name: str
    service: str
    port: Object  # of the Service
    has_neg: bool
    protocol: Protocol
    health_check: HealthCheck
    health_port: int | None  # None: the serving port
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Translation:
    """A load balancer to be."""

    backends: tuple[BackendSpec, ...]
    routes: tuple[Route, ...]
    certificates: tuple[Certificate, ...]  # of the Secrets
    allows_http: bool
    pre_shared: tuple[str, ...] = ()  # SslCertificates; they come before the Secrets' certificates


def service_ports(ingress: Object) -> Iterator[tuple[str, Object]]:
    """Yield each Service name and port reference (`{"name"}` or `{"number"}`), with repetitions."""
    for _, _, backend in _rules(ingress):
        yield _service_reference(backend)


def secret_names(ingress: Object) -> list[str]:
    """Return the Secrets of `spec.tls`; an empty name for an entry without one."""
    return [str(entry.get("secretName") or "") for entry in ingress["spec"].get("tls") or []]


def translate(ingress: Object, gathered: Gathered, fastest_probe_s: float) -> Translation:
    """Return the load balancer that the Ingress describes. Raises `TranslateError` or `SyncError`."""
    backends: dict[str, BackendSpec] = {}
    routes: list[Route] = []
    for host, path, reference in _rules(ingress):
        spec = _backend(ingress["metadata"]["namespace"], reference, gathered, fastest_probe_s)
        backends[spec.name] = spec
        text, is_exact = _matched_path(path)
        routes.append(Route(host, text, is_exact, spec.name, spec.timeout_s))
    certificates = tuple(_certificate(name, gathered.secrets) for name in secret_names(ingress))
    wishes = object_annotations.of(ingress)
    allows_http = wishes.get(object_annotations.ALLOW_HTTP, "true").lower() not in ("false", "f", "0")
    pre_shared = _pre_shared(wishes, gathered)
    if not allows_http and not certificates and not pre_shared:
        raise SyncError(NO_FRONT_END)
    static_ip = wishes.get(object_annotations.STATIC_IP)
    if static_ip is not None:
        # No addresses can be reserved in the embedded cloud.
        raise SyncError(f"the given static IP name {static_ip} doesn't translate to an existing static IP.")
    return Translation(tuple(backends.values()), tuple(routes), certificates, allows_http, pre_shared)


def backend_of(spec: BackendSpec, service: Object, pods: list[Object]) -> Backend:
    """Return the backend with the endpoints that stand behind the Service now."""
    found = []
    for pod in endpoints.ready_pods(service, pods):
        serving = endpoints.host_port(pod, endpoints.target_port(pod, spec.port))
        if serving:
            found.append(Endpoint(serving, _probed_port(spec, pod, serving)))
    return Backend(spec.name, tuple(found), spec.protocol, spec.health_check)


def _probed_port(spec: BackendSpec, pod: Object, serving: int) -> int:
    if spec.health_port is None:
        return serving
    if not spec.has_neg:
        # Instance groups are probed at the node, where a container's port means nothing.
        return serving if spec.health_port == spec.port.get("nodePort") else CLOSED_PORT
    return endpoints.host_port(pod, spec.health_port) or CLOSED_PORT


def _rules(ingress: Object) -> Iterator[tuple[str, Object, Object]]:
    """Yield host, path and backend of every rule; the default backend as any host, any path."""
    spec = ingress["spec"]
    for rule in spec.get("rules") or []:
        for path in (rule.get("http") or {}).get("paths") or []:
            yield rule.get("host") or "*", path, path["backend"]
    if spec.get("defaultBackend"):
        yield "*", {"path": "/", "pathType": "Prefix"}, spec["defaultBackend"]


def _matched_path(path: Object) -> tuple[str, bool]:
    text = path.get("path") or "/"
    if path.get("pathType") in ("Exact", "Prefix"):
        if "*" in text:
            raise TranslateError(
                f'failed to validate {path["pathType"]} path {text} due to invalid wildcard "*"'
            )
        return text, path["pathType"] == "Exact"
    if text.endswith("/*"):
        return text.removesuffix("*"), False
    return text, text != "/"


def _service_reference(backend: Object) -> tuple[str, Object]:
    service = backend.get("service")
    if not service:
        raise TranslateError("an Ingress backend must refer to a Service")
    return service["name"], service["port"]


def _backend(namespace: str, reference: Object, gathered: Gathered, fastest_probe_s: float) -> BackendSpec:
    name, wanted = _service_reference(reference)
    service = gathered.services.get(name)
    if service is None:
        raise TranslateError(f'could not find service "{namespace}/{name}"')
    port = _service_port(service, wanted)
    protocol = _protocol(service, port)
    config = _backend_config(service, port, gathered)
    try:
        check = health_checks.health_check(config, protocol, fastest_probe_s)
    except health_checks.BadBackendConfig as error:
        raise TranslateError(str(error)) from error
    has_neg = service_annotations.has_neg_for_ingress(service)
    if not has_neg and service["spec"].get("type") not in NODE_PORT_TYPES:
        kind = service["spec"].get("type", "ClusterIP")
        raise TranslateError(
            f'service "{namespace}/{name}" is type "{kind}", expected "NodePort" or "LoadBalancer"'
        )
    return BackendSpec(
        name=(
            names.neg_name(namespace, name, port["port"])
            if has_neg
            else names.node_port_backend_name(port.get("nodePort", 0))
        ),
        service=name,
        port=port,
        has_neg=has_neg,
        protocol=protocol,
        health_check=check,
        health_port=health_checks.health_port(config),
        timeout_s=health_checks.timeout_s(config),
    )


def find_port(service: Object, wanted: Object) -> Object | None:
    """Return the Service's port with the wanted name or number."""
    for port in service["spec"].get("ports") or []:
        if (wanted.get("name") and port.get("name") == wanted["name"]) or port["port"] == wanted.get(
            "number"
        ):
            found: Object = port
            return found
    return None


def _service_port(service: Object, wanted: Object) -> Object:
    port = find_port(service, wanted)
    if port is None:
        metadata = service["metadata"]
        named = wanted.get("name") or wanted.get("number")
        raise TranslateError(
            f'could not find port "{named}" in service "{metadata["namespace"]}/{metadata["name"]}"'
        )
    return port


def _protocol(service: Object, port: Object) -> Protocol:
    """Return the protocol by the port's **name**; a key that is no port name changes nothing, silently."""
    try:
        return service_annotations.app_protocols(service).get(port.get("name", ""), "HTTP")
    except service_annotations.BadAnnotation as error:
        metadata = service["metadata"]
        # The real text names the alpha key, whichever is used.
        raise TranslateError(
            f'could not parse "{service_annotations.ALPHA_APP_PROTOCOLS}" annotation on service '
            f'"{metadata["namespace"]}/{metadata["name"]}", err: {error}'
        ) from error


def _backend_config(service: Object, port: Object, gathered: Gathered) -> Object | None:
    try:
        name = service_annotations.backend_config_name(service, port)
    except service_annotations.BadAnnotation as error:
        raise _no_backend_config(service, port, str(error)) from error
    if name is None:
        return None
    if name not in gathered.backend_configs:
        raise _no_backend_config(service, port, "no BackendConfig for service port exists.")
    return gathered.backend_configs[name]


def _no_backend_config(service: Object, port: Object, why: str) -> TranslateError:
    metadata = service["metadata"]
    return TranslateError(
        f'error getting BackendConfig for port "{port.get("name") or port["port"]}" on service '
        f'"{metadata["namespace"]}/{metadata["name"]}", err: {why}'
    )


def _pre_shared(wishes: Mapping[str, str], gathered: Gathered) -> tuple[str, ...]:
    names = tuple(object_annotations.listed(wishes.get(object_annotations.PRE_SHARED_CERT)))
    missing = [name for name in names if name not in gathered.ssl_certificates]
    if missing:
        raise SyncError(
            "errors - " + ",".join(f"{name}: unable to find existing SslCertificate" for name in missing)
        )
    return names


def _certificate(name: str, secrets: Mapping[str, Object]) -> Certificate:
    if not name:
        raise SyncError('secret "" does not exist')
    if name not in secrets:
        raise SyncError(f'error initializing translator env: secrets "{name}" not found')
    data = secrets[name].get("data") or {}
    for key, what in (("tls.crt", "cert"), ("tls.key", "private key")):
        if key not in data:
            raise SyncError(f'secret "{name}" does not specify {what} as string data')
    try:
        chain, key_pem = (base64.b64decode(data[key]).decode() for key in ("tls.crt", "tls.key"))
        certificate = x509.load_pem_x509_certificate(chain.encode())
        is_pair = load_pem_private_key(key_pem.encode(), None).public_key() == certificate.public_key()
    except (ValueError, TypeError):
        is_pair = False
    if not is_pair:
        # Compute refuses it; nothing of the Secret may be in the text.
        raise SyncError(
            f'Cert creation failures - secret "{name}" Error: googleapi: Error 400: '
            "The SSL certificate could not be parsed., sslCertificateCouldNotParseCert"
        )
    return Certificate(chain, key_pem)
