"""What an Ingress means: backends, routes and certificates, or the error that GKE would report. Pure.

Rules and texts: kubernetes/ingress-gce pkg/controller/translator, pkg/controller/errors, pkg/healthchecks,
pkg/loadbalancers, and what its controller said over a fake Compute Engine. The phases, of which each ends the
sync with its own words:

    translation      the faults of all backends, joined
    backends         health checks, network endpoint groups, quota of backend services
    load balancer    Secrets; then the URL map and HTTP are made; then certificates, HTTPS
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, get_args

from localcloud.controllers import object_annotations
from localcloud.controllers.certificates import ssl_resources
from localcloud.controllers.ingress import health_checks, names, service_annotations
from localcloud.controllers.workloads import endpoints
from localcloud.envoy.model import Backend, Certificate, Endpoint, HealthCheck, Protocol, Route

Object = dict[str, Any]

NODE_PORT_TYPES = ("NodePort", "LoadBalancer")
NO_FRONT_END = (
    "invalid configuration: both HTTP and HTTPS are disabled "
    "(kubernetes.io/ingress.allow-http is false and there is no valid TLS configuration)"
)
CLOSED_PORT = 1  # nothing listens here: a probe of a port that does not exist fails


class TranslateError(Exception):
    """The Ingress or its Services are wrong; reported as `Translate`."""


class SyncError(Exception):
    """The load balancer cannot be made from what is there; reported as `Sync`."""

    routine = "load balancer"
    names_load_balancer = False


class BackendError(SyncError):
    """A backend service, or what it needs, cannot be made; nothing of the load balancer is touched."""

    routine = "backend"


class FrontEndError(SyncError):
    """A part of the load balancer cannot be made; the URL map and the backends are as they should be."""

    names_load_balancer = True

    def __init__(self, text: str, translation: Translation) -> None:
        super().__init__(text)
        self.translation = translation  # without what could not be made


@dataclass(frozen=True, slots=True)
class Quota:
    """How many SslCertificates the project may have, and how many are left."""

    limit: int
    left: int


@dataclass(frozen=True, slots=True)
class Gathered:
    """What an Ingress may refer to, by name, in its own namespace."""

    services: Mapping[str, Object]
    backend_configs: Mapping[str, Object]
    secrets: Mapping[str, Object]
    ssl_certificates: frozenset[str] = frozenset()  # of the project
    quota: Quota = field(default_factory=lambda: Quota(1000, 1000))


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

    @property
    def has_https(self) -> bool:
        """Return whether there is anything to serve HTTPS with."""
        return bool(self.certificates or self.pre_shared)


def service_ports(ingress: Object) -> Iterator[tuple[str, Object]]:
    """Yield each Service name and port reference (`{"name"}` or `{"number"}`), with repetitions."""
    for _, _, backend in _rules(ingress):
        yield _service_reference(backend)


def secret_names(ingress: Object) -> list[str]:
    """Return the Secrets of `spec.tls`; an empty name for an entry without one."""
    return [str(entry.get("secretName") or "") for entry in ingress["spec"].get("tls") or []]


def translate(ingress: Object, gathered: Gathered, fastest_probe_s: float) -> Translation:
    """Return the load balancer that the Ingress describes. Raises `TranslateError` or `SyncError`."""
    backends, routes = _routed(ingress, gathered, fastest_probe_s)
    _check_health_checks(backends.values())
    pems = [_pem_pair(name, gathered.secrets) for name in secret_names(ingress)]
    wishes = object_annotations.of(ingress)
    allows_http = wishes.get(object_annotations.ALLOW_HTTP, "true").lower() not in ("false", "f", "0")
    made = Translation(tuple(backends.values()), tuple(routes), (), allows_http)
    static_ip = wishes.get(object_annotations.STATIC_IP)
    if static_ip is not None:
        # No addresses can be reserved in the embedded cloud.
        text = f"the given static IP name {static_ip} doesn't translate to an existing static IP."
        raise FrontEndError(text, made)
    pre_shared = tuple(object_annotations.listed(wishes.get(object_annotations.PRE_SHARED_CERT)))
    if not allows_http and not pems and not pre_shared:
        raise FrontEndError(NO_FRONT_END, made)
    for name in pre_shared:
        if name not in gathered.ssl_certificates:
            raise FrontEndError(_not_found(f"projects/{names.PROJECT}/global/sslCertificates/{name}"), made)
    certificates = _certificates(ingress, pems, gathered.quota, made)
    return replace(made, certificates=certificates, pre_shared=pre_shared)


def missing_neg(name: str) -> BackendError:
    """Return the error of a sync that comes before the network endpoint group."""
    return BackendError(
        _not_found(f"projects/{names.PROJECT}/zones/{names.ZONE}/networkEndpointGroups/{name}")
    )


def _routed(
    ingress: Object, gathered: Gathered, fastest_probe_s: float
) -> tuple[dict[str, BackendSpec], list[Route]]:
    """Return backends and routes; the first fault of each backend is told beside those of the others."""
    backends: dict[str, BackendSpec] = {}
    routes: list[Route] = []
    faults: list[str] = []
    for host, path, reference in _rules(ingress):
        try:
            spec = _backend(ingress["metadata"]["namespace"], reference, gathered, fastest_probe_s)
            text, is_exact = _matched_path(path)
        except TranslateError as error:
            faults.append(str(error))
            continue
        backends[spec.name] = spec
        routes.append(Route(host, text, is_exact, spec.name, spec.timeout_s))
    if faults:
        raise TranslateError("; ".join(faults))
    return backends, routes


def _check_health_checks(specs: Iterable[BackendSpec]) -> None:
    for spec in specs:
        kind = spec.health_check.protocol
        if kind not in get_args(Protocol):
            allowed = ",".join(f'"{each}"' for each in get_args(Protocol))
            text = f'Protocol "{kind}" is not valid, must be one of [{allowed}]'
            raise BackendError(f"error ensuring health check: {text}")


def _not_found(resource: str) -> str:
    return f"googleapi: Error 404: The resource '{resource}' was not found, notFound"


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
    has_neg = service_annotations.has_neg_for_ingress(service)
    if not has_neg and service["spec"].get("type") not in NODE_PORT_TYPES:
        kind = service["spec"].get("type", "ClusterIP")
        raise TranslateError(
            f'service "{namespace}/{name}" is type "{kind}", expected "NodePort" or "LoadBalancer" '
            "when not using NEGs"
        )
    protocol = _protocol(service, port)
    config = _backend_config(service, port, wanted, gathered)
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
        health_check=health_checks.health_check(config, protocol, fastest_probe_s),
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
        raise TranslateError(f"could not find port {_shown(wanted)} in service {_named(service)}")
    return port


def _shown(wanted: Object) -> str:
    """Return a port reference as Go prints it."""
    return f'"&ServiceBackendPort{{Name:{wanted.get("name", "")},Number:{wanted.get("number", 0)},}}"'


def _named(service: Object) -> str:
    metadata = service["metadata"]
    return f'"{metadata["namespace"]}/{metadata["name"]}"'


def _protocol(service: Object, port: Object) -> Protocol:
    """Return the protocol by the port's **name**; a key that is no port name changes nothing, silently."""
    try:
        return service_annotations.app_protocols(service).get(port.get("name", ""), "HTTP")
    except service_annotations.BadAnnotation as error:
        # The real text names the alpha key, whichever is used.
        raise TranslateError(
            f'could not parse "{service_annotations.ALPHA_APP_PROTOCOLS}" annotation on service '
            f"{_named(service)}, err: {error}"
        ) from error


def _backend_config(service: Object, port: Object, wanted: Object, gathered: Gathered) -> Object | None:
    try:
        name = service_annotations.backend_config_name(service, port)
    except service_annotations.BadAnnotation as error:
        raise _no_backend_config(service, wanted, str(error)) from error
    if name is None:
        return None
    if name not in gathered.backend_configs:
        raise _no_backend_config(service, wanted, "no BackendConfig for service port exists.")
    return gathered.backend_configs[name]


def _no_backend_config(service: Object, wanted: Object, why: str) -> TranslateError:
    return TranslateError(
        f"error getting BackendConfig for port {_shown(wanted)} on service {_named(service)}, err: {why}"
    )


def _pem_pair(name: str, secrets: Mapping[str, Object]) -> tuple[str, str]:
    """Return chain and key as they are in the Secret; the controller does not look at its type."""
    if not name:
        raise SyncError('secret "" does not exist')
    if name not in secrets:
        raise SyncError(f'error initializing translator env: secrets "{name}" not found')
    data = secrets[name].get("data") or {}
    for key, what in (("tls.crt", "cert"), ("tls.key", "private key")):
        if not data.get(key):
            raise SyncError(f'secret "{name}" does not specify {what} as string data')
    chain, key_pem = (base64.b64decode(data[key]).decode(errors="replace") for key in ("tls.crt", "tls.key"))
    return chain, key_pem


def _certificates(
    ingress: Object, pems: Sequence[tuple[str, str]], quota: Quota, made: Translation
) -> tuple[Certificate, ...]:
    """Return what Compute Engine takes. Raises `FrontEndError` that names certificates, not Secrets."""
    metadata = ingress["metadata"]
    refused = []
    for number, (chain, key_pem) in enumerate(dict.fromkeys(pems), start=1):
        refusal = ssl_resources.refusal(chain, key_pem)
        if refusal is None and number > quota.left:
            refusal = ssl_resources.quota_exceeded("SSL_CERTIFICATES", quota.limit)
        if refusal:
            name = names.certificate_name(metadata["namespace"], metadata["name"], chain)
            refused.append(f"{name} Error:{refusal}")
    if refused:
        raise FrontEndError(f"Cert creation failures - {','.join(refused)}", made)
    return tuple(Certificate(*pem) for pem in pems)
