"""What we ourselves are the reason of."""

from __future__ import annotations

from milvus_l7.domain.reasons.retry_policy import RetryPolicies
from milvus_l7.domain.reasons.text import Text

INTERNAL_ERROR = Text(
    "InternalError",
    "milvus-l7 met an error that it does not know.",
    "Look for this setup in the function's log, and report it.",
)
EXECUTION_STOPPED = Text(
    "ExecutionStopped",
    "An execution stopped before its next write: its time did not suffice, or a newer request has come.",
    "Nothing; it goes on by itself.",
    RetryPolicies.QUICK,
)
EXECUTION_LOST = Text(
    "ExecutionLost",
    "Executions of this stage end without a result: killed, out of memory or out of time.",
    "Look for this setup in the function's log, and at its memory and time-out; then publish again.",
    RetryPolicies.QUICK,
)
