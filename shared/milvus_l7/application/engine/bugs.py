"""Let a bug of ours that a dry run meets be told: the delivery that asked for it would fail for ever."""

from __future__ import annotations

from datetime import datetime

from milvus_l7.application.engine import log
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import L7Error, Transient
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.document import Setup
from milvus_l7.domain.setup.outcome import Outcome
from milvus_l7.domain.setup.work import StageWork


def told(stage: Stage, work: StageWork) -> StageWork:
    """Return the same work; what nobody expected is logged, and raised as `Transient(INTERNAL_ERROR)`."""

    def run(setup: Setup, now: datetime) -> Outcome:
        try:
            return work(setup, now)
        except L7Error:
            raise
        except Exception as error:  # noqa: BLE001 - as the engine does for a stage
            log.failure("dry run raised an unknown error", setup, stage)
            raise Transient(Reason.INTERNAL_ERROR, f"{type(error).__name__} in {stage}") from None

    return run
