"""Which health check and time-out a backend gets, from its BackendConfig or by default. Pure.

Defaults for NEG backends: kubernetes/ingress-gce pkg/translator/healthchecks.go (interval 15 s, time-out 15
s, healthy 1, unhealthy 2, path /, protocol and port those of the traffic). Time-out of a backend: 30 s
(Compute API).
"""

from __future__ import annotations

from typing import Any

from localcloud.envoy.model import HealthCheck, Protocol

Object = dict[str, Any]

BACKEND_TIMEOUT_S = 30
INTERVAL_S = 15
TIMEOUT_S = 15


def health_check(config: Object | None, protocol: Protocol, fastest_s: float) -> HealthCheck:
    """Return the check for a backend that is spoken to by `protocol`, sped up to `fastest_s`.

    Its own protocol is what the BackendConfig says, whether there is such a one or not.
    """
    spec = _spec(config).get("healthCheck") or {}
    return HealthCheck(
        protocol=spec.get("type", protocol),
        path=spec.get("requestPath", "/"),
        interval_s=min(spec.get("checkIntervalSec", INTERVAL_S), fastest_s),
        timeout_s=spec.get("timeoutSec", TIMEOUT_S),
        healthy_threshold=spec.get("healthyThreshold", 1),
        unhealthy_threshold=spec.get("unhealthyThreshold", 2),
    )


def health_port(config: Object | None) -> int | None:
    """Return the fixed port that is probed; None: the one that serves."""
    port = (_spec(config).get("healthCheck") or {}).get("port")
    return int(port) if port else None


def timeout_s(config: Object | None) -> float:
    """Return how long a response may take as a whole."""
    return float(_spec(config).get("timeoutSec") or BACKEND_TIMEOUT_S)


def _spec(config: Object | None) -> Object:
    return (config or {}).get("spec") or {}
