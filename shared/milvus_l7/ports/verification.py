"""What a client of the load balancer sees, and what public DNS says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to verify: `address` is dialled, `domain` is the server name."""

    address: str
    domain: str
    ca_pem: str | None = None  # trusted for this endpoint; None: the system's roots


@dataclass(frozen=True, slots=True)
class ServedCertificate:
    """The leaf certificate that a TLS handshake showed."""

    sha256: str
    names: tuple[str, ...]
    not_after: datetime
    distrust: str = ""  # why the system's roots do not vouch for it; "": they do, or `ca_pem` was given


class EndpointProbe(Protocol):
    """A client's look at the load balancer from outside."""

    def served_certificate(self, endpoint: Endpoint) -> ServedCertificate:
        """Return the certificate shown for the domain, trusted or not. Raises `Transient(TLS_NOT_SERVED)`."""
        ...

    def milvus_version(self, endpoint: Endpoint, *, deep: bool) -> str:
        """Return the server version, by pymilvus through the load balancer, trusting what `endpoint` says.

        `deep` also creates a throw-away collection, inserts, searches and drops it.
        Raises `Transient(MILVUS_UNREACHABLE)`, `Unanswered` if that collection may be left.
        """
        ...

    def plaintext_version(self, address: str, port: int) -> str:
        """Return the server version, by pymilvus without TLS. Raises `Transient(PLAINTEXT_UNREACHABLE)`."""
        ...
