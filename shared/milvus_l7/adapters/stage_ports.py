"""The stages' ports: in production, and as a dry run over others. Each adapter is imported on first use."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from milvus_l7.domain.kubernetes.change import Plan

if TYPE_CHECKING:
    from milvus_l7.adapters.planning.dry_run import DryRunConnections, Recorder
    from milvus_l7.domain.setup.facts import Adopted, Facts
    from milvus_l7.ports import (
        Certificates,
        Connections,
        Deployments,
        DnsZones,
        DryRunPorts,
        EndpointProbe,
        Fence,
        Frontends,
        Plans,
        Resolver,
        Rollouts,
        StagePorts,
        WriteAhead,
    )


class ClusterPorts:
    """The ports that follow from the ways into the clusters, and what needs no wiring."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    @property
    def connections(self) -> Connections:
        """Return the ways into the clusters."""
        return self._connections

    @cached_property
    def deployments(self) -> Deployments:
        """Return the Helm releases in those clusters."""
        from milvus_l7.adapters.release.helm_deployment import HelmDeployments

        return HelmDeployments(self._connections)

    @cached_property
    def rollouts(self) -> Rollouts:
        """Return the roll-outs of those releases."""
        from milvus_l7.adapters.release.workloads import HelmRollouts

        return HelmRollouts(self._connections)

    @cached_property
    def certificates(self) -> Certificates:
        """Return the maker and judge of X.509 certificates."""
        from milvus_l7.adapters.certificates.x509 import X509Certificates

        return X509Certificates()

    @cached_property
    def frontends(self) -> Frontends:
        """Return the GKE Ingresses in those clusters."""
        from milvus_l7.adapters.frontend.gke_ingress import IngressFrontends

        return IngressFrontends(self._connections, self.certificates)


class NothingAhead:
    """Implements `WriteAhead` where nothing is written."""

    def record(self, facts: Facts, *, begins_effect: bool = False) -> None:
        """Store nothing."""


class NotedAhead:
    """Implements `WriteAhead` where nothing is written: remembers what would be taken over from somebody."""

    def __init__(self) -> None:
        self.adopted: tuple[Adopted, ...] = ()

    def record(self, facts: Facts, *, begins_effect: bool = False) -> None:  # noqa: ARG002  (it is a dry run)
        """Store nothing."""
        self.adopted = tuple(dict.fromkeys((*self.adopted, *facts.adopted)))


class ProductionPorts(ClusterPorts):
    """Implements `StagePorts` with the real thing. `https_port` and `dns_server` are the embedded cloud's."""

    def __init__(
        self,
        connections: Connections,
        plans: Plans,
        https_port: int = 443,
        dns_server: tuple[str, int] | None = None,
    ) -> None:
        super().__init__(connections)
        self._plans = plans
        self._https_port, self._dns_server = https_port, dns_server

    @cached_property
    def zones(self) -> DnsZones:
        """Return the zones of Cloud DNS."""
        from milvus_l7.adapters.dns.cloud_dns import CloudDnsZones

        return CloudDnsZones()

    @cached_property
    def probe(self) -> EndpointProbe:
        """Return a client with ssl and pymilvus."""
        from milvus_l7.adapters.verification.probe import EdgeProbe

        return EdgeProbe(self._https_port)

    @cached_property
    def resolver(self) -> Resolver:
        """Return the resolver that asks public DNS."""
        from milvus_l7.adapters.dns.resolver import DnsResolver

        return DnsResolver(self._dns_server)

    @property
    def plans(self) -> Plans:
        """Return where plans are kept."""
        return self._plans

    @property
    def ahead(self) -> WriteAhead:
        """Return what stores nothing: there is no execution."""
        return NothingAhead()

    def dry_run(self) -> DryRunPorts:
        """Return a new dry run."""
        return RecordingPorts.over(self)


class _Over(ClusterPorts):
    """Ports over others, with other ways into the clusters."""

    def __init__(self, real: StagePorts, connections: Connections) -> None:
        super().__init__(connections)
        self.real = real

    @property
    def zones(self) -> DnsZones:
        """Return the real zones."""
        return self.real.zones

    @property
    def certificates(self) -> Certificates:
        """Return the real maker of certificates, which writes nothing."""
        return self.real.certificates

    @property
    def probe(self) -> EndpointProbe:
        """Return the real client."""
        return self.real.probe

    @property
    def resolver(self) -> Resolver:
        """Return the real resolver."""
        return self.real.resolver

    @property
    def plans(self) -> Plans:
        """Return where plans are kept."""
        return self.real.plans

    @property
    def ahead(self) -> WriteAhead:
        """Return what stores nothing: nothing is written."""
        return NothingAhead()

    def dry_run(self) -> DryRunPorts:
        """Return a new dry run."""
        return self.real.dry_run()


class FencedPorts(_Over):
    """Implements `StagePorts` over the real thing; every write passes the execution's fence first."""

    def __init__(self, real: StagePorts, fence: Fence, ahead: WriteAhead) -> None:
        from milvus_l7.adapters.fencing import FencedConnections

        super().__init__(real, FencedConnections(real.connections, fence))
        self._fence, self._ahead = fence, ahead

    @property
    def ahead(self) -> WriteAhead:
        """Return where the execution stores what it is about to change."""
        return self._ahead

    @cached_property
    def zones(self) -> DnsZones:
        """Return the zones behind the fence."""
        from milvus_l7.adapters.fencing import FencedZones

        return FencedZones(self.real.zones, self._fence)

    @cached_property
    def probe(self) -> EndpointProbe:
        """Return the client behind the fence."""
        from milvus_l7.adapters.fencing import FencedProbe

        return FencedProbe(self.real.probe, self._fence)


class RecordingPorts(_Over):
    """Implements `DryRunPorts` over the real thing, which it does not change."""

    def __init__(self, real: StagePorts, connections: DryRunConnections, recorder: Recorder) -> None:
        super().__init__(real, connections)
        self._dry_run_connections, self._recorder, self._ahead = connections, recorder, NotedAhead()

    @classmethod
    def over(cls, real: StagePorts) -> RecordingPorts:
        """Return a new dry run over the real thing."""
        from milvus_l7.adapters.planning.dry_run import DryRunConnections, Recorder

        recorder = Recorder()
        return cls(real, DryRunConnections(real.connections, recorder), recorder)

    @cached_property
    def zones(self) -> DnsZones:
        """Return zones whose changes are recorded, not made."""
        from milvus_l7.adapters.planning.dry_run import DryRunZones

        return DryRunZones(self.real.zones, self._recorder)

    @property
    def ahead(self) -> NotedAhead:
        """Return what remembers some of what would be stored."""
        return self._ahead

    @property
    def adopted(self) -> tuple[Adopted, ...]:
        """Return the records of what is adopted, or would be."""
        return self._ahead.adopted

    @property
    def writers(self) -> Mapping[tuple[str, str], str]:
        """Return who last wrote what would be changed, by target and field."""
        return dict(self._recorder.writers)

    @property
    def missing(self) -> frozenset[str]:
        """Return the targets that would be made."""
        return frozenset(self._recorder.missing)

    def take(self) -> Plan:
        """Return the changes recorded since the last call, which are then forgotten."""
        return self._recorder.take()

    def observed(self) -> StagePorts:
        """Return ports to the cluster as it is, with what was read, and without what was "written"."""
        return _Over(self.real, self._dry_run_connections.unwritten())
