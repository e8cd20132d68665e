"""What Cloud Scheduler does: publish each schedule's message again and again, at least once each time."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any


@dataclass(slots=True)
class Ticker:
    """Publishes the body of every schedule each `period_s`, instead of following its cron expression."""

    publish: Callable[[str, bytes], object]  # topic id, body
    schedules: Mapping[str, Mapping[str, Any]]  # as in the topology
    period_s: float
    _stopped: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Ticker:
        self._thread = threading.Thread(target=self._run, name="ticker", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(self.period_s):
            for schedule in self.schedules.values():
                self.publish(schedule["topic"], json.dumps(schedule["body"]).encode())
