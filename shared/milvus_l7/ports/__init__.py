"""What the use cases need from the world, named by need. Adapters implement these; tests have fakes.

Every port raises only the errors of `domain.reasons.errors`: `Transient` for what is expected to go away,
`Permanent` for what somebody must change, `StateUnavailable` from the state store and the event bus.
"""

from __future__ import annotations

from milvus_l7.ports.cluster import (
    Certificates,
    ClusterAccess,
    Clusters,
    Connections,
    DnsZones,
    KubeObjects,
    Manifest,
    ObjectRef,
    Release,
    Releases,
    Rendering,
    ValuesChange,
)
from milvus_l7.ports.state import (
    Clock,
    Commit,
    Events,
    HistoryEntry,
    PlanRecord,
    Plans,
    Postponed,
    Queue,
    Setups,
    Versioned,
)
from milvus_l7.ports.verification import Endpoint, EndpointProbe, Resolved, Resolver, ServedCertificate

__all__ = [
    "Certificates",
    "Clock",
    "ClusterAccess",
    "Clusters",
    "Commit",
    "Connections",
    "DnsZones",
    "Endpoint",
    "EndpointProbe",
    "Events",
    "HistoryEntry",
    "KubeObjects",
    "Manifest",
    "ObjectRef",
    "PlanRecord",
    "Plans",
    "Postponed",
    "Queue",
    "Release",
    "Releases",
    "Rendering",
    "Resolved",
    "Resolver",
    "ServedCertificate",
    "Setups",
    "ValuesChange",
    "Versioned",
]
