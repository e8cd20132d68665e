"""How long the emulated control plane takes. The real one takes minutes; the order is the same."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Delays:
    """Seconds. The fields name the real controller's counterpart (kubernetes/ingress-gce)."""

    address_s: float = 1.0  # from a good translation, or a LoadBalancer Service, to an address in the status
    serving_s: float = 1.0  # from the address to the first answer at it
    resync_s: float = (
        2.0  # `sync-period`, 10 minutes there: the `backends` annotation is refreshed this often
    )
    retry_s: float = 0.5  # first back-off of a failed sync; doubles
    retry_cap_s: float = 5.0
    probe_s: float = 1.0  # upper bound for the health check interval
    readiness_s: float = 0.3  # between two readiness probes of a Pod
    crash_s: float = 1.0  # first CrashLoopBackOff; doubles
    crash_cap_s: float = 8.0
    certificate_s: float = 2.0  # between two attempts to provision a Google-managed certificate
    certificate_attempts: int = 0  # after so many it has failed permanently; 0: it never gives up
    edge_s: float = 1.0  # from an Active certificate to its being served
