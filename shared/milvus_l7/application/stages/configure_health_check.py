"""The stage that gives the release's Service its health check, HTTP/2 and network endpoint groups."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from milvus_l7.application.kubernetes import apply
from milvus_l7.application.kubernetes.apply import ApplyRequest
from milvus_l7.domain.frontend import ingress_objects
from milvus_l7.domain.frontend.service_annotations import merged
from milvus_l7.domain.kubernetes import manifests, services
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Permanent
from milvus_l7.domain.setup import document
from milvus_l7.domain.setup.desired import Desired
from milvus_l7.domain.setup.document import Setup
from milvus_l7.domain.setup.facts import ServiceFacts
from milvus_l7.domain.setup.outcome import Done, Outcome
from milvus_l7.ports import Connections, KubeObjects, Manifest, ObjectRef


@dataclass(frozen=True, slots=True)
class ConfigureHealthCheck:
    """Owns the BackendConfig and three annotations of the Service."""

    connections: Connections

    def __call__(self, setup: Setup, now: datetime) -> Outcome:  # noqa: ARG002  (the shape of every stage)
        """Apply both where they differ; a second run writes nothing.

        Raises `Permanent` with SERVICE_NOT_FOUND, ANNOTATION_INVALID or FIELD_CONFLICT, and what the cluster
        raises. A BackendConfig of that name which is not ours is completed, but none of its values replaced.
        """
        objects = self.connections.objects(setup.desired.cluster)
        for target in _targets(objects, setup.desired, document.service_of(setup)):
            apply.apply_if_changed(objects, target)
        return Done()


def _targets(objects: KubeObjects, desired: Desired, service: ServiceFacts) -> Iterator[ApplyRequest]:
    """The BackendConfig comes first: the controller fails on a Service that names a missing one."""
    yield _backend_config(objects, desired, service)
    yield _annotations(objects, desired, service)


def _backend_config(objects: KubeObjects, desired: Desired, service: ServiceFacts) -> ApplyRequest:
    name = ingress_objects.backend_config_name(service)
    live = objects.get(ObjectRef("cloud.google.com/v1", "BackendConfig", desired.namespace, name))
    ours = manifests.is_ours(live)
    # Without force, a foreign object's other value surfaces as a conflict that names its manager.
    return ApplyRequest(live, ingress_objects.backend_config(desired, service, labelled=ours), force=ours)


def _annotations(objects: KubeObjects, desired: Desired, service: ServiceFacts) -> ApplyRequest:
    live = _service(objects, desired, service)
    existing = live["metadata"].get("annotations") or {}
    annotations = merged(existing, service, ingress_objects.backend_config_name(service))
    # Force, because Helm or kubectl may own the annotations; what they put there has been merged, and the
    # manifest names the version that it was merged into.
    return ApplyRequest(live, services.annotated_service(live, annotations), force=True)


def _service(objects: KubeObjects, desired: Desired, service: ServiceFacts) -> Manifest:
    live = objects.get(ObjectRef("v1", "Service", desired.namespace, service.name))
    if live is None:
        message = f"Service {service.name} is no longer in namespace {desired.namespace}"
        raise Permanent(Reason.SERVICE_NOT_FOUND, message)
    return live
