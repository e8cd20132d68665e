"""Accept a published tear-down request: validate it, register it on its setup, start the way back."""

from __future__ import annotations

from dataclasses import dataclass

from milvus_l7.application.engine import log
from milvus_l7.application.engine.outbox import Outbox
from milvus_l7.application.request.registrar import Registrar
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.request import registration
from milvus_l7.domain.request.registration import Arrival, Effect
from milvus_l7.domain.request.rejection import Problem, Rejection
from milvus_l7.domain.request.request import Refused, parse_tear_down
from milvus_l7.domain.setup.chain import TEARDOWN_STAGES
from milvus_l7.domain.setup.document import OrderMark, Setup
from milvus_l7.domain.setup.topology import Topology
from milvus_l7.ports import Clock


@dataclass(frozen=True, slots=True)
class AcceptTearDown:
    """The use case behind a request on `l7-teardown-requested`."""

    outbox: Outbox
    clock: Clock
    topology: Topology

    def handle(self, mark: OrderMark, body: bytes | None) -> Effect | Rejection:
        """Register the tear-down that Pub/Sub took at the mark, or announce why it is refused.

        The same message again changes nothing, nor does one older than the last that was accepted. One of an
        unknown setup is refused, and remembered: an older set-up that comes after it changes nothing.
        Raises `StateUnavailable`: the delivery must be retried.
        """
        try:
            spec = parse_tear_down(body)
        except Refused as refused:
            return self._reject(Rejection(mark.message_id, refused.reason, refused.problems))

        def decide(known: Setup | None, arrival: Arrival) -> tuple[Setup, Effect]:
            if known is None or registration.is_tombstone(known):
                return registration.bury(known, spec, arrival)
            return registration.tear_down(known, spec, arrival)

        registrar = Registrar(self.outbox, self.clock, self.topology, TEARDOWN_STAGES[0])
        effect = registrar.register(spec.setup_id, mark, decide)
        if effect is not Effect.BURIED:
            return effect
        problem = Problem("release", "", f"there is no setup {spec.setup_id}")
        return self._reject(Rejection(mark.message_id, Reason.SETUP_NOT_FOUND, (problem,)))

    def _reject(self, rejection: Rejection) -> Rejection:
        self.outbox.events.reject(rejection)
        log.write("WARNING", "tear-down rejected", request_id=rejection.request_id, reason=rejection.reason)
        return rejection
