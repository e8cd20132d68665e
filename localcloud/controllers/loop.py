"""The thread around a controller: reconcile when something changed, and at least once every period."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from localcloud.controllers.client import KubeError
from localcloud.controllers.store import Store

log = logging.getLogger(__name__)


class Loop:
    """Calls `reconcile` after every change in `store` and every `period_s` seconds, until stopped."""

    def __init__(
        self, name: str, store: Store, reconcile: Callable[[], None], period_s: float = 0.25
    ) -> None:
        self._store = store
        self._reconcile = reconcile
        self._period_s = period_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Wait for the running reconcile, if any, and end the thread. Safe to call twice."""
        self._stopping.set()
        self._store.wake()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        seen = -1
        while not self._stopping.is_set():
            seen = self._store.wait_change(seen, self._period_s)
            try:
                self._reconcile()
            except KubeError as error:
                # Conflicts and vanished objects are everyday life; the next round sees the new state.
                log.debug("%s: %s", self._thread.name, error)
            except Exception:
                # A controller that has died would show only as an endless wait.
                log.exception("%s failed and is tried again", self._thread.name)
