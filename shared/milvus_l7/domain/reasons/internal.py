"""What we ourselves are the reason of."""

from __future__ import annotations

from milvus_l7.domain.reasons.text import Text

INTERNAL_ERROR = Text(
    "InternalError",
    "milvus-l7 met an error that it does not know.",
    "Look for this setup in the function's log, and report it.",
)
