"""What the use cases need from the world, named by need. Adapters implement these; tests have fakes.

Every port raises only the errors of `domain.reasons.errors`: `Transient` for what is expected to go away,
`Permanent` for what someone must change, `StateUnavailable` from the state store and the event bus.
"""

from __future__ import annotations

from milvus_l7.domain.certificates.served_certificate import ServedCertificate
from milvus_l7.domain.kubernetes.manifests import Manifest
from milvus_l7.ports.certificates import Certificates
from milvus_l7.ports.connections import Connections
from milvus_l7.ports.dns import DnsZones, Resolved, Resolver
from milvus_l7.ports.fence import Fence
from milvus_l7.ports.frontend import Exposed, Frontend, FrontendObservation, Frontends
from milvus_l7.ports.kubernetes import ClusterAccess, Clusters, KubeObjects, ObjectRef
from milvus_l7.ports.planning import PlanRecord, Plans
from milvus_l7.ports.release import (
    Deployments,
    MilvusDeployment,
    ObjectWrite,
    PlaintextEndpoint,
    Release,
    Releases,
    Rendering,
    Rollouts,
    ValuesChange,
)
from milvus_l7.ports.setup import Clock, Commit, Events, HistoryEntry, Postponed, Queue, Setups, Versioned
from milvus_l7.ports.stages import DryRunPorts, StagePorts
from milvus_l7.ports.verification import Endpoint, EndpointProbe
from milvus_l7.ports.write_ahead import WriteAhead

__all__ = [
    "Certificates",
    "Clock",
    "ClusterAccess",
    "Clusters",
    "Commit",
    "Connections",
    "Deployments",
    "DnsZones",
    "DryRunPorts",
    "Endpoint",
    "EndpointProbe",
    "Events",
    "Exposed",
    "Fence",
    "Frontend",
    "FrontendObservation",
    "Frontends",
    "HistoryEntry",
    "KubeObjects",
    "Manifest",
    "MilvusDeployment",
    "ObjectRef",
    "ObjectWrite",
    "PlaintextEndpoint",
    "PlanRecord",
    "Plans",
    "Postponed",
    "Queue",
    "Release",
    "Releases",
    "Rendering",
    "Resolved",
    "Resolver",
    "Rollouts",
    "ServedCertificate",
    "Setups",
    "StagePorts",
    "ValuesChange",
    "Versioned",
    "WriteAhead",
]
