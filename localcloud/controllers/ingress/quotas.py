"""What the emulated Google Cloud project may have, and how Compute Engine refuses more.

Pure. Text: `googleapi: Error 403: Quota 'BACKEND_SERVICES' exceeded.  Limit: 5.0 globally., quotaExceeded`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from localcloud.controllers.certificates import ssl_resources
from localcloud.controllers.ingress.translation import BackendError


class QuotaExceeded(BackendError):
    """Compute Engine's refusal, in its words."""


@dataclass(frozen=True, slots=True)
class Quotas:
    """Upper bounds, by the names that Compute Engine gives them."""

    backend_services: int = 50
    ssl_certificates: int = 50

    def check(self, held: Collection[str], wanted: Collection[str]) -> None:
        """Raise `QuotaExceeded` if the backend services `wanted` are too many beside those `held`, by name.

        What is there stays, also above a bound that was lowered later.
        """
        more = set(wanted) - set(held)
        if more and len(set(held)) + len(more) > self.backend_services:
            raise QuotaExceeded(ssl_resources.quota_exceeded("BACKEND_SERVICES", self.backend_services))
