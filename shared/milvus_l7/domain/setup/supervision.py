"""How a setup is looked after: what may be done without being asked, and when."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from milvus_l7.domain.setup.maintenance_window import MaintenanceWindow


class DriftPolicy(StrEnum):
    """What a drift check may do about what it finds."""

    REPORT = "report"
    REPAIR = "repair"


class OnFailure(StrEnum):
    """What becomes of a release whose first set-up fails."""

    KEEP = "keep"
    RESTORE = "restore"


@dataclass(frozen=True, slots=True)
class Supervision:
    """Not part of the desired state: changing it makes no new generation and runs nothing again."""

    policy: DriftPolicy = DriftPolicy.REPORT
    interval_s: int = 900  # between two drift checks
    allow_outage: bool = False  # with repair: also one that interrupts clients
    reissue_certificate: bool = False  # with repair: a certificate of ours that is about to end
    paused: bool = False  # no stage and no drift check runs; a tear-down does
    on_failure: OnFailure = OnFailure.KEEP
    maintenance_window: MaintenanceWindow | None = None  # in which Milvus may restart; None: at any time
