"""Choose among all setups."""

from __future__ import annotations

from dataclasses import dataclass

from milvus_l7.domain.setup.document import Setup, Status
from milvus_l7.domain.setup.drift_report import Verdict


@dataclass(frozen=True, slots=True)
class Selection:
    """Which setups are wanted: those that fulfil every condition that is set."""

    statuses: tuple[Status, ...] = ()  # any of them; none: whatever the status
    only_drifted: bool = False
    namespace: str | None = None

    @property
    def is_empty(self) -> bool:
        """Return whether no condition is set."""
        return self == Selection()

    def includes(self, setup: Setup) -> bool:
        """Return whether the setup is wanted."""
        return (
            (not self.statuses or setup.status in self.statuses)
            and (not self.only_drifted or is_drifted(setup))
            and self.namespace in (None, setup.desired.namespace)
        )


def is_drifted(setup: Setup) -> bool:
    """Return whether the last drift check found a difference."""
    return setup.drift is not None and setup.drift.verdict is Verdict.DRIFTED
