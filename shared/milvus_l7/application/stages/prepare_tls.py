"""The stage that lets Milvus serve TLS behind a ClusterIP Service.

It is done when the change is; that the Pods come up with it is verified at the end of the chain, and takes
its time beside the other stages. What was there before is stored before it is changed. Killed after the
change and before its result is committed, the next execution finds nothing to change.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Deferred
from milvus_l7.domain.setup.document import Setup
from milvus_l7.domain.setup.maintenance_window import MaintenanceWindow
from milvus_l7.domain.setup.outcome import Done, Failed, Outcome, Waiting
from milvus_l7.ports import Deployments, Frontends, WriteAhead


@dataclass(frozen=True, slots=True)
class PrepareTls:
    """The stage `prepare_tls`."""

    deployments: Deployments
    frontends: Frontends
    ahead: WriteAhead

    def __call__(self, setup: Setup, now: datetime) -> Outcome:
        """Change the deployment if it differs; what restarts Milvus waits for the maintenance window.

        A second run writes nothing. Facts: `service`, `annotations_before` from the first look on, and
        `before` from the first change on.
        """
        deployment = self.deployments.open(
            setup.desired, now, lambda service: self.frontends.of(setup, service).annotations
        )
        if isinstance(deployment, Waiting | Failed):
            return deployment
        deployment.refuse_unsuitable()
        service = deployment.service()
        before = deployment.before(setup.facts.before)
        annotations = setup.facts.annotations_before
        if annotations is None:
            annotations = self.frontends.of(setup, service).annotations_before()
        known = setup.facts.with_service(service)
        facts = replace(known, before=before, annotations_before=annotations)

        def begin() -> None:
            _refuse_outside(setup.supervision.maintenance_window, now)
            self.ahead.record(facts, begins_effect=True)

        try:
            deployment.secure(setup.desired.domain, begin)
        except Deferred as deferred:
            # What is there before the change is not known before that begins.
            return Waiting(deferred.reason, deferred.message, known, deferred.until)
        return Done(facts)


def _refuse_outside(window: MaintenanceWindow | None, now: datetime) -> None:
    """Raise `Deferred` until the window, if there is one, is open with enough of it left."""
    opening = window.opening(now) if window else now
    if window is None or opening == now:
        return
    message = f"Milvus may restart {window.words()}; that is next from {window.shown(opening)} on"
    raise Deferred(Reason.OUTSIDE_MAINTENANCE_WINDOW, message, opening)
