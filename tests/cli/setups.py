"""Setups that the command line is asked about."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.setup.chain import SETUP_STAGES, TEARDOWN_STAGES, Stage
from milvus_l7.domain.setup.document import Cause, Setup, StageRecord, StageState
from tests.builders import new_setup
from tests.fakes.operator import Operator
from tests.fakes.state import START

SETUP = new_setup()
CAUSE = Cause(Stage.PREPARE_TLS, Reason.MUTUAL_TLS, "tlsMode is 2")
TORN_DOWN = {stage: StageRecord(StageState.DONE) for stage in TEARDOWN_STAGES}


def verified(**changes: Any) -> Setup:
    done = {stage: StageRecord(StageState.DONE) for stage in SETUP_STAGES}
    return replace(SETUP, **{"stages": done, "verified_at": START, **changes})


def operator_of(setup: Setup, **changes: Any) -> Operator:
    """An operator in front of this one setup."""
    operator = Operator()
    operator.has(replace(setup, **changes))
    return operator
