"""The stage that lets Milvus serve TLS behind a ClusterIP Service, and waits for the roll-out.

Killed after the change and before its result is committed, the next run finds nothing to change, and takes
what was there before from the history that the deployment keeps.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from milvus_l7.domain.setup.document import Setup
from milvus_l7.domain.setup.outcome import Done, Failed, Outcome, Waiting
from milvus_l7.ports import Deployments, Frontends


@dataclass(frozen=True, slots=True)
class PrepareTls:
    """The stage `prepare_tls`."""

    deployments: Deployments
    frontends: Frontends

    def __call__(self, setup: Setup, now: datetime) -> Outcome:
        """Change the deployment if it differs, then wait until the new configuration runs.

        A second run writes nothing. Facts: `service`, `annotations_before` from the first look on, and
        `before` from the first change on.
        """
        deployment = self.deployments.open(setup.desired, now)
        if isinstance(deployment, Waiting | Failed):
            return deployment
        service = deployment.service()
        before = setup.facts.before or deployment.before()
        annotations = setup.facts.annotations_before
        if annotations is None:
            # Kept now: `configure_health_check` may die after changing them.
            annotations = self.frontends.of(setup, service).annotations_before()
        deployment.secure(setup.desired.domain)
        facts = replace(setup.facts, service=service, before=before, annotations_before=annotations)
        waiting = deployment.unfinished()
        return replace(waiting, facts=facts) if waiting else Done(facts)
