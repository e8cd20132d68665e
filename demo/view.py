"""A setup on the terminal as the demo shows it: with the views of `milvus-l7`, looking more often."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

from rich.console import Console

from milvus_l7.domain.setup.document import Setup
from milvus_l7_cli.client.poll import Time
from milvus_l7_cli.views import checklist, live, stages

INTERVAL_S = 0.2

checklist_table = checklist.checklist_table


def follow(load: Callable[[], Setup | None], console: Console, timeout_s: float) -> Setup:
    """Show the setup until it is verified or failed, and return it; `TimeoutError` after `timeout_s` seconds.

    On a terminal the view is redrawn; elsewhere each change of a stage is one line.
    """
    clock = Time(lambda: datetime.now(UTC), time.sleep, INTERVAL_S)
    return live.follow(live.Followed(load, stages.stage_table), console, clock, timeout_s)
