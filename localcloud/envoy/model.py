"""What the load balancers are to do, in Envoy-free terms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Protocol = Literal["HTTP", "HTTPS", "HTTP2"]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One server on this machine; health checks may ask another port of it."""

    port: int
    health_port: int


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """How endpoints are probed; seconds. TLS is never verified, as by the real load balancer."""

    protocol: Protocol
    path: str
    interval_s: float
    timeout_s: float
    healthy_threshold: int
    unhealthy_threshold: int


@dataclass(frozen=True, slots=True)
class Backend:
    """A group of endpoints that are spoken to in one way. Without a health check all count as healthy."""

    name: str
    endpoints: tuple[Endpoint, ...]
    protocol: Protocol | Literal["TCP"] = "TCP"
    health_check: HealthCheck | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """Requests for `host` ("*": any) and `path` go to a backend; `timeout_s` bounds the whole response."""

    host: str
    path: str
    is_exact: bool
    backend: str
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate chain and its private key, PEM."""

    chain_pem: str
    key_pem: str

    def __repr__(self) -> str:
        return "Certificate(...)"  # never the key


@dataclass(frozen=True, slots=True)
class HttpFrontEnd:
    """An HTTP listener; with certificates it speaks TLS, choosing by the names in the certificates."""

    name: str
    address: str
    port: int
    routes: tuple[Route, ...]
    certificates: tuple[Certificate, ...] = ()


@dataclass(frozen=True, slots=True)
class TcpFrontEnd:
    """A listener that passes bytes to one backend."""

    name: str
    address: str
    port: int
    backend: str


@dataclass(frozen=True, slots=True)
class Balancing:
    """One contribution to the load balancers: of one Ingress, or of one Service."""

    backends: tuple[Backend, ...] = ()
    http: tuple[HttpFrontEnd, ...] = ()
    tcp: tuple[TcpFrontEnd, ...] = ()
