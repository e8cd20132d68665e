"""Re-poll wakes what is due, once, and publishes what was left over."""

from __future__ import annotations

import pytest

from shared.domain.chain import ORDER
from shared.domain.errors import StateUnavailable
from shared.domain.outcome import Waiting
from shared.domain.reasons import Reason
from shared.service.repoll import PAGE, Tick
from tests.builders import request
from tests.fakes.engine import FakeEngine, ScriptedWork

FIRST = ORDER[0]


@pytest.fixture
def waiting() -> FakeEngine:
    """One setup that waits for five seconds."""
    cloud = FakeEngine()
    cloud.accept.handle("m1", request())
    work = ScriptedWork([Waiting(Reason.ROLLOUT_IN_PROGRESS, "x")])
    cloud.runner(FIRST, work).handle(cloud.events.published[0])
    return cloud


def test_nothing_is_woken_before_its_time(waiting: FakeEngine) -> None:
    waiting.clock.advance(seconds=4)
    assert waiting.repoll.handle() == Tick(0, 0)


def test_due_setup_gets_the_trigger_event_of_its_stage(waiting: FakeEngine) -> None:
    waiting.clock.advance(seconds=5)
    assert waiting.repoll.handle().woken == 1
    waiting.runner(FIRST).handle(waiting.events.published[-1])
    assert waiting.topics() == ["l7-setup-accepted", "l7-setup-accepted", "l7-tls-prepared"]


def test_overlapping_ticks_wake_a_setup_once(waiting: FakeEngine) -> None:
    waiting.clock.advance(seconds=5)
    assert [waiting.repoll.handle().woken for _ in range(2)] == [1, 0]


def test_lost_wake_up_is_repeated(waiting: FakeEngine) -> None:
    waiting.clock.advance(seconds=5)
    waiting.events.failure = StateUnavailable("bus down")
    with pytest.raises(StateUnavailable):
        waiting.repoll.handle()
    waiting.events.failure = None
    waiting.clock.advance(minutes=2)
    assert waiting.repoll.handle().woken == 1


def test_stage_whose_execution_died_is_woken_when_its_lease_expires() -> None:
    cloud = FakeEngine()
    cloud.accept.handle("m1", request())
    with pytest.raises(KeyboardInterrupt):
        cloud.runner(FIRST, ScriptedWork([KeyboardInterrupt()])).handle(cloud.events.published[0])
    cloud.clock.advance(seconds=cloud.engine.topology.lease_s(FIRST) - 1)
    assert cloud.repoll.handle().woken == 0
    cloud.clock.advance(seconds=1)
    assert cloud.repoll.handle().woken == 1
    cloud.runner(FIRST).handle(cloud.events.published[-1])
    assert cloud.only().record(FIRST).state == "done"


def test_announcement_that_nobody_followed_is_repeated() -> None:
    cloud = FakeEngine()
    cloud.accept.handle("m1", request())
    cloud.clock.advance(minutes=10)
    assert cloud.repoll.handle().woken == 1


def test_all_pages_of_due_setups_are_woken() -> None:
    cloud = FakeEngine()
    for number in range(PAGE + 5):
        cloud.accept.handle(f"m{number}", request(release=f"release-{number}"))
    cloud.clock.advance(minutes=10)
    assert cloud.repoll.handle().woken == PAGE + 5


def test_fresh_outbox_entries_are_left_to_their_execution(waiting: FakeEngine) -> None:
    waiting.events.failure = StateUnavailable("bus down")
    with pytest.raises(StateUnavailable):
        waiting.accept.handle("m2", request(release="other"))
    waiting.events.failure = None
    waiting.clock.advance(seconds=4)
    assert waiting.repoll.handle().published == 0
