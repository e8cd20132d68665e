"""Gates hold chosen calls inside an emulator, so that a test can act in the middle of them.

A gate replaces sleeping for luck: the test waits until the call it is interested in has *arrived*, does what
it wants (kills the caller, edits an object), and lets the call go on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Call:
    """One call that an emulator received, before it has any effect."""

    service: str  # "kubernetes" | "firestore" | "pubsub" | "container"
    method: str  # HTTP verb or RPC name, for example "PATCH" or "Commit"
    path: str  # URL path, document path, or topic path
    caller: str = ""  # user name, where the emulator knows one


Predicate = Callable[[Call], bool]


@dataclass(slots=True, eq=False)
class Gate:
    """Holds every matching call, once it is reached, until it is opened."""

    matches: Predicate
    _reached: threading.Event = field(default_factory=threading.Event)
    _opened: threading.Event = field(default_factory=threading.Event)

    def wait_reached(self, timeout_s: float) -> None:
        """Block until a matching call has arrived; `TimeoutError` after `timeout_s` seconds."""
        if not self._reached.wait(timeout_s):
            raise TimeoutError(f"no matching call arrived within {timeout_s} s")

    def open(self) -> None:
        """Let the held calls, and all later ones, go on. Safe to call twice."""
        self._opened.set()

    def hold(self, call: Call) -> None:
        """Block the calling emulator thread while the gate is closed and `call` matches."""
        if self._opened.is_set() or not self.matches(call):
            return
        self._reached.set()
        self._opened.wait()


class Gates:
    """The gates of one emulator. `pass_through` is what the emulator calls; `hold` is what a test calls."""

    def __init__(self) -> None:
        self._gates: list[Gate] = []
        self._lock = threading.Lock()

    def pass_through(self, call: Call) -> None:
        """Block until no closed gate matches `call`. Costs nothing when there are no gates."""
        if not self._gates:
            return
        with self._lock:
            gates = list(self._gates)
        for gate in gates:
            gate.hold(call)

    @contextmanager
    def hold(self, matches: Predicate) -> Iterator[Gate]:
        """Hold matching calls for the body of the `with`; the gate is opened and removed whatever happens."""
        gate = Gate(matches)
        with self._lock:
            self._gates.append(gate)
        try:
            yield gate
        finally:
            gate.open()
            with self._lock:
                self._gates.remove(gate)
