"""Random histories of the whole engine end as the last request wants, whatever happened before.

`make simulate SEEDS=N` plays as many as wanted, and shrinks a failure.
"""

from __future__ import annotations

from multiprocessing import Pool

import pytest

from tests.simulation.__main__ import CHUNK, problems
from tests.simulation.choices import shrunk
from tests.simulation.scenario import simulate
from tests.simulation.world import CHANGE, STATE, WRITE

SEEDS, SEEDS_A_TEST = 1000, 250


@pytest.mark.parametrize("first", range(0, SEEDS, SEEDS_A_TEST))
def test_history_ends_as_the_last_request_wants(first: int) -> None:
    with Pool() as pool:
        played = pool.imap_unordered(problems, range(first, first + SEEDS_A_TEST), CHUNK)
        assert {seed: found for seed, found in played if found} == {}


def test_seed_replays_its_history() -> None:
    one, other = simulate(7), simulate(7)
    assert (one.trace, one.choices.drawn) == (other.trace, other.choices.drawn)
    assert simulate(7, one.choices.drawn).trace == one.trace


def test_histories_meet_every_kind_of_fault() -> None:
    story = {line for seed in range(120) for line in simulate(seed).choices.story}
    met = {line.rpartition(": ")[2] for line in story}
    assert {*CHANGE, *WRITE, *STATE, "twice", "late", "much later", "never", "-300"} - {"go"} <= met
    for said in ("releases: 2", "forged events", "a dead letter is replayed", "somebody deletes an object"):
        assert any(line.startswith(said) for line in story)


def test_shrinking_keeps_what_makes_it_fail_and_nothing_else() -> None:
    drawn = [3, 0, 2, 5, 1, 0, 4, 2]
    assert shrunk(drawn, lambda calmer: calmer[3] == 5 and calmer[6] == 4) == [0, 0, 0, 5, 0, 0, 4, 0]
