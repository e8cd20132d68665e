"""The chain: which stages there are, in which order, and on which topics they meet.

The topics themselves are deployment facts; they come from `infra/topology.yaml`.
"""

from __future__ import annotations

from enum import StrEnum


class Stage(StrEnum):
    """A step of the chain that works on one setup; each is owned by the function of the same name."""

    PLAN_SETUP = "plan_setup"
    PREPARE_TLS = "prepare_tls"
    CONFIGURE_HEALTH_CHECK = "configure_health_check"
    PROVISION_CERTIFICATE = "provision_certificate"
    CREATE_INGRESS = "create_ingress"
    VERIFY_ENDPOINT = "verify_endpoint"
    TEAR_DOWN = "tear_down"

    @property
    def earlier(self) -> tuple[Stage, ...]:
        """The stages that must be done before this one, in order."""
        chain = TEARDOWN_STAGES if self in TEARDOWN_STAGES else SETUP_STAGES
        return chain[: chain.index(self)]

    @property
    def following(self) -> Stage | None:
        """The stage after this one, or None after the last."""
        chain = TEARDOWN_STAGES if self in TEARDOWN_STAGES else SETUP_STAGES
        later = chain[chain.index(self) + 1 :]
        return later[0] if later else None


TEARDOWN_STAGES: tuple[Stage, ...] = (Stage.TEAR_DOWN,)
SETUP_STAGES: tuple[Stage, ...] = tuple(stage for stage in Stage if stage not in TEARDOWN_STAGES)
