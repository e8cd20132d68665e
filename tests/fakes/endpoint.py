"""A load balancer as a client sees it, in memory."""

from __future__ import annotations

from dataclasses import dataclass, field

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Transient
from milvus_l7.ports import Endpoint, ServedCertificate


@dataclass
class FakeEndpointProbe:
    """Serves `sha256` and runs Milvus `version`; None for either: it does not answer."""

    sha256: str | None
    names: tuple[str, ...] = ()  # on the certificate; (): the domain that was asked for
    distrust: str = ""
    elsewhere: dict[str, ServedCertificate] = field(default_factory=dict)  # by domain, instead of the above
    version: str | None = "v2.6.15"
    handshakes: list[str] = field(default_factory=list)  # the domains they named
    plaintext: str | None = "v2.6.15"  # the version without TLS; None: it does not answer so
    looks: list[tuple[Endpoint, bool]] = field(default_factory=list)  # at Milvus; True: deep

    def served_certificate(self, endpoint: Endpoint) -> ServedCertificate:
        self.handshakes.append(endpoint.domain)
        if self.sha256 is None:
            raise Transient(Reason.TLS_NOT_SERVED, f"no TLS handshake with {endpoint.address}")
        if endpoint.domain in self.elsewhere:
            return self.elsewhere[endpoint.domain]
        return ServedCertificate(self.sha256, self.names or (endpoint.domain,), self.distrust)

    def milvus_version(self, endpoint: Endpoint, *, deep: bool) -> str:
        self.looks.append((endpoint, deep))
        if self.version is None:
            raise Transient(Reason.MILVUS_UNREACHABLE, "pymilvus: upstream reset")
        return self.version

    def plaintext_version(self, address: str, port: int) -> str:
        if self.plaintext is None:
            raise Transient(Reason.PLAINTEXT_UNREACHABLE, f"pymilvus at {address}:{port}: refused")
        return self.plaintext
