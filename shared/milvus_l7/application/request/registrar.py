"""Commit what a request does to a setup, whoever else changes it at the same moment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from milvus_l7.application.engine import log
from milvus_l7.application.engine.outbox import Outbox
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import StateConflict, StateUnavailable
from milvus_l7.domain.request.registration import Arrival, Effect
from milvus_l7.domain.request.rejection import Problem, Rejection
from milvus_l7.domain.setup import event as events
from milvus_l7.domain.setup.desired import SetupId
from milvus_l7.domain.setup.document import OrderMark, Setup
from milvus_l7.domain.setup.event import Event
from milvus_l7.domain.setup.topology import Topology
from milvus_l7.ports import Clock, Commit, HistoryEntry

CONFLICTS = 5

Decide = Callable[[Setup | None, Arrival], tuple[Setup, Effect]]


@dataclass(frozen=True, slots=True)
class Registrar:
    """Registers the request with the mark, received by `function`, on one setup."""

    outbox: Outbox
    clock: Clock
    topology: Topology
    function: str

    def register(self, setup_id: SetupId, mark: OrderMark, decide: Decide) -> Effect:
        """Commit what `decide` makes of the setup as it is (None: there is none), and start what comes next.

        A request that a later one has overtaken is announced as such; a redelivery of an accepted one is
        acknowledged in silence. Safe to repeat, as `decide` is. Raises `StateUnavailable`.
        """
        for _ in range(CONFLICTS):
            found = self.outbox.setups.load(setup_id)
            known, version = (found.setup, found.version) if found else (None, None)
            now = self.clock.now()
            setup, effect = decide(known, Arrival(mark, now))
            if setup is known:
                return self._unchanged(setup, mark, effect)
            commit = Commit(
                setup, version, self._events(setup, mark, effect), self._entry(setup, mark, effect, now)
            )
            try:
                self.outbox.commit(commit)
            except StateConflict:
                continue
            log.write("INFO", f"request accepted: {effect.name}", setup, request_id=mark.message_id)
            return effect
        raise StateUnavailable(f"{setup_id} keeps changing")

    def _unchanged(self, setup: Setup, mark: OrderMark, effect: Effect) -> Effect:
        is_late = effect is Effect.SUPERSEDED
        if is_late and not self.outbox.setups.has_entry(setup.setup_id, self._entry_id(mark)):
            problem = Problem("", "", f"superseded by g{setup.generation} of {setup.setup_id}")
            self.outbox.events.reject(Rejection(mark.message_id, Reason.SUPERSEDED, (problem,)))
        log.write("INFO", f"request ignored: {effect.name}", setup, request_id=mark.message_id)
        return effect

    def _events(self, setup: Setup, mark: OrderMark, effect: Effect) -> tuple[Event, ...]:
        begun = events.start(setup, self.topology, mark.message_id) if effect.starts_chain else None
        return (begun,) if begun else ()

    def _entry_id(self, mark: OrderMark) -> str:
        return f"{self.function}.{mark.message_id}"

    def _entry(self, setup: Setup, mark: OrderMark, effect: Effect, now: datetime) -> HistoryEntry:
        return HistoryEntry(
            entry_id=self._entry_id(mark),
            at=now,
            generation=setup.generation,
            stage=self.function,
            outcome=effect.name.lower(),
        )
