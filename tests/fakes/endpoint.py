"""A load balancer as a client sees it, in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from shared.domain.errors import Transient
from shared.domain.reasons import Reason
from shared.ports import Endpoint, ServedCertificate


@dataclass
class FakeEndpointProbe:
    """Serves `sha256` and runs Milvus `version`; None for either: it does not answer."""

    sha256: str | None
    version: str | None = "v2.6.15"
    looks: list[tuple[Endpoint, bool]] = field(default_factory=list)  # at Milvus; True: deep

    def served_certificate(self, endpoint: Endpoint) -> ServedCertificate:
        if self.sha256 is None:
            raise Transient(Reason.TLS_NOT_SERVED, f"no TLS handshake with {endpoint.address}")
        return ServedCertificate(self.sha256, (endpoint.domain,), datetime(2300, 1, 1, tzinfo=UTC))

    def milvus_version(self, endpoint: Endpoint, *, deep: bool) -> str:
        self.looks.append((endpoint, deep))
        if self.version is None:
            raise Transient(Reason.MILVUS_UNREACHABLE, "pymilvus: upstream reset")
        return self.version
