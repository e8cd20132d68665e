"""The way back, in reverse order: frontend, certificates, health check, the release.

    DNS records --> frontend --> load balancer released --> certificates --> health check, annotations
                --> [restore_l4] the release as before --> rolled out --> answers in plaintext

Every step looks first, so the stage may die anywhere and be run again. What does not carry our label, or
is not a field of ours, stays.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from milvus_l7.application.dns import records
from milvus_l7.domain.certificates import certificate_objects
from milvus_l7.domain.kubernetes import kinds, manifests
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Permanent
from milvus_l7.domain.release import annotation_values
from milvus_l7.domain.setup.document import Setup
from milvus_l7.domain.setup.facts import Facts, ReleaseBefore, ServiceFacts
from milvus_l7.domain.setup.outcome import Done, Failed, Outcome, Waiting
from milvus_l7.domain.text.untrusted import mapping, text
from milvus_l7.ports import (
    MilvusDeployment,
    ObjectRef,
    StagePorts,
)

SHOWN = 5  # fields that a message names


@dataclass(frozen=True, slots=True)
class TearDown:
    """The stage `tear_down`."""

    ports: StagePorts

    def __call__(self, setup: Setup, now: datetime) -> Outcome:
        """Remove what is ours; done when it is gone, and with `restore_l4` when plaintext answers.

        Waits with LOAD_BALANCER_RELEASING, LOAD_BALANCER_STUCK, what the roll-out waits for, or
        PLAINTEXT_UNREACHABLE. A second run writes nothing. The facts keep what a later restoration needs.
        """
        service = setup.facts.service or self._service(setup, now)
        if isinstance(service, Waiting):
            return service
        for each in (*setup.facts.former, *((service,) if service else ())):
            waiting = self._without_frontend(setup, each)
            if waiting is not None:
                return waiting
        if setup.teardown is None or not setup.teardown.restore_l4:
            return self._unannotated(setup, now) or Done(_left(setup, service))
        restored = self._restored(setup, now)
        if not isinstance(restored, str):
            return restored
        return Done(replace(_left(setup, service), before=None), restored)

    def _unannotated(self, setup: Setup, now: datetime) -> Outcome | None:
        """Give back the annotations of the Service that were changed in the deployment's own configuration.

        They are the frontend's, so they go with it, whether the rest is restored or not.
        """
        before = annotation_values.alone(setup.facts.before)
        deployment = self._opened(setup, now) if before else None
        if deployment is None:
            return None
        if isinstance(deployment, Failed):
            return _without_release(setup, deployment)
        if isinstance(deployment, Waiting):
            return deployment
        deployment.restore(before, lambda: self.ports.ahead.record(setup.facts, begins_effect=True))
        return _incomplete(deployment.unrestored(before))

    def _opened(self, setup: Setup, now: datetime) -> MilvusDeployment | Waiting | Failed:
        frontends = self.ports.frontends
        return self.ports.deployments.open(
            setup.desired, now, lambda service: frontends.of(setup, service).annotations
        )

    def _service(self, setup: Setup, now: datetime) -> ServiceFacts | Waiting | None:
        """Found anew, if the set-up died before it could note it down; None if there is no release."""
        deployment = self.ports.deployments.open(setup.desired, now)
        if isinstance(deployment, Waiting):
            return deployment
        return None if isinstance(deployment, Failed) else deployment.service()

    def _without_frontend(self, setup: Setup, service: ServiceFacts) -> Waiting | None:
        """Remove everything in front of Milvus; None once the load balancer is released and all is gone."""
        frontend = self.ports.frontends.of(setup, service)
        records.withdraw(self.ports.zones, setup)
        waiting = frontend.remove()
        if waiting is not None:
            return waiting
        self._delete_certificates(setup, service)
        frontend.restore_backend()
        return None

    def _delete_certificates(self, setup: Setup, service: ServiceFacts) -> None:
        """Delete the ManagedCertificates and the Secrets that we made for the Service, whatever is known."""
        namespace = setup.desired.namespace
        kind = ObjectRef(*kinds.MANAGED_CERTIFICATE, namespace)
        try:
            self._delete_ours(setup, kind, service)
        except Permanent as refused:
            # A cluster without that kind has none of them; a setup that had one must hear why.
            had_one = setup.facts.managed is not None or setup.desired.is_google_managed
            if had_one or refused.reason is not Reason.REFUSED_BY_CLUSTER:
                raise
        self._delete_ours(setup, ObjectRef(*kinds.SECRET, namespace), service)

    def _delete_ours(self, setup: Setup, kind: ObjectRef, service: ServiceFacts) -> None:
        objects = self.ports.connections.objects(setup.desired.cluster)
        for live in objects.list(kind, {manifests.MANAGED_BY: manifests.OURS}):
            name = text(mapping(live, "metadata").get("name"))
            is_for_service = certificate_objects.tls_number(service.name, name) is not None
            if is_for_service and not manifests.is_terminating(live):
                objects.delete(live)

    def _restored(self, setup: Setup, now: datetime) -> Outcome | str:
        """Bring the deployment back; what its clients must know once it runs so, and answers in plaintext."""
        deployment = self._opened(setup, now)
        if isinstance(deployment, Failed):
            return _without_release(setup, deployment)
        if isinstance(deployment, Waiting):
            return deployment
        before = setup.facts.before
        deployment.restore(before, lambda: self.ports.ahead.record(setup.facts, begins_effect=True))
        waiting = deployment.unfinished(now)
        return waiting or _incomplete(deployment.unrestored(before)) or self._plaintext(deployment, before)

    def _plaintext(self, deployment: MilvusDeployment, before: ReleaseBefore | None) -> Outcome | str:
        """Only where Milvus is meant to answer in plaintext, at an address of its own."""
        endpoint = deployment.plaintext()
        if endpoint is None:
            return ""
        if endpoint.address is None:
            message = f"Service {endpoint.service} has no address yet"
            return Waiting(Reason.PLAINTEXT_UNREACHABLE, message)
        self.ports.probe.plaintext_version(endpoint.address, endpoint.port)
        was = before.live_address if before else None
        if was in (None, endpoint.address):
            return ""
        return f"Service {endpoint.service} answers at {endpoint.address} now; it was {was} before"


def _incomplete(fields: tuple[str, ...]) -> Failed | None:
    """Done is reported only when the live Service and the configuration are what was recorded."""
    if not fields:
        return None
    return Failed(Reason.RESTORE_INCOMPLETE, f"not as before: {', '.join(fields[:SHOWN])}")


def _without_release(setup: Setup, failed: Failed) -> Outcome:
    """Without a release there is nothing to restore; what was recorded stays, as nothing is proven."""
    if failed.reason is not Reason.RELEASE_NOT_FOUND:
        return failed
    return Done(replace(_left(setup, setup.facts.service), before=setup.facts.before))


def _left(setup: Setup, service: ServiceFacts | None) -> Facts:
    """What is still true of the release afterwards."""
    return Facts(service=service, before=annotation_values.without(setup.facts.before))
