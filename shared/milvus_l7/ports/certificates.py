"""Keys and certificates."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from milvus_l7.domain.certificates.key_pair import CertificateView, KeyPair


class Certificates(Protocol):
    """Keys and certificates."""

    def issue(self, domain: str, validity_days: int, now: datetime) -> KeyPair:
        """Return a new key and a self-signed server certificate for the domain; another pair every time."""
        ...

    def inspect(self, pair: KeyPair) -> CertificateView:
        """Return what the pair says of itself, not judged.

        Raises `Permanent(CERTIFICATE_INVALID)` for garbage.
        """
        ...
