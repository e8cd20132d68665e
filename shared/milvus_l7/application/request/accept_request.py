"""Accept a published request: validate it, register the setup, start the chain; or ask for a plan."""

from __future__ import annotations

from dataclasses import dataclass

from milvus_l7.application.engine import log
from milvus_l7.application.engine.outbox import Outbox
from milvus_l7.application.request.registrar import Registrar
from milvus_l7.domain.request import registration
from milvus_l7.domain.request.registration import Effect
from milvus_l7.domain.request.rejection import Rejection
from milvus_l7.domain.request.request import Refused, SetupSpec, parse
from milvus_l7.domain.setup import event as events
from milvus_l7.domain.setup.document import OrderMark
from milvus_l7.domain.setup.topology import Topology
from milvus_l7.ports import Clock, PlanRecord, Plans


@dataclass(frozen=True, slots=True)
class AcceptRequest:
    """The use case behind `l7-setup-requested`."""

    outbox: Outbox
    plans: Plans
    clock: Clock
    topology: Topology

    def handle(self, mark: OrderMark, body: bytes | None) -> Effect | Rejection:
        """Register the request that Pub/Sub took at the mark, or announce why it is refused.

        The same message again changes nothing, nor does one older than the last that was accepted. The same
        request in a new message wakes a chain that waits, or starts one that has ended again; a changed one
        makes a new generation. A dry run registers nothing but the wish for a plan, in
        `plans/<setup id>.plan.<message id>`. Raises `StateUnavailable` if state or event bus do not answer:
        the delivery must be retried.
        """
        try:
            spec = parse(body)
        except Refused as refused:
            return self._reject(Rejection(mark.message_id, refused.reason, refused.problems))
        if spec.is_dry_run:
            return self._ask_for_plan(spec, mark.message_id, (body or b"").decode())
        registrar = Registrar(self.outbox, self.clock, self.topology, events.ACCEPTED)
        return registrar.register(
            spec.desired.setup_id,
            mark,
            lambda known, arrival: registration.register(known, spec, arrival),
        )

    def _reject(self, rejection: Rejection) -> Rejection:
        self.outbox.events.reject(rejection)
        log.write("WARNING", "request rejected", request_id=rejection.request_id, reason=rejection.reason)
        return rejection

    def _ask_for_plan(self, spec: SetupSpec, request_id: str, body: str) -> Effect:
        """No outbox is needed: until the event is out, the request's own delivery comes again."""
        setup_id = spec.desired.setup_id
        record = PlanRecord(f"{setup_id}.plan.{request_id}", setup_id, body, self.clock.now())
        self.plans.request(record)
        self.outbox.events.publish(events.plan_wanted(record.plan_id, setup_id, self.topology))
        log.write("INFO", "plan requested", request_id=request_id, plan_id=record.plan_id)
        return Effect.NONE
