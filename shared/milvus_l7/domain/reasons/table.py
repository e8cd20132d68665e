"""The reasons as a table for people: `python -m milvus_l7.domain.reasons.table > docs/reasons.md`."""

from __future__ import annotations

import sys

from milvus_l7.domain.reasons import Reason

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
        f"| `{r}` | {r.meaning} | {r.remedy} | {_span(r.pace.first_s)} - {_span(r.pace.cap_s)} "
        f"| {_span(r.pace.deadline_s)} |"
        for r in Reason
    )
    return HEAD + "\n".join(rows) + "\n"


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"


if __name__ == "__main__":
    sys.stdout.write(table())
