"""Envoy's configuration as files: a bootstrap, and one discovery response for each list that changes.

Pure. Routes, certificates and endpoints are in files of their own, so that a change to one of them leaves the
listener, the cluster, and the connections through them alone. Field names: envoyproxy/envoy api/envoy/config.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from localcloud.envoy.model import (
    Backend,
    Balancing,
    Certificate,
    HealthCheck,
    HttpFrontEnd,
    Protocol,
    Route,
    TcpFrontEnd,
)

Document = dict[str, Any]

TYPE = "type.googleapis.com/envoy"
NETWORK = f"{TYPE}.extensions.filters.network"
ROUTER = f"{TYPE}.extensions.filters.http.router.v3.Router"
UPSTREAM_TLS = f"{TYPE}.extensions.transport_sockets.tls.v3.UpstreamTlsContext"
DOWNSTREAM_TLS = f"{TYPE}.extensions.transport_sockets.tls.v3.DownstreamTlsContext"
RAW_BUFFER = f"{TYPE}.extensions.transport_sockets.raw_buffer.v3.RawBuffer"
SECRET = f"{TYPE}.extensions.transport_sockets.tls.v3.Secret"
HTTP_OPTIONS = f"{TYPE}.extensions.upstreams.http.v3.HttpProtocolOptions"

CERTIFICATE_SLOTS = 4

# What a GKE load balancer answers for a host or path that no rule has.
NOT_FOUND = "response 404 (backend NotFound), service rules for the path non-existent \n"


def bootstrap(folder: str, admin_address: str, admin_port: int) -> Document:
    """Return the static part: the admin endpoint, and where the dynamic lists are."""
    return {
        "node": {"id": "local", "cluster": "local"},
        "admin": {"address": _socket(admin_address, admin_port)},
        "dynamic_resources": {"lds_config": _source(folder, "lds"), "cds_config": _source(folder, "cds")},
    }


def documents(folder: str, parts: Iterable[Balancing]) -> dict[str, str]:
    """Return text by file name, in the order in which to write: what is referred to comes first."""
    parts = list(parts)
    backends = {backend.name: backend for part in parts for backend in part.backends}
    http = [front_end for part in parts for front_end in part.http]
    tcp = [front_end for part in parts for front_end in part.tcp]
    files: dict[str, str] = {}
    for backend in backends.values():
        files[_file(f"eds-{backend.name}")] = _response(
            "config.endpoint.v3.ClusterLoadAssignment", [_load(backend)]
        )
    for front_end in http:
        for index, certificate in enumerate(_slots(front_end)):
            name = _secret_name(front_end, index)
            files[_file(name)] = _response(SECRET, [_secret(name, certificate)])
        files[_file(f"rds-{front_end.name}")] = _response(
            "config.route.v3.RouteConfiguration", [_routes(front_end)]
        )
    clusters = [_cluster(folder, backend) for backend in backends.values()]
    files[_file("cds")] = _response("config.cluster.v3.Cluster", clusters)
    listeners = [*(_http_listener(folder, item) for item in http), *(_tcp_listener(item) for item in tcp)]
    files[_file("lds")] = _response("config.listener.v3.Listener", listeners)
    return files


def _response(kind: str, resources: list[Document]) -> str:
    url = kind if kind.startswith(TYPE) else f"{TYPE}.{kind}"
    typed = [{"@type": url, **resource} for resource in resources]
    version = hashlib.sha256(json.dumps(typed, sort_keys=True).encode()).hexdigest()[:16]
    return json.dumps({"version_info": version, "resources": typed})


def _load(backend: Backend) -> Document:
    endpoints = [
        {
            "endpoint": {
                "address": _socket("127.0.0.1", endpoint.port),
                "health_check_config": {"port_value": endpoint.health_port},
            }
        }
        for endpoint in backend.endpoints
    ]
    return {"cluster_name": backend.name, "endpoints": [{"lb_endpoints": endpoints}]}


def _cluster(folder: str, backend: Backend) -> Document:
    cluster: Document = {
        "name": backend.name,
        "type": "EDS",
        "connect_timeout": "5s",
        "eds_cluster_config": {
            "service_name": backend.name,
            "eds_config": _source(folder, f"eds-{backend.name}"),
        },
        # The real one sends nothing to unhealthy backends; Envoy would, when most of them are.
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
        # Envoy would keep an endpoint that is gone, or probed elsewhere now, while its old probe succeeds.
        "ignore_health_on_host_removal": True,
    }
    if backend.protocol in ("HTTPS", "HTTP2"):
        cluster["transport_socket"] = _upstream_tls(backend.protocol)
    if backend.protocol != "TCP":
        version = "http2_protocol_options" if backend.protocol == "HTTP2" else "http_protocol_options"
        options = {"@type": HTTP_OPTIONS, "explicit_http_config": {version: {}}}
        cluster["typed_extension_protocol_options"] = {
            HTTP_OPTIONS.removeprefix("type.googleapis.com/"): options
        }
    if backend.health_check:
        cluster |= _health_checking(backend.health_check)
    return cluster


def _health_checking(check: HealthCheck) -> Document:
    """Return Envoy's check; the probe may speak plain text where the traffic speaks TLS, or vice versa."""
    is_plain = check.protocol == "HTTP"
    socket = (
        {"name": "envoy.transport_sockets.raw_buffer", "typed_config": {"@type": RAW_BUFFER}}
        if is_plain
        else _upstream_tls(check.protocol)
    )
    interval = f"{check.interval_s:g}s"
    probe = {
        "timeout": f"{check.timeout_s:g}s",
        "interval": interval,
        # A cluster without traffic would be probed once a minute.
        "no_traffic_interval": interval,
        "no_traffic_healthy_interval": interval,
        "healthy_threshold": check.healthy_threshold,
        "unhealthy_threshold": check.unhealthy_threshold,
        "transport_socket_match_criteria": {"purpose": "probe"},
        "http_health_check": {
            "path": check.path,
            "codec_client_type": "HTTP2" if check.protocol == "HTTP2" else "HTTP1",
        },
    }
    match = {"name": "probe", "match": {"purpose": "probe"}, "transport_socket": socket}
    return {"health_checks": [probe], "transport_socket_matches": [match]}


def _upstream_tls(protocol: Protocol) -> Document:
    alpn = ["h2"] if protocol == "HTTP2" else ["http/1.1"]
    context = {"@type": UPSTREAM_TLS, "common_tls_context": {"alpn_protocols": alpn}}
    return {"name": "envoy.transport_sockets.tls", "typed_config": context}


def _secret(name: str, certificate: Certificate) -> Document:
    return {
        "name": name,
        "tls_certificate": {
            "certificate_chain": {"inline_string": certificate.chain_pem},
            "private_key": {"inline_string": certificate.key_pem},
        },
    }


def _slots(front_end: HttpFrontEnd) -> list[Certificate]:
    """Return the certificates, filled up with the last one.

    Another number of certificates would be another listener, and close the connections through this one. Of
    those that have a name Envoy serves the first.
    """
    found = list(front_end.certificates)
    return [*found, *found[-1:] * (-len(found) % CERTIFICATE_SLOTS)]


def _secret_name(front_end: HttpFrontEnd, index: int) -> str:
    return f"sds-{front_end.name}-{index}"


def _routes(front_end: HttpFrontEnd) -> Document:
    hosts = dict.fromkeys(route.host for route in front_end.routes)
    virtual = [
        {
            "name": host,
            "domains": [host],
            "routes": [*map(_route, _most_specific_first(front_end.routes, host)), _not_found()],
        }
        for host in hosts
    ]
    if "*" not in hosts:
        virtual.append({"name": "*", "domains": ["*"], "routes": [_not_found()]})
    return {"name": front_end.name, "virtual_hosts": virtual}


def _most_specific_first(routes: Iterable[Route], host: str) -> list[Route]:
    mine = [route for route in routes if route.host == host]
    return sorted(mine, key=lambda route: (not route.is_exact, -len(route.path)))


def _route(route: Route) -> Document:
    if route.is_exact:
        match: Document = {"path": route.path}
    elif route.path == "/":
        match = {"prefix": "/"}
    else:
        match = {"path_separated_prefix": route.path.rstrip("/")}
    return {"match": match, "route": {"cluster": route.backend, "timeout": f"{route.timeout_s:g}s"}}


def _not_found() -> Document:
    return {
        "match": {"prefix": "/"},
        "direct_response": {"status": 404, "body": {"inline_string": NOT_FOUND}},
    }


def _http_listener(folder: str, front_end: HttpFrontEnd) -> Document:
    proxy = {
        "@type": f"{NETWORK}.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": front_end.name,
        "strip_any_host_port": True,
        # The route's time-out alone bounds a response, however quiet the stream is.
        "stream_idle_timeout": "0s",
        "rds": {
            "route_config_name": front_end.name,
            "config_source": _source(folder, f"rds-{front_end.name}"),
        },
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": {"@type": ROUTER}}],
        # A backend that cannot be spoken to is a 502 there, a 503 here.
        "local_reply_config": {"mappers": [_bad_gateway()]},
    }
    chain: Document = {"filters": [{"name": "http", "typed_config": proxy}]}
    if front_end.certificates:
        chain["transport_socket"] = _downstream_tls(folder, front_end)
    return _listener(front_end.name, front_end.address, front_end.port, chain)


def _bad_gateway() -> Document:
    comparison = {"op": "EQ", "value": {"default_value": 503, "runtime_key": "unused"}}
    return {"filter": {"status_code_filter": {"comparison": comparison}}, "status_code": 502}


def _downstream_tls(folder: str, front_end: HttpFrontEnd) -> Document:
    secrets = [
        {"name": name, "sds_config": _source(folder, name)}
        for name in (_secret_name(front_end, index) for index in range(len(_slots(front_end))))
    ]
    context = {
        "@type": DOWNSTREAM_TLS,
        "common_tls_context": {
            "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
            "alpn_protocols": ["h2", "http/1.1"],
            "tls_certificate_sds_secret_configs": secrets,
        },
    }
    return {"name": "envoy.transport_sockets.tls", "typed_config": context}


def _tcp_listener(front_end: TcpFrontEnd) -> Document:
    proxy = {
        "@type": f"{NETWORK}.tcp_proxy.v3.TcpProxy",
        "stat_prefix": front_end.name,
        "cluster": front_end.backend,
    }
    chain = {"filters": [{"name": "tcp", "typed_config": proxy}]}
    return _listener(front_end.name, front_end.address, front_end.port, chain)


def _listener(name: str, address: str, port: int, chain: Document) -> Document:
    return {"name": name, "address": _socket(address, port), "filter_chains": [chain]}


def _socket(address: str, port: int) -> Document:
    return {"socket_address": {"address": address, "port_value": port}}


def _file(name: str) -> str:
    return f"{name}.json"


def _source(folder: str, name: str) -> Document:
    return {"path_config_source": {"path": f"{folder}/{_file(name)}"}, "resource_api_version": "V3"}
