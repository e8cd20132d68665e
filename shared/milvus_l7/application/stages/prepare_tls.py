"""The stage that lets Milvus serve TLS behind a ClusterIP Service, and waits for the roll-out.

What was there before is stored before it is changed. Killed after the change and before its result is
committed, the next execution finds nothing to change.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from milvus_l7.domain.setup.document import Setup
from milvus_l7.domain.setup.outcome import Done, Failed, Outcome, Waiting
from milvus_l7.ports import Deployments, Frontends, WriteAhead


@dataclass(frozen=True, slots=True)
class PrepareTls:
    """The stage `prepare_tls`."""

    deployments: Deployments
    frontends: Frontends
    ahead: WriteAhead

    def __call__(self, setup: Setup, now: datetime) -> Outcome:
        """Change the deployment if it differs, then wait until the new configuration runs.

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
        deployment.secure(setup.desired.domain, lambda: self.ahead.record(facts, begins_effect=True))
        waiting = deployment.unfinished()
        return replace(waiting, facts=facts) if waiting else Done(facts)
