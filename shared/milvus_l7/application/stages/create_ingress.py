"""The stage that exposes the Service and waits for the load balancer's address."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from milvus_l7.application.dns import records
from milvus_l7.application.stages import adopting
from milvus_l7.domain.setup.document import Setup, service_of
from milvus_l7.domain.setup.outcome import Done, Outcome, Waiting
from milvus_l7.ports import DnsZones, Frontends, WriteAhead


@dataclass(frozen=True, slots=True)
class CreateIngress:
    """Owns what exposes the Service, and the DNS records that lead there."""

    frontends: Frontends
    zones: DnsZones
    ahead: WriteAhead

    def __call__(self, setup: Setup, now: datetime) -> Outcome:
        """Expose the Service; done when there is an address, which goes into the facts, and DNS leads to it.

        Waits with ADDRESS_PENDING, or for what the controller's own words mean. Raises as `Frontend` does.
        What is left off, because it is broken and would hold back all the rest, is told on Done too.
        """
        service = service_of(setup)
        found = self.frontends.of(setup, service).exposure_to_adopt()
        noted = adopting.noted(setup, found, self.ahead)
        exposed = self.frontends.of(noted, service).expose(now)
        if isinstance(exposed, Waiting):
            return exposed
        addressed = replace(noted, facts=replace(noted.facts, address=exposed.address))
        published = records.publish(self.zones, addressed, exposed.address, self.ahead)
        if published.waiting is not None:
            return replace(published.waiting, notice=exposed.notice)
        return Done(published.facts, exposed.notice)
