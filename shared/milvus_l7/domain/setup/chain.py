"""The chain: which stages there are, in which order, and on which topics they meet.

The topics themselves are deployment facts; they come from `infra/topology.yaml`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Stage(StrEnum):
    """A step of the chain that works on one setup; each is owned by the function of the same name."""

    PREPARE_TLS = "prepare_tls"
    CONFIGURE_HEALTH_CHECK = "configure_health_check"
    PROVISION_CERTIFICATE = "provision_certificate"
    CREATE_INGRESS = "create_ingress"
    VERIFY_ENDPOINT = "verify_endpoint"
    TEAR_DOWN = "tear_down"

    @property
    def earlier(self) -> tuple[Stage, ...]:
        """The stages that must be done before this one, in order."""
        chain = WAY_BACK if self in WAY_BACK else ORDER
        return chain[: chain.index(self)]

    @property
    def following(self) -> Stage | None:
        """The stage after this one, or None after the last."""
        chain = WAY_BACK if self in WAY_BACK else ORDER
        later = chain[chain.index(self) + 1 :]
        return later[0] if later else None


WAY_BACK: tuple[Stage, ...] = (Stage.TEAR_DOWN,)
ORDER: tuple[Stage, ...] = tuple(stage for stage in Stage if stage not in WAY_BACK)


@dataclass(frozen=True, slots=True)
class FunctionFacts:
    """What the topology says of one function."""

    trigger: str
    timeout_s: int
    announces: str | None = None


@dataclass(frozen=True, slots=True)
class Topology:
    """The deployed functions and the topics between them."""

    functions: Mapping[str, FunctionFacts]
    lease_margin_s: int
    failed_topic: str
    rejected_topic: str
    reissued_topic: str

    def trigger(self, stage: Stage) -> str:
        """The topic whose events start `stage`."""
        return self.functions[stage].trigger

    def announcement(self, stage: Stage) -> str:
        """The topic on which the success of `stage` is announced."""
        topic = self.functions[stage].announces
        if topic is None:
            raise ValueError(f"{stage} announces nothing")
        return topic

    def lease_s(self, stage: Stage) -> int:
        """Seconds that a lease on `stage` lasts: longer than any execution of it can."""
        return self.functions[stage].timeout_s + self.lease_margin_s


def topology(document: Mapping[str, Any]) -> Topology:
    """The topology that a parsed `infra/topology.yaml` describes; `KeyError` if a part is missing."""
    functions = {
        name: FunctionFacts(row["trigger"], int(row["timeout_s"]), row.get("announces"))
        for name, row in document["functions"].items()
    }
    return Topology(
        functions,
        int(document["lease_margin_s"]),
        document["notices"]["failed"],
        document["notices"]["rejected"],
        document["notices"]["reissued"],
    )
