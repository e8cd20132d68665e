"""Milvus deployed as a Helm release: the first implementation of `MilvusDeployment`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any

from milvus_l7.adapters.kubernetes import apply
from milvus_l7.adapters.kubernetes.apply import ApplyRequest
from milvus_l7.adapters.release import release_view
from milvus_l7.domain.kubernetes import adoption, kinds, owned_fields, services
from milvus_l7.domain.kubernetes.manifests import Manifest
from milvus_l7.domain.release import (
    annotation_values,
    helm_values,
    milvus_service,
    restoration,
    suitability,
    user_yaml,
    user_yaml_restoration,
)
from milvus_l7.domain.release.annotation_values import Merge
from milvus_l7.domain.setup.desired import Desired
from milvus_l7.domain.setup.facts import ReleaseBefore, ServiceFacts
from milvus_l7.domain.setup.outcome import Failed, Waiting
from milvus_l7.domain.text.untrusted import mapping, text
from milvus_l7.ports import (
    Connections,
    KubeObjects,
    ObjectRef,
    PlaintextEndpoint,
    Release,
    Releases,
    ValuesChange,
)
from milvus_l7.ports.release import Annotating, BeforeWrite, ServiceAnnotations, proceed, unannotated

HELM = "helm"  # Helm's field manager, which the helm command and our upgrades write as
_LOAD_BALANCER = "LoadBalancer"


@dataclass(frozen=True, slots=True)
class HelmDeployments:
    """Implements `Deployments` over the Helm releases of the clusters that requests name."""

    connections: Connections

    def open(
        self, desired: Desired, now: datetime, annotating: Annotating = unannotated
    ) -> HelmDeployment | Waiting | Failed:
        """Return the release, ready to be upgraded, or why it is not.

        An interrupted upgrade is rolled back, and nothing else done in the same execution.
        """
        releases = self.connections.releases(desired.cluster, desired.namespace)
        release = release_view.usable(releases, desired, now)
        if not isinstance(release, Release):
            return release
        return HelmDeployment(self.connections.objects(desired.cluster), releases, release, annotating)


@dataclass
class HelmDeployment:
    """Implements `MilvusDeployment` for one Helm release."""

    objects: KubeObjects
    releases: Releases
    release: Release  # as it is; the new revision after an upgrade of ours
    annotating: Annotating = unannotated

    @cached_property
    def _found(self) -> tuple[Manifest, ServiceFacts]:
        """Return the Service as it was when it was first asked for."""
        return release_view.service(self.objects, self.release)

    def service(self) -> ServiceFacts:
        """Return the release's Service and its gRPC port."""
        return self._found[1]

    @cached_property
    def _annotations(self) -> ServiceAnnotations:
        return self.annotating(self.service())

    def refuse_unsuitable(self) -> None:
        """Raise `Permanent(RELEASE_NOT_MILVUS)` if the release is of another chart."""
        suitability.refuse_other_chart(self.release.name, self.release.chart_name, self.release.subcharts)

    def before(self, known: ReleaseBefore | None) -> ReleaseBefore | None:
        """Return the values that our first upgrade replaces or, from Helm's history, has replaced."""
        plan = self._plan()
        if not plan.changes:
            return known or self._lost_before()
        live = self._found[0]
        found = helm_values.recorded(known, plan)
        if services.is_cluster_ip(live) and found.live_type is not None:
            return found
        spec = mapping(live, "spec")
        return replace(
            found,
            live_type=text(spec.get("type")) or services.CLUSTER_IP,
            live_address=milvus_service.address(live),
            live_fields=services.fields_of_type(live),
        )

    def unrestored(self, before: ReleaseBefore | None) -> tuple[str, ...]:
        """Return what is still ours of the values and the live configuration, and a type not as recorded."""
        found = self._known(before)
        if found is None:
            return ()
        fields = [f"{each.target} {each.field}" for each in self._restoration(found).changes]
        live, service = release_view.service(self.objects, self.release)
        live_type = text(mapping(live, "spec").get("type")) or services.CLUSTER_IP
        if found.live_type is not None and live_type != found.live_type:
            fields.append(f"Service {self.release.namespace}/{service.name} spec.type")
        lost = self._lost_fields(found, live)
        fields.extend(f"Service {self.release.namespace}/{service.name} spec.{key}" for key in lost)
        left = user_yaml_restoration.restore(self._live_user_yaml(), found.user_yaml).changes
        name = f"ConfigMap {self.release.namespace}/{release_view.fullname(self.release)}"
        fields.extend(f"{name} user.yaml {each.path}" for each in left)
        return tuple(fields)

    def _live_user_yaml(self) -> str:
        return text(mapping(_config_map(self.objects, self.release), "data").get("user.yaml"))

    def secure(self, domain: str, before_write: BeforeWrite = proceed) -> None:
        """Upgrade the release if its values differ; else undo what was changed past Helm."""
        plan = self._plan()
        if plan.changes:
            description = f"milvus-l7: TLS and ClusterIP for {domain}"
            self._upgrade(ValuesChange(plan.overlay, description, changes=plan.changes), before_write)
        else:
            _revert_out_of_band_edits(self.objects, self.release, self._found[0], self._annotations.merged)

    def restore(self, before: ReleaseBefore | None, before_write: BeforeWrite = proceed) -> None:
        """Bring the release's values back in one upgrade; nothing is written if they are back."""
        found = self._known(before)
        back = self._restoration(found) if found else None
        if back is not None and back.changes:
            description = "milvus-l7: as before, without TLS at the Layer-7 load balancer"
            self._upgrade(ValuesChange(back.overlay, description, back.removals, back.changes), before_write)
        live_type = self._live_type_to_restore(found) if found else None
        if live_type is not None:
            service = release_view.service(self.objects, self.release)[0]
            before_write()
            _apply_fields(self.objects, service, {("spec", "type"): live_type})
        for key, value in self._lost_fields(found, None).items() if found else ():
            service = release_view.service(self.objects, self.release)[0]
            before_write()
            # Node ports were chosen past Helm, whose next upgrade would take them from itself.
            manager = adoption.KUBECTL if key == services.PORTS else HELM
            _apply_fields(self.objects, service, {("spec", key): value}, manager)

    def _lost_fields(self, before: ReleaseBefore, live: Manifest | None) -> Mapping[str, Any]:
        """Return the fields of the Service that went with its type, and did not come back with it."""
        service = live or release_view.service(self.objects, self.release)[0]
        spec = mapping(service, "spec")
        if before.live_type in (None, services.CLUSTER_IP) or spec.get("type") != before.live_type:
            return {}
        return services.lost_fields(service, before.live_fields)

    def _live_type_to_restore(self, before: ReleaseBefore) -> str | None:
        """Return the type that the Service had past Helm; None if it has it, or somebody has chosen since."""
        live = text(mapping(release_view.service(self.objects, self.release)[0], "spec").get("type"))
        values = release_view.values(self.release).effective
        rendered = text(mapping(values, "service").get("type")) or services.CLUSTER_IP
        is_ours = (live or services.CLUSTER_IP) in (services.CLUSTER_IP, rendered)
        return before.live_type if is_ours and before.live_type != (live or services.CLUSTER_IP) else None

    def _known(self, before: ReleaseBefore | None) -> ReleaseBefore | None:
        """What was recorded; else, where all is ours, what Helm's history tells."""
        if before is not None or self._plan().changes:
            return before
        return self._lost_before()

    def _lost_before(self) -> ReleaseBefore | None:
        return release_view.lost_before(self.releases, self.release, self._annotations.merged)

    def _restoration(self, before: ReleaseBefore) -> restoration.Restoration:
        earlier = self.releases.get(self.release.name, before.revision) if before.user_yaml else None
        theirs = helm_values.own_user_yaml(release_view.values(earlier)) if earlier else None
        values, unmerge = release_view.values(self.release), self._annotations.restored
        return restoration.restoration(values, before, theirs, unmerge)

    def unfinished(self, now: datetime) -> Waiting | None:
        """Return what the roll-out of the release's present configuration waits for, or None."""
        return release_view.unfinished(self.objects, self.release, now)

    def plaintext(self) -> PlaintextEndpoint | None:
        """Return the Layer-4 end point, if the release is meant to have one without TLS."""
        live, service = release_view.service(self.objects, self.release)
        theirs = self._custom_file
        values = release_view.values(self.release)
        file = helm_values.effective_user_yaml(values) if theirs is None else theirs
        has_tls = not user_yaml.merge(file).changes
        if has_tls or text(mapping(live, "spec").get("type")) != _LOAD_BALANCER:
            return None
        return PlaintextEndpoint(service.name, milvus_service.address(live), service.port)

    def _plan(self) -> helm_values.ValuesPlan:
        values = release_view.values(self.release)
        merge = self._annotations.merged if annotation_values.held(values.effective) else None
        return helm_values.plan(values, self._custom_file, merge)

    @cached_property
    def _custom_file(self) -> str | None:
        """Return Milvus' configuration in the user's own ConfigMap, if the release has one."""
        name = helm_values.custom_config_map(release_view.values(self.release))
        if name is None:
            return None
        live = self.objects.get(ObjectRef(*kinds.CONFIG_MAP, self.release.namespace, name))
        return text(mapping(live, "data").get(helm_values.CUSTOM_FILE))

    def _upgrade(self, change: ValuesChange, before_write: BeforeWrite) -> None:
        self.release = self.releases.upgrade(self.release, change, before_write)


def _revert_out_of_band_edits(kube: KubeObjects, release: Release, service: Manifest, merge: Merge) -> None:
    """Undo what has been changed in the cluster, past Helm, of what we set.

    Helm's values are right then, so that an upgrade would change nothing. The fields become Helm's again, so
    that the user's next upgrade meets no foreign owner. Everything else stays, other edits of user.yaml too.
    """
    fields: dict[tuple[str, ...], Any] = {}
    if not services.is_cluster_ip(service):
        fields["spec", "type"] = services.CLUSTER_IP
    of_values = annotation_values.held(release_view.values(release).effective)
    live = mapping(service, "metadata", "annotations")
    wanted = merge(live) if of_values else {}
    edited = {key: text for key, text in wanted.items() if key in of_values and live.get(key) != text}
    fields |= {("metadata", "annotations", key): text for key, text in edited.items()}
    if fields:
        _apply_fields(kube, service, fields)
    _revert_user_yaml(kube, release)


def _revert_user_yaml(kube: KubeObjects, release: Release) -> None:
    live = _config_map(kube, release)
    if live is None:
        return
    merged = user_yaml.merge(text(mapping(live, "data").get("user.yaml")))
    if merged.changes:
        _apply_fields(kube, live, {("data", "user.yaml"): merged.text})


def _config_map(kube: KubeObjects, release: Release) -> Manifest | None:
    return kube.get(ObjectRef("v1", "ConfigMap", release.namespace, release_view.fullname(release)))


def _apply_fields(
    kube: KubeObjects, live: Manifest, fields: Mapping[tuple[str, ...], Any], manager: str = HELM
) -> None:
    manifest = owned_fields.applied_by(live, manager)
    for path, value in fields.items():
        manifest = owned_fields.with_field(manifest, path, value)
    apply.apply_if_changed(kube, ApplyRequest(live, manifest, force=True, manager=manager))
