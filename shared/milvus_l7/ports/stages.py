"""Everything that the stages of the chain need of the world, each made on first use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from milvus_l7.domain.kubernetes.change import Plan
from milvus_l7.domain.setup.facts import Adopted
from milvus_l7.ports.certificates import Certificates
from milvus_l7.ports.connections import Connections
from milvus_l7.ports.dns import DnsZones, Resolver
from milvus_l7.ports.frontend import Frontends
from milvus_l7.ports.planning import Plans
from milvus_l7.ports.release import Deployments, Rollouts
from milvus_l7.ports.verification import EndpointProbe
from milvus_l7.ports.write_ahead import WriteAhead


class StagePorts(Protocol):
    """The ports that stages are built from; a stage pays only for those that it asks for."""

    @property
    def connections(self) -> Connections:
        """Return the ways into the clusters."""
        ...

    @property
    def deployments(self) -> Deployments:
        """Return the Milvus deployments in those clusters."""
        ...

    @property
    def rollouts(self) -> Rollouts:
        """Return how far the deployments' roll-outs are."""
        ...

    @property
    def frontends(self) -> Frontends:
        """Return what exposes them."""
        ...

    @property
    def zones(self) -> DnsZones:
        """Return the DNS zones that we may write to."""
        ...

    @property
    def certificates(self) -> Certificates:
        """Return the maker of keys and certificates."""
        ...

    @property
    def probe(self) -> EndpointProbe:
        """Return the client that looks at the load balancer."""
        ...

    @property
    def resolver(self) -> Resolver:
        """Return public DNS."""
        ...

    @property
    def plans(self) -> Plans:
        """Return where plans are kept."""
        ...

    @property
    def ahead(self) -> WriteAhead:
        """Return where an execution stores what it is about to change."""
        ...

    def dry_run(self) -> DryRunPorts:
        """Return a new dry run over these ports, for one setup."""
        ...


class DryRunPorts(StagePorts, Protocol):
    """Ports whose writes are server-side dry runs, recorded as changes; for one setup, and used once."""

    @property
    def adopted(self) -> tuple[Adopted, ...]:
        """Return the records of the objects of others that are adopted, or would be."""
        ...

    @property
    def writers(self) -> Mapping[tuple[str, str], str]:
        """Return who last wrote what would be changed, by target and field."""
        ...

    @property
    def missing(self) -> frozenset[str]:
        """Return the targets that would be made."""
        ...

    def take(self) -> Plan:
        """Return the changes recorded since the last call, which are then forgotten."""
        ...

    def observed(self) -> StagePorts:
        """Return ports to the cluster as it is; what was read is not read again, and nothing is written."""
        ...
