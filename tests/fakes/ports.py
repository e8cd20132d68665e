"""The stages' ports over any ways into clusters, with fakes for all the rest."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from milvus_l7.adapters.stage_ports import ClusterPorts, NothingAhead, RecordingPorts
from milvus_l7.application.stages import registry
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.work import StageWork
from milvus_l7.ports import StagePorts
from tests.fakes.dns_zones import FakeDnsZones
from tests.fakes.plans import FakePlans


@dataclass
class FakePorts(ClusterPorts):
    """Implements `StagePorts`; `connections` need only have what the stage asks for."""

    _connections: Any
    zones: Any = field(default_factory=FakeDnsZones)
    certificates: Any = None
    probe: Any = None
    resolver: Any = None
    plans: Any = field(default_factory=FakePlans)
    ahead: Any = field(default_factory=NothingAhead)

    def dry_run(self) -> Any:
        return RecordingPorts.over(self)

    __hash__ = object.__hash__


def stage(name: Stage, connections: Any, **others: Any) -> StageWork:
    """The stage as the product builds it, over these connections."""
    return registry.work(name, FakePorts(connections, **others))


def dry_run(ports: StagePorts) -> Any:
    """Begins a dry run over the ports, as often as it is called."""
    return lambda: RecordingPorts.over(ports)
