"""Setups that the command line is asked about."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.request.registration import register
from milvus_l7.domain.setup.chain import SETUP_STAGES, TEARDOWN_STAGES, Stage
from milvus_l7.domain.setup.document import Cause, Setup, StageRecord, StageState
from milvus_l7.domain.setup.outcome import Failed
from tests.builders import after, arrival, new_setup, requested_setup, wish
from tests.fakes.operator import Operator
from tests.fakes.state import START

OTHER = wish(domain="other.milvus.io")
MUTUAL_TLS = Failed(Reason.MUTUAL_TLS, "tlsMode is 2")

ACCEPTED = requested_setup()
SETUP = new_setup()  # planned
CAUSE = Cause(Stage.PREPARE_TLS, Reason.MUTUAL_TLS, "tlsMode is 2")
TORN_DOWN = {stage: StageRecord(StageState.DONE) for stage in TEARDOWN_STAGES}


def verified(**changes: Any) -> Setup:
    done = {stage: StageRecord(StageState.DONE) for stage in SETUP_STAGES}
    return replace(SETUP, **{"stages": done, "verified_at": START, **changes})


def changed(setup: Setup) -> Setup:
    """The setup with another request that is not planned yet."""
    return register(setup, OTHER, arrival("m2", seconds=1))[0]


def refused(setup: Setup) -> Setup:
    """The setup with another request that its plan has refused."""
    return after(changed(setup), Stage.PLAN_SETUP, MUTUAL_TLS)


def operator_of(setup: Setup, **changes: Any) -> Operator:
    """An operator in front of this one setup."""
    operator = Operator()
    operator.has(replace(setup, **changes))
    return operator
