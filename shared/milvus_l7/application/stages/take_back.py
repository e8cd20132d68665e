"""Settle what an execution that died has left half-done, before anything else runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from milvus_l7.domain.setup.document import Setup
from milvus_l7.domain.setup.outcome import Done, Outcome, Waiting
from milvus_l7.ports import Deployments


@dataclass(frozen=True, slots=True)
class TakeBack:
    """The only effect that can be left half-done is a change of the deployment."""

    deployments: Deployments

    def __call__(self, setup: Setup, now: datetime) -> Outcome:
        """Return `Done` when the deployment can be changed again: an interrupted change has been taken back.

        Safe to repeat. Without a deployment there is nothing to take back.
        """
        deployment = self.deployments.open(setup.desired, now)
        return deployment if isinstance(deployment, Waiting) else Done()
