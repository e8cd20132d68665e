"""What one execution of a stage found."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.setup.facts import Facts
from milvus_l7.domain.text.excerpt import excerpt

# Characters. Messages quote names and values of others, and a document holds one MiB of Unicode.
LONGEST_MESSAGE = 2000


@dataclass(frozen=True, slots=True)
class Done:
    """The stage's part of the desired state is there."""

    facts: Facts | None = None  # replaces the setup's facts when given
    message: str = ""  # what its user should know all the same


@dataclass(frozen=True, slots=True)
class Waiting:
    """Not there yet; look again later. `message` says what is seen now."""

    reason: Reason
    message: str
    facts: Facts | None = None  # replaces the setup's facts when given
    until: datetime | None = None  # the maintenance window begins; None: look again at the reason's pace
    notice: str = ""  # what its user should know all the same, also when the stage is done


@dataclass(frozen=True, slots=True)
class Failed:
    """Waiting will not help; somebody must act on `reason.remedy`."""

    reason: Reason
    message: str
    facts: Facts | None = None  # replaces the setup's facts when given


Outcome = Done | Waiting | Failed


def storable(outcome: Outcome) -> Outcome:
    """Return the outcome with its texts, which may quote anything, as lines that fit into a document."""
    stored = replace(outcome, message=excerpt(outcome.message, LONGEST_MESSAGE))
    if isinstance(stored, Waiting):
        return replace(stored, notice=excerpt(stored.notice, LONGEST_MESSAGE))
    return stored
