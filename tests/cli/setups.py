"""Setups that the command line is asked about."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from shared.domain.chain import ORDER, WAY_BACK, Stage
from shared.domain.reasons import Reason
from shared.domain.setup import Cause, Setup, StageRecord, StageState
from tests.builders import new_setup
from tests.fakes.operator import Operator
from tests.fakes.state import START

SETUP = new_setup()
CAUSE = Cause(Stage.PREPARE_TLS, Reason.MUTUAL_TLS, "tlsMode is 2")
TORN_DOWN = {stage: StageRecord(StageState.DONE) for stage in WAY_BACK}


def verified(**changes: Any) -> Setup:
    done = {stage: StageRecord(StageState.DONE) for stage in ORDER}
    return replace(SETUP, **{"stages": done, "verified_at": START, **changes})


def operator_of(setup: Setup, **changes: Any) -> Operator:
    """An operator in front of this one setup."""
    operator = Operator()
    operator.has(replace(setup, **changes))
    return operator
