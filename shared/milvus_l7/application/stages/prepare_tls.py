"""Prepare the release through its Helm values: a ClusterIP Service, Milvus serving TLS; then the roll-out.

    release --> recover if interrupted --> plan values --> upgrade if they differ --> rolled out?

Killed after the upgrade and before its result is committed, the next run finds nothing to upgrade, and takes
what was there before from the revision that Helm kept.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from milvus_l7.application.kubernetes import apply
from milvus_l7.application.kubernetes.apply import ApplyRequest
from milvus_l7.application.release import release_view
from milvus_l7.domain.frontend import service_annotations
from milvus_l7.domain.kubernetes import owned_fields, services
from milvus_l7.domain.release import helm_values, user_yaml
from milvus_l7.domain.setup.document import Setup
from milvus_l7.domain.setup.outcome import Done, Outcome
from milvus_l7.domain.text.untrusted import mapping, text
from milvus_l7.ports import Connections, KubeObjects, Manifest, ObjectRef, Release, ValuesChange

HELM = "helm"  # Helm's field manager, which the helm command and our upgrades write as


@dataclass(frozen=True, slots=True)
class PrepareTls:
    """The stage `prepare_tls`."""

    connections: Connections

    def __call__(self, setup: Setup, now: datetime) -> Outcome:
        """Upgrade the release if its values differ, then wait until the new configuration runs.

        A second run writes nothing. Facts: `service`, `annotations_before` from the first look on, and
        `before` from the first upgrade on.
        """
        desired = setup.desired
        releases = self.connections.releases(desired.cluster, desired.namespace)
        release = release_view.usable(releases, desired, now)
        if not isinstance(release, Release):
            return release
        plan = helm_values.plan(release_view.values(release))
        kube = self.connections.objects(desired.cluster)
        live, service = release_view.service(kube, release)
        before = setup.facts.before or release_view.before(releases, release, plan)
        if plan.changes:
            description = f"milvus-l7: TLS and ClusterIP for {desired.domain}"
            release = releases.upgrade(release, ValuesChange(plan.overlay, description, changes=plan.changes))
        else:
            _revert_out_of_band_edits(kube, release, live)
        found = setup.facts.annotations_before
        annotations = _annotations(live) if found is None else found
        facts = replace(setup.facts, service=service, before=before, annotations_before=annotations)
        waiting = release_view.unfinished(kube, release)
        return replace(waiting, facts=facts) if waiting else Done(facts)


def _annotations(service: Manifest) -> dict[str, str | None]:
    """Those that `configure_health_check` may change. Kept now: that stage may die after changing them."""
    present = mapping(service, "metadata", "annotations")
    return {key: present.get(key) for key in service_annotations.KEYS}


def _revert_out_of_band_edits(kube: KubeObjects, release: Release, service: Manifest) -> None:
    """Undo what somebody has changed in the cluster, past Helm, of what this stage is for.

    Helm's values are right then, so that an upgrade would change nothing. The fields become Helm's again, so
    that the user's next upgrade meets no foreign owner. Everything else stays, other edits of user.yaml too.
    """
    if not services.is_cluster_ip(service):
        _apply_as_helm(kube, service, ("spec", "type"), services.CLUSTER_IP)
    live = kube.get(ObjectRef("v1", "ConfigMap", release.namespace, release_view.fullname(release)))
    if live is None:
        return
    merged = user_yaml.merge(text(mapping(live, "data").get("user.yaml")))
    if merged.changes:
        _apply_as_helm(kube, live, ("data", "user.yaml"), merged.text)


def _apply_as_helm(kube: KubeObjects, live: Manifest, path: tuple[str, ...], value: str) -> None:
    manifest = owned_fields.with_field(owned_fields.applied_by(live, HELM), path, value)
    apply.apply_if_changed(kube, ApplyRequest(live, manifest, force=True, manager=HELM))
