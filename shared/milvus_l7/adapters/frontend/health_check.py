"""Write the BackendConfig and the Service's annotations, and give the annotations back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from milvus_l7.adapters.kubernetes import apply
from milvus_l7.adapters.kubernetes.apply import ApplyRequest
from milvus_l7.domain.frontend import ingress_objects, service_annotations
from milvus_l7.domain.kubernetes import kinds, manifests, services
from milvus_l7.domain.kubernetes.manifests import Manifest
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Permanent
from milvus_l7.domain.setup.desired import Desired
from milvus_l7.domain.setup.facts import ServiceFacts
from milvus_l7.domain.text.untrusted import mapping
from milvus_l7.ports import KubeObjects, ObjectRef


def configure(objects: KubeObjects, desired: Desired, service: ServiceFacts) -> None:
    """Apply both where they differ; a second run writes nothing.

    A BackendConfig of that name which is not ours is completed, but none of its values replaced.
    """
    for request in _requests(objects, desired, service):
        apply.apply_if_changed(objects, request)


def restore(
    objects: KubeObjects, desired: Desired, service: ServiceFacts, before: Mapping[str, str | None]
) -> None:
    """Give the Service its annotations back, then remove the BackendConfig, or our fields of it."""
    name = ingress_objects.backend_config_name(service)
    live = objects.get(_service_ref(desired, service))
    if live is not None:
        annotated = _restored(live, service, before)
        apply.apply_if_changed(objects, ApplyRequest(live, annotated, force=True))
    config = objects.get(_backend_config_ref(desired, name))
    if config is None:
        return
    if manifests.is_ours(config):
        objects.delete(config)
    else:
        apply.apply_if_changed(objects, ApplyRequest(config, manifests.empty_apply(config)))


def present_annotations(
    objects: KubeObjects, desired: Desired, service: ServiceFacts
) -> dict[str, str | None]:
    """Return the Service's annotations that `configure` may change; None: not set.

    Raises `Permanent(SERVICE_NOT_FOUND)`.
    """
    present = mapping(_service(objects, desired, service), "metadata", "annotations")
    return {key: present.get(key) for key in service_annotations.KEYS}


def _requests(objects: KubeObjects, desired: Desired, service: ServiceFacts) -> Iterator[ApplyRequest]:
    """Yield the BackendConfig first: the controller fails on a Service that names a missing one."""
    yield _backend_config(objects, desired, service)
    yield _annotations(objects, desired, service)


def _backend_config(objects: KubeObjects, desired: Desired, service: ServiceFacts) -> ApplyRequest:
    live = objects.get(_backend_config_ref(desired, ingress_objects.backend_config_name(service)))
    ours = manifests.is_ours(live)
    manifest = ingress_objects.backend_config(desired, service, labelled=ours)
    # Without force, a foreign object's other value surfaces as a conflict that names its manager.
    return ApplyRequest(live, manifest, force=ours)


def _annotations(objects: KubeObjects, desired: Desired, service: ServiceFacts) -> ApplyRequest:
    live = _service(objects, desired, service)
    existing = live["metadata"].get("annotations") or {}
    merged = service_annotations.merged(existing, service, ingress_objects.backend_config_name(service))
    # Force, because Helm or kubectl may own the annotations; what they put there has been merged, and the
    # manifest names the version that it was merged into.
    return ApplyRequest(live, services.annotated_service(live, merged), force=True)


def _restored(live: Manifest, service: ServiceFacts, before: Mapping[str, str | None]) -> Manifest:
    existing = mapping(live, "metadata", "annotations")
    name = ingress_objects.backend_config_name(service)
    back = service_annotations.restored(existing, before, service, name)
    # Those that stay are named, because what an apply leaves out it removes, if nobody else has set it.
    after = {key: back.get(key, existing.get(key)) for key in before}
    return services.annotated_service(live, {k: value for k, value in after.items() if value is not None})


def _service(objects: KubeObjects, desired: Desired, service: ServiceFacts) -> Manifest:
    live = objects.get(_service_ref(desired, service))
    if live is None:
        message = f"Service {service.name} is no longer in namespace {desired.namespace}"
        raise Permanent(Reason.SERVICE_NOT_FOUND, message)
    return live


def _service_ref(desired: Desired, service: ServiceFacts) -> ObjectRef:
    return ObjectRef(*kinds.SERVICE, desired.namespace, service.name)


def _backend_config_ref(desired: Desired, name: str) -> ObjectRef:
    return ObjectRef(*kinds.BACKEND_CONFIG, desired.namespace, name)
