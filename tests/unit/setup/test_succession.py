"""A stored run goes on when a release adds stages, removes some, or is rolled back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from milvus_l7.domain.setup import succession
from milvus_l7.domain.setup.document import StageRecord, StageState

PENDING, DONE, WAITING = StageRecord(), StageRecord(StageState.DONE), StageRecord(StageState.WAITING)
UNDER_WAY = (StageState.RUNNING, StageState.WAITING, StageState.FAILED)
NAMES = tuple("abcdefgh")

Records = Mapping[str, StageRecord]


@dataclass(frozen=True)
class Story:
    """A run as one release stored it, and the stages that another one knows, both in order."""

    before: Sequence[str]
    after: Sequence[str]
    stored: Records

    @property
    def has_ended(self) -> bool:
        return current(self.stored, self.before) is None

    def continued(self) -> dict[str, StageRecord]:
        return succession.continued(self.stored, self.after, has_ended=self.has_ended)


def state(records: Records, stage: str) -> StageState:
    return records.get(stage, PENDING).state


def current(records: Records, order: Sequence[str]) -> str | None:
    return next((stage for stage in order if state(records, stage) is not StageState.DONE), None)


@st.composite
def stories(draw: st.DrawFn, *, may_remove: bool = True) -> Story:
    """Stages of either release are drawn from one order, so that those of both stand in the same order."""
    after = draw(st.lists(st.sampled_from(NAMES), min_size=1, unique=True).map(sorted))
    pool = NAMES if may_remove else after
    before = draw(st.lists(st.sampled_from(pool), min_size=1, unique=True).map(sorted))
    done = draw(st.integers(0, len(before)))
    stored = dict.fromkeys(before[:done], DONE)
    standing = draw(st.none() | st.sampled_from(UNDER_WAY))
    if standing and done < len(before):
        stored[before[done]] = StageRecord(standing, message="as it was left")
    return Story(before, after, stored)


@given(stories())
def test_what_was_at_its_end_stays_there_and_nothing_else_gets_there_by_being_read(story: Story) -> None:
    assert (current(story.continued(), story.after) is None) is story.has_ended


@given(stories(may_remove=False))
def test_no_record_of_a_stage_that_both_know_is_changed(story: Story) -> None:
    continued = story.continued()
    assert {stage: continued[stage] for stage in story.stored} == story.stored


@given(stories(may_remove=False))
def test_added_stage_is_done_if_a_later_one_has_begun_and_else_still_to_come(story: Story) -> None:
    for stage in set(story.after) - set(story.before):
        is_passed = story.has_ended or any(later > stage for later in story.stored)
        assert state(story.continued(), stage) is (StageState.DONE if is_passed else StageState.PENDING)


@given(stories(may_remove=False))
def test_run_goes_on_where_it_stood_or_at_an_added_stage_that_comes_next(story: Story) -> None:
    was, now = current(story.stored, story.before), current(story.continued(), story.after)
    if now != was:
        assert now not in story.before
        assert was is not None
        assert state(story.stored, was) is StageState.PENDING


@given(stories())
def test_stage_under_way_that_is_no_longer_known_leaves_its_place_to_one_that_is(story: Story) -> None:
    standing = [record for record in story.stored.values() if record.state in UNDER_WAY]
    continued = story.continued()
    now = current(continued, story.after)
    assert [record for record in continued.values() if record.state in UNDER_WAY] == standing
    assert not standing or (now is not None and continued[now] == standing[0])


@given(stories())
def test_only_known_stages_are_left_and_none_but_the_current_is_under_way(story: Story) -> None:
    continued = story.continued()
    assert set(continued) <= set(story.after)
    now = current(continued, story.after)
    later = story.after[story.after.index(now) + 1 :] if now else []
    assert all(state(continued, stage) is StageState.PENDING for stage in later)


@given(stories())
def test_release_that_reads_its_own_document_changes_nothing(story: Story) -> None:
    first = story.continued()
    has_ended = current(first, story.after) is None
    assert succession.continued(first, story.after, has_ended=has_ended) == first


def test_first_stage_that_is_added_is_done_in_runs_that_have_begun() -> None:
    assert succession.continued({"b": WAITING}, "abc", has_ended=False) == {"a": DONE, "b": WAITING}
    assert succession.continued({}, "abc", has_ended=False) == {}


def test_renamed_stage_takes_over_from_the_one_under_the_old_name() -> None:
    stored = {"a": DONE, "old": WAITING}
    assert succession.continued(stored, ("a", "new", "c"), has_ended=False) == {"a": DONE, "new": WAITING}


def test_last_stage_looks_again_if_the_one_after_it_was_under_way_and_is_gone() -> None:
    stored = {"a": DONE, "b": DONE, "gone": WAITING}
    assert succession.continued(stored, "ab", has_ended=False) == {"a": DONE, "b": WAITING}


def test_last_stage_runs_again_if_all_that_was_still_to_come_is_gone() -> None:
    assert succession.continued({"a": DONE, "b": DONE}, "ab", has_ended=False) == {"a": DONE}
