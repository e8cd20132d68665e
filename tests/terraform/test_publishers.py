"""Functions that play random histories publish on no topic that their identity may not publish on."""

from __future__ import annotations

from typing import Any

import pytest
from greenlet import getcurrent

from infra.bundle import topology
from milvus_l7.domain.request.rejection import Rejection
from milvus_l7.domain.setup.event import Event
from tests.simulation import scenario
from tests.simulation.bus import TEAR_DOWN, Message
from tests.simulation.world import World
from tests.terraform.plans import Plan, account
from tests.terraform.test_prepared import publishers

FUNCTIONS = topology()["functions"]
HISTORIES = 12
CALLED = {
    trigger: name
    for name, each in FUNCTIONS.items()
    for trigger in (each["trigger"], *each.get("also_triggered_by", ()))
}


class Observed(World):
    """A world that remembers which function published on which topic."""

    seen: set[tuple[str, str]]

    def _work(self, message: Message, *more: Any) -> None:
        getcurrent().function = CALLED.get(message.topic)  # type: ignore[attr-defined]
        super()._work(message, *more)

    def _note(self, topic: str) -> None:
        self.seen.add((getcurrent().function, topic))  # type: ignore[attr-defined]

    def publish(self, event: Event) -> None:
        self._note(event.topic)
        super().publish(event)

    def reject(self, rejection: Rejection) -> None:
        self._note(topology()["notices"]["rejected"])
        super().reject(rejection)


@pytest.fixture(scope="module")
def seen() -> set[tuple[str, str]]:
    with pytest.MonkeyPatch.context() as patch:
        Observed.seen = set()
        patch.setattr(scenario, "World", Observed)
        for seed in range(HISTORIES):
            assert scenario.simulate(seed).problems == []
    return Observed.seen


def test_functions_publish_where_they_may(prepared: Plan, seen: set[tuple[str, str]]) -> None:
    granted = publishers(prepared)
    may = {
        (name, topic)
        for name, each in FUNCTIONS.items()
        for topic in granted[f"serviceAccount:{account(each['identity'])}"]
    }
    assert seen - may == set()


def test_histories_make_every_function_publish(seen: set[tuple[str, str]]) -> None:
    """So that a right too few would be seen; tear-downs are asked for and begun on one topic."""
    assert {name for name, _ in seen} == set(FUNCTIONS)
    assert ("accept_request", "l7-request-rejected") in seen
    assert {name for name, topic in seen if topic == TEAR_DOWN} >= {"tear_down", "repoll"}
