"""The reasons as a table for people: `python -m milvus_l7.domain.reasons.table > docs/reasons.md`."""

from __future__ import annotations

import sys

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.retry_policy import RetryPolicy

HEAD = """\
# Reasons

Why a request is refused, why a setup waits, and why it has failed. Generated from the code by `make docs`.
"Next check" is the time until then, shortest to longest; "gives up after" is how long one wait lasts.

| reason | meaning | remedy | next check | gives up after |
|---|---|---|---|---|
"""


def table() -> str:
    """Return the text of `docs/reasons.md`."""
    rows = (
        f"| `{r}` | {r.meaning} | {r.remedy} | {_next(r.pace)} | {_span(r.pace.deadline_s)} |" for r in Reason
    )
    return HEAD + "\n".join(rows) + "\n"


def _next(pace: RetryPolicy) -> str:
    if pace.is_scheduled:
        return "when the message says"
    return f"{_span(pace.first_s)} - {_span(pace.cap_s)}"


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 172_800 else f"{seconds / 86400:.0f} d"


if __name__ == "__main__":
    sys.stdout.write(table())
