"""Commit what a request does to a setup, whoever else changes it at the same moment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from milvus_l7.application.engine import log
from milvus_l7.application.engine.outbox import Outbox
from milvus_l7.domain.reasons.errors import StateConflict, StateUnavailable
from milvus_l7.domain.request.registration import Effect
from milvus_l7.domain.setup.desired import SetupId
from milvus_l7.domain.setup.document import Setup
from milvus_l7.domain.setup.event import Event
from milvus_l7.ports import Clock, Commit, HistoryEntry

CONFLICTS = 5


@dataclass(frozen=True, slots=True)
class Registration:
    """What a request makes of a setup."""

    setup: Setup
    effect: Effect
    events: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True)
class Registrar:
    """Registers the request `request_id`, received by `function`, on one setup."""

    outbox: Outbox
    clock: Clock
    function: str
    request_id: str

    def register(self, setup_id: SetupId, decide: Callable[[Setup | None, datetime], Registration]) -> Effect:
        """Commit what `decide` makes of the setup as it is (None: there is none), and publish its events.

        Safe to repeat, as `decide` is. Raises `StateUnavailable`.
        """
        for _ in range(CONFLICTS):
            found = self.outbox.setups.load(setup_id)
            known, version = (found.setup, found.version) if found else (None, None)
            now = self.clock.now()
            registration = decide(known, now)
            if registration.setup is known:
                return registration.effect
            entry = self._entry(registration, now)
            try:
                self.outbox.commit(Commit(registration.setup, version, registration.events, entry))
            except StateConflict:
                continue
            words = f"request accepted: {registration.effect.name}"
            log.write("INFO", words, registration.setup, request_id=self.request_id)
            return registration.effect
        raise StateUnavailable(f"{setup_id} keeps changing")

    def _entry(self, registration: Registration, now: datetime) -> HistoryEntry:
        return HistoryEntry(
            entry_id=f"{self.function}.{self.request_id}",
            at=now,
            generation=registration.setup.generation,
            stage=self.function,
            outcome=registration.effect.name.lower(),
        )
