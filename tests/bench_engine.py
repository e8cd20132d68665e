"""How many remote calls the engine makes for one execution: Firestore, and Pub/Sub to announce.

The production adapters against the emulators, with stages that do nothing but pass the fence.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from io import StringIO

from localcloud.firestore import FirestoreEmulator
from milvus_l7.adapters.setup.firestore import FirestoreSetups
from milvus_l7.application.engine.execution import Execution
from milvus_l7.application.engine.outbox import Outbox
from milvus_l7.application.engine.runner import Engine, Runner
from milvus_l7.bootstrap import SystemClock
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.event import Event
from milvus_l7.domain.setup.facts import Facts
from milvus_l7.domain.setup.outcome import Done
from milvus_l7.domain.setup.work import StageWork
from milvus_l7.ports import Commit
from tests.bench_repoll import emulators
from tests.builders import TOPOLOGY, new_setup, trigger

# What an execution does: writes behind the fence, and whether it stores what they replace first.
EXECUTIONS = (("writes nothing", 0, 0), ("writes thrice", 3, 0), ("stores, writes once", 1, 1))


@dataclass
class CountedEvents:
    """Stands for Pub/Sub, with one call an event."""

    published: list[Event] = field(default_factory=list)

    def publish(self, event: Event) -> None:
        self.published.append(event)

    def publish_all(self, events: Sequence[Event]) -> None:
        self.published.extend(events)

    def reject(self, rejection: object) -> None:
        raise AssertionError(rejection)


def measure(firestore: FirestoreEmulator, name: str, writes: int, stores: int) -> int:
    """Return the calls of one execution of a new setup's first stage."""

    def work(execution: Execution) -> StageWork:
        def stage(setup: object, now: object) -> Done:
            if stores:
                execution.record(Facts(address="192.0.2.1"), begins_effect=True)
            for _ in range(writes):
                execution.pass_write(0.1)
            return Done()

        return stage

    setups, events = FirestoreSetups("bench"), CountedEvents()
    setup = new_setup(release=name.replace(" ", "-").replace(",", ""))
    setups.commit(Commit(setup, None))
    engine = Engine(setups, Outbox(setups, events), SystemClock(), TOPOLOGY, "bench")
    before = sum(firestore.counts.rpcs.values())
    Runner(engine, Stage.PREPARE_TLS, work, work).handle(trigger(setup, Stage.PREPARE_TLS))
    return sum(firestore.counts.rpcs.values()) - before + len(events.published)


def show() -> None:
    """Print the table."""
    with emulators() as firestore, redirect_stdout(StringIO()):  # without the functions' log
        rows = [(name, measure(firestore, name, *what)) for name, *what in EXECUTIONS]
    print(f"\n{'an execution that':24} {'calls':>6}   (Firestore and Pub/Sub)")
    for name, calls in rows:
        print(f"{name:24} {calls:6}")


if __name__ == "__main__":
    show()
