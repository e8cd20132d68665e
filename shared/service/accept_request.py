"""Accept a published request: validate it, register the setup, start the chain."""

from __future__ import annotations

from dataclasses import dataclass

from shared.domain import event as events
from shared.domain import transitions
from shared.domain.chain import Topology
from shared.domain.errors import StateConflict, StateUnavailable
from shared.domain.rejection import Rejection
from shared.domain.request import Refused, parse
from shared.domain.setup import Desired
from shared.domain.transitions import Effect
from shared.ports import Clock, Commit, HistoryEntry
from shared.service import journal
from shared.service.publishing import Outbox

CONFLICTS = 5


@dataclass(frozen=True, slots=True)
class AcceptRequest:
    """The use case behind `l7-setup-requested`."""

    outbox: Outbox
    clock: Clock
    topology: Topology

    def handle(self, request_id: str, body: bytes | None) -> Effect | Rejection:
        """Register the request with message id `request_id`, or announce why it is refused.

        The same message again changes nothing. The same request in a new message starts a chain that waits
        or has ended again, without a new generation; a changed request makes a new generation.
        Raises `StateUnavailable` if state or event bus do not answer: the delivery must be retried.
        """
        try:
            desired = parse(body)
        except Refused as refused:
            rejection = Rejection(request_id, refused.reason, refused.problems)
            self.outbox.events.reject(rejection)
            journal.note("WARNING", "request rejected", request_id=request_id, reason=refused.reason)
            return rejection
        return self._register(desired, request_id)

    def _register(self, desired: Desired, request_id: str) -> Effect:
        for _ in range(CONFLICTS):
            found = self.outbox.setups.load(desired.setup_id)
            now = self.clock.now()
            known, version = (found.setup, found.version) if found else (None, None)
            setup, effect = transitions.register(known, desired, request_id, now)
            if setup is known:
                return effect
            entry = HistoryEntry(
                entry_id=f"accept_request.{request_id}",
                at=now,
                generation=setup.generation,
                stage=events.ACCEPTED,
                outcome=effect.name.lower(),
            )
            started = () if effect is Effect.NONE else (events.accepted(setup, self.topology),)
            change = Commit(setup, version, started, entry)
            try:
                self.outbox.commit(change)
            except StateConflict:
                continue
            journal.note("INFO", f"request accepted: {effect.name}", setup, request_id=request_id)
            return effect
        raise StateUnavailable(f"{desired.setup_id} keeps changing")
