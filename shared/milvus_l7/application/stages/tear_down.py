"""The way back, in reverse order: Ingress, certificates, annotations and BackendConfig, the release.

    Ingress --> its finalizer gone --> certificates --> annotations --> BackendConfig
            --> [restore_l4] one Helm upgrade --> rolled out --> answers in plaintext

Every step looks first, so the stage may die anywhere and be run again. What does not carry our label, or
is not a field of ours, stays.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from milvus_l7.application.dns import records
from milvus_l7.application.kubernetes import apply
from milvus_l7.application.kubernetes.apply import ApplyRequest
from milvus_l7.application.release import release_view
from milvus_l7.domain.certificates import certificate_objects, managed_certificate
from milvus_l7.domain.frontend import ingress_objects, ingress_status, service_annotations
from milvus_l7.domain.kubernetes import manifests, services
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.release import helm_values, milvus_service, restoration, user_yaml
from milvus_l7.domain.setup.document import Setup
from milvus_l7.domain.setup.facts import Facts, ReleaseBefore, ServiceFacts
from milvus_l7.domain.setup.outcome import Done, Failed, Outcome, Waiting
from milvus_l7.domain.text.untrusted import mapping, text
from milvus_l7.ports import (
    Connections,
    DnsZones,
    EndpointProbe,
    KubeObjects,
    Manifest,
    ObjectRef,
    Release,
    Releases,
    ValuesChange,
)


@dataclass(frozen=True, slots=True)
class TearDown:
    """The stage `tear_down`."""

    connections: Connections
    zones: DnsZones
    probe: EndpointProbe

    def __call__(self, setup: Setup, now: datetime) -> Outcome:
        """Take away what is ours; done when it is gone, and with `restore_l4` when plaintext answers.

        Waits with LOAD_BALANCER_RELEASING, LOAD_BALANCER_STUCK, what the roll-out waits for, or
        PLAINTEXT_UNREACHABLE. A second run writes nothing. The facts keep what a later restoration needs.
        """
        way = TearDownRun(self, setup, self.connections.objects(setup.desired.cluster), now)
        service = setup.facts.service or way.service
        if service is not None:
            waiting = way.without_ingress(service)
            if waiting is not None:
                return waiting
            way.without_certificates(service)
            way.without_health_check(service)
        if setup.teardown is None or not setup.teardown.restore_l4:
            return Done(_left(setup, service))
        unfinished = way.restored()
        return unfinished or Done(replace(_left(setup, service), before=None))


def _left(setup: Setup, service: ServiceFacts | None) -> Facts:
    """What is still true of the release afterwards."""
    return Facts(service=service, before=setup.facts.before)


@dataclass(slots=True)
class TearDownRun:
    """One execution."""

    stage: TearDown
    setup: Setup
    objects: KubeObjects
    now: datetime

    @property
    def releases(self) -> Releases:
        """Return the releases of the setup's namespace."""
        desired = self.setup.desired
        return self.stage.connections.releases(desired.cluster, desired.namespace)

    @property
    def service(self) -> ServiceFacts | None:
        """Return the Service found anew if the set-up died before noting it; None if there is no release."""
        release = release_view.usable(self.releases, self.setup.desired, self.now)
        return release_view.service(self.objects, release)[1] if isinstance(release, Release) else None

    def without_ingress(self, service: ServiceFacts) -> Waiting | None:
        """Delete the Ingress and the DNS records that lead to it; None once the load balancer is released."""
        ref = self._ref("networking.k8s.io/v1", "Ingress", service.name)
        live = self.objects.get(ref)
        records.withdraw(self.stage.zones, self.setup)
        if live is None or not manifests.is_ours(live):
            return None
        if not live["metadata"].get("deletionTimestamp"):
            self.objects.delete(live)
        stuck = ingress_status.collection_trouble(self.objects.events(ref))
        if stuck is not None:
            return Waiting(Reason.LOAD_BALANCER_STUCK, stuck)
        message = f"Ingress {service.name} is being deleted; GKE releases its load balancer"
        return Waiting(Reason.LOAD_BALANCER_RELEASING, message)

    def without_certificates(self, service: ServiceFacts) -> None:
        """Delete the ManagedCertificates and the Secrets that we made for the Service."""
        setup = self.setup
        if setup.facts.managed is not None or setup.desired.is_google_managed:
            kind = self._ref(managed_certificate.API_VERSION, managed_certificate.KIND)
            self._delete_ours(kind, service)
        self._delete_ours(self._ref("v1", "Secret"), service)

    def without_health_check(self, service: ServiceFacts) -> None:
        """Give the Service its annotations back, then take the BackendConfig, or our fields of it, away."""
        name = ingress_objects.backend_config_name(service)
        live = self.objects.get(self._ref("v1", "Service", service.name))
        if live is not None:
            apply.apply_if_changed(
                self.objects, ApplyRequest(live, self._annotated(live, service, name), force=True)
            )
        config = self.objects.get(self._ref("cloud.google.com/v1", "BackendConfig", name))
        if config is None:
            return
        if manifests.is_ours(config):
            self.objects.delete(config)
        else:
            apply.apply_if_changed(self.objects, ApplyRequest(config, manifests.empty_apply(config)))

    def _annotated(self, live: Manifest, service: ServiceFacts, backend_config: str) -> Manifest:
        existing = mapping(live, "metadata", "annotations")
        before = self.setup.facts.annotations_before or {}
        back = service_annotations.restored(existing, before, service, backend_config)
        # Those that stay are named, because what an apply leaves out it removes, if nobody else has set it.
        after = {key: back.get(key, existing.get(key)) for key in before}
        return services.annotated_service(
            live, {key: value for key, value in after.items() if value is not None}
        )

    def _delete_ours(self, kind: ObjectRef, service: ServiceFacts) -> None:
        for live in self.objects.list(kind, {manifests.MANAGED_BY: manifests.OURS}):
            name = text(mapping(live, "metadata").get("name"))
            is_terminating = bool(mapping(live, "metadata").get("deletionTimestamp"))
            if certificate_objects.tls_number(service.name, name) is not None and not is_terminating:
                self.objects.delete(live)

    def restored(self) -> Outcome | None:
        """Bring the release's values back in one upgrade; None once it runs so, and answers in plaintext."""
        release = release_view.usable(self.releases, self.setup.desired, self.now)
        if not isinstance(release, Release):
            # Without a release there is nothing to restore.
            return None if isinstance(release, Failed) else release
        before = self._before(release)
        if before is not None:
            release = self._upgraded(release, before)
        return release_view.unfinished(self.objects, release) or self._plaintext(release)

    def _before(self, release: Release) -> ReleaseBefore | None:
        plan = helm_values.plan(release_view.values(release))
        if self.setup.facts.before is not None or plan.changes:
            return self.setup.facts.before
        return release_view.before(self.releases, release, plan)

    def _upgraded(self, release: Release, before: ReleaseBefore) -> Release:
        earlier = self.releases.get(release.name, before.revision)
        theirs = helm_values.own_user_yaml(release_view.values(earlier)) if earlier else None
        back = restoration.restoration(release_view.values(release), before, theirs)
        if not back.changes:
            return release
        description = "milvus-l7: as before, without TLS at the Layer-7 load balancer"
        return self.releases.upgrade(
            release, ValuesChange(back.overlay, description, back.removals, back.changes)
        )

    def _plaintext(self, release: Release) -> Outcome | None:
        """Only where Milvus is meant to answer in plaintext, at an address of its own."""
        live, service = release_view.service(self.objects, release)
        has_tls = not user_yaml.merge(helm_values.effective_user_yaml(release_view.values(release))).changes
        if has_tls or text(mapping(live, "spec").get("type")) != "LoadBalancer":
            return None
        address = milvus_service.address(live)
        if address is None:
            message = f"Service {service.name} has no address yet"
            return Waiting(Reason.PLAINTEXT_UNREACHABLE, message)
        self.stage.probe.plaintext_version(address, service.port)
        return None

    def _ref(self, api_version: str, kind: str, name: str = "") -> ObjectRef:
        return ObjectRef(api_version, kind, self.setup.desired.namespace, name)
