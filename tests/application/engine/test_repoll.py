"""Re-poll wakes what is due, once, and publishes what was left over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from milvus_l7.application.engine.due_queue import LIMIT, PAGE
from milvus_l7.application.engine.outbox import Outbox
from milvus_l7.application.engine.repoll import Tick
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import StateUnavailable
from milvus_l7.domain.setup.admission import Admission
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.event import Event
from milvus_l7.domain.setup.lease import LEASE_MARGIN
from milvus_l7.domain.setup.outcome import Waiting
from milvus_l7.ports import Postponed, Queue, Versioned
from tests.builders import request
from tests.fakes.engine import FakeEngine, ScriptedWork
from tests.fakes.state import FakeClock, FakeEvents, FakeSetups

PLAN, FIRST = Stage.PLAN_SETUP, Stage.PREPARE_TLS


@pytest.fixture
def waiting() -> FakeEngine:
    """One setup that waits for five seconds."""
    cloud = FakeEngine()
    cloud.submit("m1", request())
    work = ScriptedWork([Waiting(Reason.ROLLOUT_IN_PROGRESS, "x")])
    cloud.runner(FIRST, work).handle(cloud.plan())
    return cloud


def test_nothing_is_woken_before_its_time(waiting: FakeEngine) -> None:
    waiting.clock.advance(seconds=4)
    assert waiting.repoll.handle() == Tick(0, 0)


def test_due_setup_gets_the_trigger_event_of_its_stage(waiting: FakeEngine) -> None:
    waiting.clock.advance(seconds=5)
    assert waiting.repoll.handle().woken == 1
    waiting.runner(FIRST).handle(waiting.events.published[-1])
    assert waiting.topics()[1:] == ["l7-setup-planned", "l7-setup-planned", "l7-tls-prepared"]


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


def test_stage_whose_execution_died_is_woken_when_its_lease_and_the_margin_have_passed() -> None:
    cloud = FakeEngine()
    cloud.submit("m1", request())
    with pytest.raises(KeyboardInterrupt):
        cloud.runner(FIRST, ScriptedWork([KeyboardInterrupt()])).handle(cloud.plan())
    cloud.clock.advance(seconds=cloud.engine.topology.lease_s(FIRST) + LEASE_MARGIN.total_seconds() - 1)
    assert cloud.repoll.handle().woken == 0
    cloud.clock.advance(seconds=2)
    assert cloud.repoll.handle().woken == 1
    cloud.runner(FIRST).handle(cloud.events.published[-1])
    assert cloud.only().record(FIRST).state == "done"


def test_wake_up_that_comes_before_the_store_says_the_lease_has_run_out_is_repeated() -> None:
    cloud = FakeEngine()
    cloud.submit("m1", request())
    with pytest.raises(KeyboardInterrupt):
        cloud.runner(FIRST, ScriptedWork([KeyboardInterrupt()])).handle(cloud.plan())
    early = FakeClock(cloud.clock.now() + timedelta(minutes=6))
    assert replace(cloud.repoll, clock=early).handle().woken == 1
    assert cloud.runner(FIRST).handle(cloud.events.published[-1]) is Admission.BUSY
    cloud.clock.advance(minutes=6)
    early.advance(minutes=2)
    assert replace(cloud.repoll, clock=early).handle().woken == 1
    assert cloud.runner(FIRST).handle(cloud.events.published[-1]) is Admission.RUN


def test_request_that_waits_for_an_execution_that_died_is_woken_when_its_lease_ends() -> None:
    cloud = FakeEngine()
    cloud.submit("m1", request())
    with pytest.raises(KeyboardInterrupt):
        cloud.runner(FIRST, ScriptedWork([KeyboardInterrupt()])).handle(cloud.plan())
    cloud.submit("m2", request(domain="other.example.com"))
    assert cloud.runner(PLAN).handle(cloud.events.published[-1]) is Admission.BUSY
    cloud.clock.advance(seconds=cloud.engine.topology.lease_s(FIRST) + LEASE_MARGIN.total_seconds() + 1)
    assert cloud.repoll.handle().woken == 1
    assert cloud.runner(PLAN).handle(cloud.events.published[-1]) is Admission.RUN


def test_announcement_that_nobody_followed_is_repeated() -> None:
    cloud = FakeEngine()
    cloud.submit("m1", request())
    cloud.clock.advance(minutes=10)
    assert cloud.repoll.handle().woken == 1


def many(count: int) -> FakeEngine:
    """That many setups, all due."""
    cloud = FakeEngine()
    for number in range(count):
        cloud.submit(f"m{number}", request(release=f"release-{number}"))
    cloud.events.published.clear()
    cloud.clock.advance(minutes=10)
    return cloud


def test_all_pages_of_due_setups_are_woken() -> None:
    cloud = many(PAGE + 5)
    assert cloud.repoll.handle() == Tick(PAGE + 5, 0)
    assert len({event.event_id for event in cloud.events.published}) == PAGE + 5


def test_more_than_one_tick_handles_is_left_to_the_next() -> None:
    cloud = many(LIMIT + 5)
    assert cloud.repoll.handle() == Tick(LIMIT, 0, is_full=True)
    assert cloud.repoll.handle() == Tick(5, 0)
    assert len({event.setup_id for event in cloud.events.published}) == LIMIT + 5


@dataclass
class SlowEvents(FakeEvents):
    """A bus that takes twelve seconds for each call."""

    clock: FakeClock = field(kw_only=True)

    def publish_all(self, events: Sequence[Event]) -> None:
        super().publish_all(events)
        self.clock.advance(seconds=12)


def test_slow_tick_ends_in_time_and_the_next_goes_on() -> None:
    cloud = many(5 * PAGE)
    slow = SlowEvents(clock=cloud.clock)
    repoll = replace(cloud.repoll, outbox=Outbox(cloud.setups, slow))
    assert repoll.handle() == Tick(2 * PAGE, 0, is_full=True)
    assert repoll.handle() == Tick(2 * PAGE, 0, is_full=True)
    assert repoll.handle() == Tick(PAGE, 0)
    assert len({event.setup_id for event in slow.published}) == 5 * PAGE


@dataclass
class RacingSetups(FakeSetups):
    """A store in which another tick runs between this tick's reading and its writing."""

    other: Callable[[], object] | None = None

    def postpone(self, queue: Queue, due: Sequence[Postponed]) -> list[Versioned]:
        other, self.other = self.other, None
        if other is not None:
            other()
        return super().postpone(queue, due)


def test_tick_that_is_overtaken_by_another_wakes_nothing_twice() -> None:
    cloud = many(PAGE + 5)
    racing = RacingSetups(cloud.clock, cloud.setups.stored)
    repoll = replace(cloud.repoll, outbox=Outbox(racing, cloud.events))
    racing.other = repoll.handle
    assert repoll.handle().woken == 0
    assert len(cloud.events.published) == len({e.event_id for e in cloud.events.published}) == PAGE + 5


@dataclass
class PickyEvents(FakeEvents):
    """A bus without the topic `gone`."""

    def publish(self, event: Event) -> None:
        if event.topic == "gone":
            raise StateUnavailable("no such topic")
        super().publish(event)


def test_left_over_event_that_nobody_takes_does_not_hold_up_the_others() -> None:
    cloud = FakeEngine(events=PickyEvents())
    cloud.submit("m1", request())
    event = cloud.events.published.pop()
    lost = [replace(event, topic="gone", event_id="0"), replace(event, event_id="1")]
    cloud.setups.outbox = {each.event_id: (cloud.clock.now(), each) for each in lost}
    cloud.clock.advance(minutes=1)
    with pytest.raises(StateUnavailable):
        cloud.repoll.handle()
    assert [each.event_id for each in cloud.events.published] == ["1"]
    assert list(cloud.setups.outbox) == ["0"]


def test_fresh_outbox_entries_are_left_to_their_execution(waiting: FakeEngine) -> None:
    waiting.events.failure = StateUnavailable("bus down")
    with pytest.raises(StateUnavailable):
        waiting.submit("m2", request(release="other"))
    waiting.events.failure = None
    waiting.clock.advance(seconds=4)
    assert waiting.repoll.handle().published == 0
