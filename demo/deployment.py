"""The product, deployed into the embedded cloud: its topology, its bundles, its settings, and their pace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from infra.bundle import bundle, topology
from localcloud.addresses import HTTPS_PORT
from localcloud.cloud import Cloud, MessagingPace
from localcloud.controllers import Delays
from localcloud.deployment import Deployment


@dataclass(frozen=True, slots=True)
class Pacing:
    """How much quicker than on Google Cloud things happen. Times in seconds."""

    pace_scale: float = 0.2  # of the functions' waits
    push_backoff_scale: float = 0.05  # of Pub/Sub's redelivery back-off
    tick_s: float = 1.0  # instead of the scheduler's minute
    lease_s: float = 20.0  # instead of the functions' time-outs
    outbox_age_s: float = 3.0

    def settings(self, dns_server: str) -> dict[str, str]:
        """Return the variables with which the functions go at this pace and find the cloud's DNS."""
        return {
            "L7_PACE_SCALE": str(self.pace_scale),
            "L7_LEASE_S": str(self.lease_s),
            "L7_OUTBOX_AGE_S": str(self.outbox_age_s),
            "L7_HTTPS_PORT": str(HTTPS_PORT),
            "L7_DNS_SERVER": dns_server,
        }


def embedded_cloud(
    pacing: Pacing = Pacing(), delays: Delays | None = None, others: Mapping[str, str] | None = None
) -> Cloud:
    """Return an embedded cloud into which the functions of this repository are deployed on entering it.

    `others`: addresses of other emulators in place of ours, by the variables that clients read.
    """
    deployment = Deployment(topology(), bundle, pacing.settings)
    return Cloud(deployment, MessagingPace(pacing.push_backoff_scale, pacing.tick_s), delays, others)
