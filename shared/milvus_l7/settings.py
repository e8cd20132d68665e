"""What the environment tells a function; production needs the project, and the name of a named database."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """A function's settings."""

    project: str  # GOOGLE_CLOUD_PROJECT: where topics and state live
    database: str  # L7_FIRESTORE_DATABASE: the project's database that holds the state
    pace_scale: float = 1.0  # L7_PACE_SCALE: factor on all waiting times
    lease_s: float | None = None  # L7_LEASE_S: instead of the topology's lease
    outbox_age_s: float = 30.0  # L7_OUTBOX_AGE_S: age at which re-poll publishes an outbox entry
    https_port: int = 443  # L7_HTTPS_PORT: where the load balancer is verified
    dns_server: tuple[str, int] | None = None  # L7_DNS_SERVER, host:port: instead of the system's resolver

    @property
    def owner(self) -> str:
        """Names this execution environment in leases, for whoever reads the state."""
        return f"{os.environ.get('K_REVISION', socket.gethostname())}:{os.getpid()}"


def firestore_database(environment: Mapping[str, str]) -> str:
    """Return the name of the database that holds the state."""
    return environment.get("L7_FIRESTORE_DATABASE") or "(default)"


def from_environment(environment: Mapping[str, str]) -> Settings:
    """The settings in the environment; `RuntimeError` naming the variable if one is missing or unusable."""
    project = environment.get("GOOGLE_CLOUD_PROJECT")
    if not project:
        raise RuntimeError("the environment variable GOOGLE_CLOUD_PROJECT is not set")
    lease_s = environment.get("L7_LEASE_S")
    dns_host, _, dns_port = environment.get("L7_DNS_SERVER", "").partition(":")
    return Settings(
        project,
        firestore_database(environment),
        float(environment.get("L7_PACE_SCALE", "1")),
        float(lease_s) if lease_s else None,
        float(environment.get("L7_OUTBOX_AGE_S", "30")),
        int(environment.get("L7_HTTPS_PORT", "443")),
        (dns_host, int(dns_port)) if dns_port else None,
    )
