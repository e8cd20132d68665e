"""What a client of the load balancer sees, and what public DNS says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from milvus_l7.domain.certificates.served_certificate import ServedCertificate


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to verify: `address` is dialled, `domain` is the server name."""

    address: str
    domain: str
    ca_pem: str | None = None  # trusted for this endpoint; None: the system's roots


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
