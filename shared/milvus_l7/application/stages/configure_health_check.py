"""The stage that gives the release's Service its health check, HTTP/2 and network endpoint groups."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from milvus_l7.application.stages import adopting
from milvus_l7.domain.setup.document import Setup, service_of
from milvus_l7.domain.setup.outcome import Done, Outcome
from milvus_l7.ports import Frontends, WriteAhead


@dataclass(frozen=True, slots=True)
class ConfigureHealthCheck:
    """Owns the health check and the Service's annotations."""

    frontends: Frontends
    ahead: WriteAhead

    def __call__(self, setup: Setup, now: datetime) -> Outcome:  # noqa: ARG002  (the shape of every stage)
        """Configure the backend where it differs; a second run writes nothing. Raises as `Frontend` does."""
        service = service_of(setup)
        found = self.frontends.of(setup, service).backend_to_adopt()
        noted = adopting.noted(setup, found, self.ahead)
        self.frontends.of(noted, service).configure_backend()
        return Done(noted.facts if found else None)
