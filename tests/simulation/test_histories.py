"""Random histories of the whole engine end as the last request wants, whatever happened before.

`make simulate SEEDS=N` plays as many as wanted, and shrinks a failure.
"""

from __future__ import annotations

import pytest

from tests.simulation.choices import shrunk
from tests.simulation.scenario import simulate

SEEDS_A_TEST = 50


@pytest.mark.parametrize("first", range(0, 500, SEEDS_A_TEST))
def test_history_ends_as_the_last_request_wants(first: int) -> None:
    ended = [simulate(seed) for seed in range(first, first + SEEDS_A_TEST)]
    assert {each.seed: each.problems for each in ended if each.problems} == {}


def test_seed_replays_its_history() -> None:
    one, other = simulate(7), simulate(7)
    assert (one.trace, one.choices.drawn) == (other.trace, other.choices.drawn)
    assert simulate(7, one.choices.drawn).trace == one.trace


def test_histories_meet_every_kind_of_fault() -> None:
    story = " ".join(line for seed in range(30) for line in simulate(seed).choices.story)
    for fault in ("suspend", "long", "fail", "kill", "lost", "unanswered", "twice", "late", "never", "clock"):
        assert fault in story


def test_shrinking_keeps_what_makes_it_fail_and_nothing_else() -> None:
    drawn = [3, 0, 2, 5, 1, 0, 4, 2]
    assert shrunk(drawn, lambda calmer: calmer[3] == 5 and calmer[6] == 4) == [0, 0, 0, 5, 0, 0, 4, 0]
