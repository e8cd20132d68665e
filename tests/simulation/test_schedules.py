"""Schedules that ended wrong once, or that a reading of the rules found, each played step by step."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from milvus_l7.domain.kubernetes import kinds
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.document import Status
from milvus_l7.domain.text.untrusted import mapping
from milvus_l7.ports import ValuesChange
from tests.fakes.state import START
from tests.simulation.agenda import ProcessClock
from tests.simulation.bus import MOST_DELIVERIES, TEAR_DOWN
from tests.simulation.cluster import ZONE
from tests.simulation.direction import SITE, Play
from tests.simulation.scenario import OPENS, WINDOW, notice

GOOGLE = {"certificate": {"type": "google-managed"}}
REFUSED = {"dns": {"managed_zone": f"{ZONE}-other"}}
TLS, CHECK, CERTIFICATE = Stage.PREPARE_TLS, Stage.CONFIGURE_HEALTH_CHECK, Stage.PROVISION_CERTIFICATE
INGRESS, VERIFY, DOWN = Stage.CREATE_INGRESS, Stage.VERIFY_ENDPOINT, Stage.TEAR_DOWN
Next = Callable[[Play], object]


@pytest.fixture
def play() -> Play:
    return Play()


def verified(play: Play, **changes: Any) -> Play:
    play.request(**changes)
    play.settle()
    assert play.setup.status is Status.VERIFIED
    return play


# An execution that lost its lease corrupts nothing.


OVERTAKEN: list[tuple[Stage, dict[str, Any], Next]] = [
    (CHECK, {}, lambda play: play.request(backend_timeout_s=60)),
    (INGRESS, {}, lambda play: play.request(domain=SITE.domain("b"))),
    (CERTIFICATE, {}, lambda play: play.tear_down()),
    (CERTIFICATE, GOOGLE, lambda play: play.tear_down()),
    (TLS, {}, lambda play: play.tear_down(restore_l4=True)),
    (INGRESS, {}, lambda play: play.tear_down(restore_l4=True)),
]


@pytest.mark.parametrize("span", [5, 400, 5000])
@pytest.mark.parametrize(("stage", "first", "following"), OVERTAKEN)
def test_execution_suspended_before_a_write_changes_nothing_of_a_later_request(
    play: Play, stage: Stage, first: dict[str, Any], following: Next, span: int
) -> None:
    play.at(stage, "state.generation", "stale", span, meanwhile=lambda: following(play))
    play.request(**first)
    play.settle()
    assert play.broken == []


LANDING_LATE = [("suspend", 19, 3000), ("lost", 19), ("orphaned", 19), ("inconclusive", 19, True)]


@pytest.mark.parametrize(("stage", "first", "following"), [each for each in OVERTAKEN if each[0] is not TLS])
@pytest.mark.parametrize("fates", LANDING_LATE)
def test_write_that_lands_late_changes_nothing_of_a_later_request(
    play: Play, stage: Stage, first: dict[str, Any], following: Next, fates: tuple[Any, ...]
) -> None:
    label = "kube.create" if stage is CERTIFICATE else "kube.apply"
    play.at(stage, label, *fates, meanwhile=lambda: following(play))
    play.request(**first)
    play.settle()
    assert play.broken == []


@pytest.mark.parametrize("span", [5, 400, 5000])
def test_old_verification_does_not_retire_the_certificate_of_a_newer_generation(
    play: Play, span: int
) -> None:
    verified(play, **GOOGLE)
    play.at(VERIFY, "state.generation", "stale", span, meanwhile=lambda: play.request(**GOOGLE))
    play.request()
    play.settle()
    assert play.broken == []


def test_google_managed_then_self_managed_then_tear_down_each_overlapping(play: Play) -> None:
    play.at(CERTIFICATE, "kube.create", "lost", 19, meanwhile=play.request)
    play.at(CERTIFICATE, "kube.create", "orphaned", 19, meanwhile=play.tear_down)
    play.request(**GOOGLE)
    play.settle()
    assert play.broken == []
    assert play.setup.status is Status.TORN_DOWN


def test_post_that_times_out_and_lands_after_the_tear_down_looked_is_found_by_its_second_look(
    play: Play,
) -> None:
    play.at(CERTIFICATE, "kube.create", "orphaned", 19, meanwhile=play.tear_down)
    play.request()
    play.settle()
    assert play.broken == []
    said = [entry.reason for entry in play.world.setups.history if entry.stage == DOWN]
    assert Reason.EXECUTION_LOST in said


@pytest.mark.parametrize("skew", [300, -300])
def test_processes_five_minutes_apart_at_the_end_of_a_lease_do_not_run_side_by_side(
    play: Play, skew: int
) -> None:
    play.at(CHECK, "kube.apply", "suspend", 19, 3000)
    play.request()
    play.after(seconds=15)
    setup, clock = play.setup, ProcessClock(play.world.clock, timedelta(seconds=skew))
    assert setup.lease is not None
    left_s = (setup.lease.ends_at(START) - play.world.clock.now()).total_seconds()
    wake_up = play.world.message(play.world.published[-1].topic, notice(setup.setup_id, 1))
    play.world.agenda.later(left_s - 1, lambda: play.world.start(wake_up, clock))
    play.after(seconds=left_s - 0.5)
    assert play.setup.lease == setup.lease
    play.world.agenda.later(1, lambda: play.world.start(wake_up, clock))
    play.after(seconds=2)
    assert play.setup.lease != setup.lease
    play.settle()
    assert play.broken == []


# The last request wins, by the time at which Pub/Sub took it.


def test_tear_down_that_comes_again_hours_later_does_not_take_a_live_setup_away(play: Play) -> None:
    verified(play)
    old = play.tear_down()
    play.settle()
    verified(play)
    play.world.deliver(old, 9000)
    play.settle()
    assert play.broken == []
    assert play.setup.status is Status.VERIFIED


def test_set_up_that_comes_again_hours_later_does_not_bring_a_torn_down_one_back(play: Play) -> None:
    first = play.request()
    second = play.request(backend_timeout_s=60)
    play.settle()
    play.tear_down()
    play.settle()
    for old in (first, second):
        play.world.deliver(old, 9000)
    play.settle()
    assert play.broken == []
    assert (play.setup.status, play.world.rejected) == (Status.TORN_DOWN, [])


def test_tear_down_published_after_but_delivered_before_the_set_up_wins(play: Play) -> None:
    play.choices.coming = ["late", 700]
    play.request()
    play.after(seconds=1)
    play.tear_down()
    play.settle()
    assert play.broken == []
    assert [entry.outcome for entry in play.world.setups.history] == ["buried"]
    reasons = [rejection.reason for rejection in play.world.rejected]
    assert reasons == [Reason.SETUP_NOT_FOUND, Reason.SUPERSEDED]


def test_dead_letter_that_is_replayed_days_later_changes_nothing(play: Play) -> None:
    old = play.request(domain=SITE.domain("b"))
    play.settle()
    verified(play)
    play.after(days=3)
    play.world.replay(old)
    play.settle()
    assert play.broken == []
    assert play.setup.desired.domain == SITE.domain("a")
    assert [rejection.reason for rejection in play.world.rejected] == [Reason.SUPERSEDED]


def test_notice_with_a_forged_event_id_starts_nothing_that_is_not_due(play: Play) -> None:
    verified(play)
    before = play.setup
    for generation in range(4):
        forged = notice(before.setup_id, generation)
        play.world.request(TEAR_DOWN, forged)
        play.world.request("l7-setup-accepted", forged)
    play.settle()
    assert play.setup == before
    assert play.world.violations == []


# Requests that are refused.


def test_refused_request_leaves_a_verified_setup_as_it_was(play: Play) -> None:
    verified(play)
    before = dict(play.world.kube.stored)
    play.request(**REFUSED)
    play.settle()
    assert play.broken == []
    assert play.setup.status is Status.VERIFIED
    assert play.setup.check_at is not None
    assert play.world.kube.stored == before


def test_take_back_owed_by_generation_one_is_done_while_generation_two_is_refused(play: Play) -> None:
    play.at(TLS, "helm: the objects are written", "kill", meanwhile=lambda: play.request(**REFUSED))
    play.request()
    play.settle()
    assert play.broken == []
    said = [entry.reason for entry in play.world.setups.history]
    assert said.index(Reason.RELEASE_ROLLED_BACK) < said.index(Reason.DNS_ZONE_REFUSED)
    assert (play.setup.status, play.setup.desired_generation) == (Status.VERIFIED, 1)


def test_restoring_on_failure_undoes_nothing_after_a_refused_plan_that_followed_a_tear_down(
    play: Play,
) -> None:
    verified(play)
    play.tear_down()
    play.settle()
    writes = len(play.world.writes)
    play.request(**REFUSED, on_failure="restore")
    play.settle()
    assert play.broken == []
    assert len(play.world.writes) == writes
    assert mapping(play.live(SITE.ref(kinds.SERVICE)), "spec")["type"] == "ClusterIP"


# What was there before survives the loss of a result.


@pytest.mark.parametrize("fate", ["kill", "lost"])
@pytest.mark.parametrize("step", ["helm: the revision is pending", "helm: the objects are written"])
def test_restoring_gives_back_what_was_there_although_the_result_was_lost_and_helm_went_on(
    play: Play, step: str, fate: str
) -> None:
    play.at(TLS, step, fate)
    play.request()
    play.settle()
    upgrade(play)
    play.tear_down(restore_l4=True)
    play.settle()
    assert play.broken == []


def test_restoring_gives_back_what_was_there_although_another_revision_followed_before_the_result(
    play: Play,
) -> None:
    def die_after_another_upgrade() -> None:
        play.at(TLS, "state.commit", "kill", meanwhile=lambda: upgrade(play))

    play.at(TLS, "helm: the objects are written", "go", meanwhile=die_after_another_upgrade)
    play.request()
    play.settle()
    play.tear_down(restore_l4=True)
    play.settle()
    assert play.broken == []


def upgrade(play: Play) -> None:
    """Somebody else upgrades the release."""
    current = play.world.helm.get(SITE.release)
    assert current is not None
    play.world.helm.upgrade(current, ValuesChange({"resources": {"cpu": 1}}, "theirs"))


def test_execution_that_always_dies_comes_to_an_end_that_is_told(play: Play) -> None:
    for _ in range(10):
        play.at(TLS, "kube.list", "kill")
    play.request()
    play.settle()
    assert play.setup.status is Status.FAILED
    assert play.setup.record(TLS).reason is Reason.EXECUTION_LOST
    assert len(play.world.published) < 4 * MOST_DELIVERIES


def test_set_up_waits_for_its_maintenance_window_without_looking_again(play: Play) -> None:
    play.request(maintenance_window=WINDOW)
    play.settle()
    assert play.broken == []
    looks = [entry for entry in play.world.setups.history if entry.stage == Stage.PREPARE_TLS]
    assert [(entry.outcome, entry.reason) for entry in looks] == [
        ("waiting", Reason.OUTSIDE_MAINTENANCE_WINDOW),
        ("done", None),
    ]
    assert timedelta() <= looks[1].at - OPENS < timedelta(minutes=2)


def test_request_without_the_maintenance_window_does_not_wait_for_it(play: Play) -> None:
    play.request(maintenance_window=WINDOW)
    play.after(hours=1)
    play.request()
    play.after(minutes=30)
    assert play.setup.status is Status.VERIFIED
