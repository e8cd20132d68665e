"""The certificate that a server shows, and how its hash is written for people."""

from __future__ import annotations

from dataclasses import dataclass

from milvus_l7.domain.certificates.key_pair import covers
from milvus_l7.domain.text.excerpt import excerpt

_SHOWN_SHA256 = 16


@dataclass(frozen=True, slots=True)
class ServedCertificate:
    """The leaf certificate that a TLS handshake showed."""

    sha256: str
    names: tuple[str, ...]
    distrust: str = ""  # why the system's roots do not vouch for it; "": they do, or were not asked

    def stands_for(self, domain: str) -> bool:
        """Return whether it covers the domain."""
        return any(covers(name, domain) for name in self.names)

    def __str__(self) -> str:
        """Return the certificate for people: a short hash, and its names."""
        names = excerpt(", ".join(self.names) or "no name", 120)
        return f"serves certificate {shortened(self.sha256)} for {names}"


def shortened(sha256: str) -> str:
    """Return the beginning of a hash, which tells certificates apart for people."""
    return f"{sha256[:_SHOWN_SHA256]}…"
