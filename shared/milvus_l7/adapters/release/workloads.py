"""The Deployments, StatefulSets and Pods of a release, found by the labels that its chart gives them.

A module of its own, because the verification looks at them where nothing of Helm is installed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from milvus_l7.domain.kubernetes import kinds
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.release import rollout
from milvus_l7.domain.setup import checks
from milvus_l7.domain.setup.desired import Desired
from milvus_l7.domain.setup.facts import Check, ServiceFacts
from milvus_l7.domain.text.untrusted import mapping, text
from milvus_l7.ports import Connections, KubeObjects, Manifest, ObjectRef

INSTANCE, NAME = "app.kubernetes.io/instance", "app.kubernetes.io/name"


@dataclass(frozen=True, slots=True)
class HelmRollouts:
    """Implements `Rollouts` over the workloads of the clusters that requests name."""

    connections: Connections

    def check(self, desired: Desired, service: ServiceFacts, now: datetime) -> Check:
        """Return the checklist's item. The Service tells which of the release's workloads are Milvus'."""
        kube = self.connections.objects(desired.cluster)
        live = kube.get(ObjectRef(*kinds.SERVICE, desired.namespace, service.name))
        if live is None:
            return checks.failed(checks.ROLLOUT, Reason.SERVICE_NOT_FOUND, f"Service {service.name} is gone")
        name = text(mapping(live, "spec", "selector").get(NAME))
        labels = {INSTANCE: desired.release} | ({NAME: name} if name else {})
        return check(kube, desired.namespace, labels, now)


def check(kube: KubeObjects, namespace: str, labels: Mapping[str, str], now: datetime) -> Check:
    """Return how far the roll-out of the workloads with these labels is."""

    def found(kind: kinds.Kind) -> list[Manifest]:
        return list(kube.list(ObjectRef(*kind, namespace), labels))

    workloads = [*found(kinds.DEPLOYMENT), *found(kinds.STATEFUL_SET)]
    return rollout.judge(workloads, lambda: found(kinds.POD), now)
