"""Write the BackendConfig and the Service's annotations, and give the annotations back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from milvus_l7.adapters.frontend import handover
from milvus_l7.adapters.kubernetes import apply
from milvus_l7.adapters.kubernetes.apply import ApplyRequest
from milvus_l7.domain.frontend import adoptable, ingress_objects, service_annotations
from milvus_l7.domain.kubernetes import field_managers, kinds, manifests, services
from milvus_l7.domain.kubernetes.manifests import Manifest
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Permanent
from milvus_l7.domain.setup.document import Setup
from milvus_l7.domain.setup.facts import Adopted, ServiceFacts
from milvus_l7.domain.text.untrusted import mapping
from milvus_l7.ports import KubeObjects, ObjectRef

_KIND = kinds.BACKEND_CONFIG.kind


@dataclass(frozen=True, slots=True)
class GkeAnnotations:
    """Implements `ServiceAnnotations` for GKE's Ingress controller."""

    objects: KubeObjects
    setup: Setup
    service: ServiceFacts

    def merged(self, existing: Mapping[str, str]) -> Mapping[str, str]:
        """Return ours, merged into those there. Raises `Permanent(ANNOTATION_INVALID)`."""
        name = config_name(self.objects, self.setup, self.service, existing)
        return service_annotations.merged(existing, self.service, name)

    def restored(
        self, existing: Mapping[str, str], before: Mapping[str, str | None]
    ) -> Mapping[str, str | None]:
        """Return those that are not as they were before our entries are taken out."""
        name = config_name(self.objects, self.setup, self.service, {})
        return service_annotations.restored(existing, before, self.service, name)


def configure(objects: KubeObjects, setup: Setup, service: ServiceFacts) -> None:
    """Apply both where they differ; a second run writes nothing.

    A BackendConfig of somebody else's must have been adopted: see `to_adopt`.
    """
    live = _service(objects, setup, service)
    name = config_name(objects, setup, service, _annotations_of(live))
    # The BackendConfig first: the controller fails on a Service that names a missing one.
    apply.apply_if_changed(objects, _backend_config(objects, setup, name))
    wanted = _left_to_us(live, service_annotations.merged(_annotations_of(live), service, name))
    if wanted:
        # Force, because somebody may own the annotations; what is there has been merged, and the manifest
        # names the version that it was merged into.
        request = ApplyRequest(live, services.annotated_service(live, wanted), force=True)
        apply.apply_if_changed(objects, request)


def to_adopt(objects: KubeObjects, setup: Setup, service: ServiceFacts) -> Adopted | None:
    """Return the record of the BackendConfig that `configure` is about to take over; None: there is none.

    Raises `Permanent` with OBJECT_NOT_OURS or NOT_ADOPTABLE, and SERVICE_NOT_FOUND.
    """
    existing = _annotations_of(_service(objects, setup, service))
    config = objects.get(_config_ref(setup, config_name(objects, setup, service, existing)))
    fields = adoptable.BACKEND_CONFIG_FIELDS
    return handover.to_adopt(setup, config, fields, lambda live: _fault(objects, setup, service, live))


def config_name(
    objects: KubeObjects, setup: Setup, service: ServiceFacts, existing: Mapping[str, str]
) -> str:
    """Return the name of the Service's BackendConfig: an adopted one's, or ours.

    One that the annotations name for the gRPC port is to be adopted, if that is asked for and it exists.
    """
    adopted = setup.facts.adopted_as(_KIND)
    if adopted is not None:
        return adopted.name
    named = service_annotations.config_of(existing, service) if setup.desired.adopt else None
    if named is not None and objects.get(_config_ref(setup, named)) is not None:
        return named
    return ingress_objects.backend_config_name(service)


def restore(
    objects: KubeObjects, setup: Setup, service: ServiceFacts, before: Mapping[str, str | None]
) -> None:
    """Give the Service its annotations back, then remove the BackendConfig, or give it back."""
    live = objects.get(_service_ref(setup, service))
    if live is not None:
        name = config_name(objects, setup, service, {})
        apply.apply_if_changed(
            objects, ApplyRequest(live, _restored(live, service, before, name), force=True)
        )
    adopted = (each.name for each in setup.facts.adopted if each.kind == _KIND)
    for name in dict.fromkeys((ingress_objects.backend_config_name(service), *adopted)):
        _let_go(objects, setup, objects.get(_config_ref(setup, name)))


def present_annotations(objects: KubeObjects, setup: Setup, service: ServiceFacts) -> dict[str, str | None]:
    """Return the Service's annotations that `configure` may change; None: not set.

    Raises `Permanent(SERVICE_NOT_FOUND)`.
    """
    present = _annotations_of(_service(objects, setup, service))
    return {key: present.get(key) for key in service_annotations.KEYS}


def _let_go(objects: KubeObjects, setup: Setup, config: Manifest | None) -> None:
    if config is None:
        return
    if manifests.is_ours(config):
        objects.delete(config)
    elif manifests.is_adopted(config):
        handover.give_back(objects, setup, config)
    else:  # one that an earlier release has completed
        apply.apply_if_changed(objects, ApplyRequest(config, manifests.empty_apply(config)))


def _fault(objects: KubeObjects, setup: Setup, service: ServiceFacts, config: Manifest) -> str | None:
    found = objects.list(ObjectRef(*kinds.SERVICE, setup.desired.namespace), {})
    others = [each for each in found if each["metadata"]["name"] != service.name]
    return adoptable.backend_config_fault(config["metadata"]["name"], others)


def _left_to_us(live: Manifest, merged: Mapping[str, str]) -> dict[str, str]:
    """Return the annotations without those that are right and that somebody else sets: they stay his.

    Applied by us as well, Helm could not change them in the user's next upgrade.
    """
    existing = _annotations_of(live)
    path = ("metadata", "annotations")
    return {
        key: text
        for key, text in merged.items()
        if existing.get(key) != text or not field_managers.is_set(live, (*path, key), besides=manifests.OURS)
    }


def _backend_config(objects: KubeObjects, setup: Setup, name: str) -> ApplyRequest:
    live = objects.get(_config_ref(setup, name))
    handover.refuse_unrecorded(setup, live)
    manifest = ingress_objects.backend_config(setup.desired, name, manifests.mark(live))
    # The object is ours, so a value that another writer has put into our fields is drift to be repaired.
    return ApplyRequest(live, manifest, force=True)


def _restored(
    live: Manifest, service: ServiceFacts, before: Mapping[str, str | None], config: str
) -> Manifest:
    existing = _annotations_of(live)
    back = service_annotations.restored(existing, before, service, config)
    # Those that stay are named, because what an apply leaves out it removes, if nobody else has set it.
    after = {key: back.get(key, existing.get(key)) for key in before}
    return services.annotated_service(live, {k: value for k, value in after.items() if value is not None})


def _annotations_of(live: Manifest) -> Mapping[str, str]:
    return mapping(live, "metadata", "annotations")


def _service(objects: KubeObjects, setup: Setup, service: ServiceFacts) -> Manifest:
    live = objects.get(_service_ref(setup, service))
    if live is None:
        message = f"Service {service.name} is no longer in namespace {setup.desired.namespace}"
        raise Permanent(Reason.SERVICE_NOT_FOUND, message)
    return live


def _service_ref(setup: Setup, service: ServiceFacts) -> ObjectRef:
    return ObjectRef(*kinds.SERVICE, setup.desired.namespace, service.name)


def _config_ref(setup: Setup, name: str) -> ObjectRef:
    return ObjectRef(*kinds.BACKEND_CONFIG, setup.desired.namespace, name)
