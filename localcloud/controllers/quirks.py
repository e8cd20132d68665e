"""What the real control plane does to you, but not always: tests switch it on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Quirks:
    """Everything off is a good day. Sources: kubernetes/ingress-gce, gke-managed-certs, client-go."""

    # An Ingress is synced before its network endpoint group exists; heals at the next try.
    neg_race: bool = False
    # The quota of SSL certificates is used up when the first one is made for a ManagedCertificate, or for the
    # Secrets of an Ingress; somebody deletes one of theirs before the next try.
    quota_race: bool = False
    # ManagedCertificates and Ingresses have a queue each: what changes of the one reaches the other only at
    # its next resync.
    separate_queues: bool = False
    # An attempt that failed shows in the certificate as a whole, not only in its domains.
    reports_failed_attempts: bool = False
    # Seconds until one more Event about an object is written after a burst of 25; 0: all are.
    event_refill_s: float = 0.0


BAD_DAY = Quirks(
    neg_race=True, quota_race=True, separate_queues=True, reports_failed_attempts=True, event_refill_s=1.0
)
