"""What one execution of a stage found."""

from __future__ import annotations

from dataclasses import dataclass

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.setup.facts import Facts


@dataclass(frozen=True, slots=True)
class Done:
    """The stage's part of the desired state is there."""

    facts: Facts | None = None  # replaces the setup's facts when given


@dataclass(frozen=True, slots=True)
class Waiting:
    """Not there yet; look again later. `message` says what is seen now."""

    reason: Reason
    message: str
    facts: Facts | None = None  # replaces the setup's facts when given


@dataclass(frozen=True, slots=True)
class Failed:
    """Waiting will not help; somebody must act on `reason.remedy`."""

    reason: Reason
    message: str
    facts: Facts | None = None  # replaces the setup's facts when given


Outcome = Done | Waiting | Failed
