"""Accept a published tear-down request: validate it, register it on its setup, start the way back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from milvus_l7.application.engine import log
from milvus_l7.application.engine.outbox import Outbox
from milvus_l7.application.request.registrar import Registrar, Registration
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.request import registration
from milvus_l7.domain.request.registration import Effect
from milvus_l7.domain.request.rejection import Problem, Rejection
from milvus_l7.domain.request.request import Refused, TearDownSpec, parse_tear_down
from milvus_l7.domain.setup import event as events
from milvus_l7.domain.setup.chain import TEARDOWN_STAGES
from milvus_l7.domain.setup.document import Setup
from milvus_l7.domain.setup.topology import Topology
from milvus_l7.ports import Clock


@dataclass(frozen=True, slots=True)
class AcceptTearDown:
    """The use case behind a request on `l7-teardown-requested`."""

    outbox: Outbox
    clock: Clock
    topology: Topology

    def handle(self, request_id: str, body: bytes | None) -> Effect | Rejection:
        """Register the tear-down with message id `request_id`, or announce why it is refused.

        The same message again changes nothing. Raises `StateUnavailable`: the delivery must be retried.
        """
        try:
            wish = parse_tear_down(body)
        except Refused as refused:
            return self._reject(Rejection(request_id, refused.reason, refused.problems))
        if self.outbox.setups.load(wish.setup_id) is None:
            problem = Problem("release", "", f"there is no setup {wish.setup_id}")
            return self._reject(Rejection(request_id, Reason.SETUP_NOT_FOUND, (problem,)))
        return self._register(wish, request_id)

    def _reject(self, rejection: Rejection) -> Rejection:
        self.outbox.events.reject(rejection)
        log.write("WARNING", "tear-down rejected", request_id=rejection.request_id, reason=rejection.reason)
        return rejection

    def _register(self, wish: TearDownSpec, request_id: str) -> Effect:
        def decide(known: Setup | None, now: datetime) -> Registration:
            if known is None:
                raise LookupError(f"setup {wish.setup_id} has vanished")
            setup, effect = registration.tear_down(known, wish, request_id, now)
            first = events.start(setup, TEARDOWN_STAGES[0], self.topology, request_id)
            return Registration(setup, effect, (first,) if effect.starts_chain else ())

        registrar = Registrar(self.outbox, self.clock, TEARDOWN_STAGES[0], request_id)
        return registrar.register(wish.setup_id, decide)
