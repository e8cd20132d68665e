"""Why a message was not accepted as a request, precise enough to correct it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from milvus_l7.domain.reasons import Reason

SHOWN_VALUE = 80  # characters of an offending value that are shown back


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: the field (JSON path without `$.`, "" for the whole), its value, the rule."""

    field: str
    value: str  # as JSON, cut; "" where there is none, or where showing it would say too much
    rule: str


@dataclass(frozen=True, slots=True)
class Rejection:
    """The announcement on `l7-request-rejected`."""

    request_id: str  # message id of the refused message
    reason: Reason
    problems: tuple[Problem, ...] = ()

    def payload(self) -> dict[str, Any]:
        """The JSON body of the announcement."""
        return {
            "request_id": self.request_id,
            "reason": self.reason,
            "message": self.reason.meaning,
            "remedy": self.reason.remedy,
            "problems": [{"field": p.field, "value": p.value, "rule": p.rule} for p in self.problems],
        }
