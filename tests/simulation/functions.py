"""What the deployed functions do with a delivery, as `milvus_l7.entrypoint` and `bootstrap` wire them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from milvus_l7.adapters.stage_ports import FencedPorts, RecordingPorts
from milvus_l7.application.drift.check_drift import CheckDrift
from milvus_l7.application.engine.execution import Execution
from milvus_l7.application.engine.outbox import Outbox
from milvus_l7.application.engine.repoll import Repoll
from milvus_l7.application.engine.runner import Engine, Runner
from milvus_l7.application.planning.planner import Planner
from milvus_l7.application.request.accept_request import AcceptRequest
from milvus_l7.application.request.accept_tear_down import AcceptTearDown
from milvus_l7.application.request.answer_dry_run import AnswerDryRun
from milvus_l7.application.stages import registry
from milvus_l7.domain.request.delivery import PushedMessage, chain_event, is_chain_event, named_setup
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.ports import Clock, Plans, StagePorts
from tests.builders import TOPOLOGY
from tests.simulation.bus import CHECK, POLL, REQUESTED, TEAR_DOWN

STAGES = {TOPOLOGY.trigger(stage): stage for stage in Stage}


@dataclass(frozen=True)
class Functions:
    """All functions, in a process whose clock this is."""

    outbox: Outbox
    plans: Plans
    clock: Clock
    ports: Callable[[], StagePorts]
    name: Callable[[], str]  # of a new execution

    def handle(self, topic: str, message: PushedMessage) -> None:
        """Call the function that the topic triggers."""
        if topic == REQUESTED:
            AcceptRequest(self.outbox, self.plans, self.clock, TOPOLOGY).handle(message.mark, message.body)
        elif topic == POLL:
            Repoll(self.outbox, self.clock, TOPOLOGY).handle()
        elif topic == CHECK:
            self._check(message)
        elif topic == TOPOLOGY.dry_run_topic:
            self._plan(message)
        elif topic == TEAR_DOWN and not is_chain_event(message.body):
            AcceptTearDown(self.outbox, self.clock, TOPOLOGY).handle(message.mark, message.body)
        elif topic in STAGES:
            self._runner(STAGES[topic]).handle(chain_event(message.body, topic))

    def _check(self, message: PushedMessage) -> None:
        check = CheckDrift(self.outbox, self.clock, TOPOLOGY, lambda: RecordingPorts.over(self.ports()))
        setup_id = named_setup(message.body)
        if setup_id is None:
            check.tick()
        else:
            check.check(setup_id)

    def _plan(self, message: PushedMessage) -> None:
        planner = Planner(lambda: RecordingPorts.over(self.ports()), registry.planned)
        answer = AnswerDryRun(self.outbox, self.plans, self.clock, TOPOLOGY, planner)
        answer.handle(chain_event(message.body, TOPOLOGY.dry_run_topic))

    def _runner(self, stage: Stage) -> Runner:
        engine = Engine(self.outbox.setups, self.outbox, self.clock, TOPOLOGY, "simulation", name=self.name)
        return Runner(
            engine,
            stage,
            lambda execution: registry.work(stage, self._fenced(execution)),
            lambda execution: registry.take_back(self._fenced(execution)),
        )

    def _fenced(self, execution: Execution) -> StagePorts:
        return FencedPorts(self.ports(), execution, execution)
