"""Show a setup until its run has ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from milvus_l7.domain.setup.document import Setup, Status
from milvus_l7.domain.setup.schedule import is_paused
from milvus_l7_cli import freshness
from milvus_l7_cli.client.poll import Time
from milvus_l7_cli.views.stages import Lines

UNKNOWN = Text("There is no such setup yet.", "dim")
ENDS = (Status.VERIFIED, Status.FAILED, Status.TORN_DOWN)


def has_ended(setup: Setup) -> bool:
    """Return whether nothing more happens without a request, and the last verdict is of the present."""
    return is_paused(setup) or (setup.status in ENDS and not freshness.awaits_check(setup))


@dataclass(frozen=True, slots=True)
class Followed:
    """A setup to be shown: how it is read (None: there is none yet), drawn, and when that is enough."""

    load: Callable[[], Setup | None]
    show: Callable[[Setup, datetime], RenderableType]
    has_ended: Callable[[Setup], bool] = has_ended


def follow(followed: Followed, console: Console, time: Time, within_s: float | None = None) -> Setup:
    """Show the setup until its run has ended, and return it; raise `TimeoutError` after `within_s` seconds.

    On a terminal the view is redrawn; elsewhere each change of a stage is one line.
    """
    started, lines = time.now(), Lines(console)
    with Live(console=console, auto_refresh=False, transient=False) as live:
        while within_s is None or time.now() - started < timedelta(seconds=within_s):
            setup = followed.load()
            if console.is_terminal:
                live.update(followed.show(setup, time.now()) if setup else UNKNOWN, refresh=True)
            elif setup is not None:
                lines.show(setup)
            if setup is not None and followed.has_ended(setup):
                return setup
            time.sleep(time.interval_s)
    raise TimeoutError(f"the setup was neither verified nor failed within {within_s:.0f} s")
