"""Play many histories: `python -m tests.simulation SEEDS [FIRST]`. Failures are shrunk and told."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from multiprocessing import Pool

from tests.simulation.scenario import Ended, shrink, simulate

SHOWN = 3  # failures that are shrunk
CHUNK = 20


def problems(seed: int) -> tuple[int, list[str]]:
    return seed, simulate(seed).problems


def told(ended: Ended) -> Iterator[str]:
    yield f"seed {ended.seed}"
    yield from (f"  {problem[:1000]}" for problem in ended.problems)
    yield "  what was not harmless, in order:"
    yield from (f"    {line[:200]}" for line in ended.choices.story)


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main(seeds: int, first: int) -> int:
    began, bad = time.monotonic(), []
    with Pool() as pool:
        played = pool.imap_unordered(problems, range(first, first + seeds), CHUNK)
        for number, (seed, found) in enumerate(played, 1):
            if found:
                bad.append(seed)
                say(f"seed {seed}: {found[0][:1000]}")
            if number % 1000 == 0 or number == seeds:
                took = f"{time.monotonic() - began:.0f} s"
                say(f"{number} histories, {len(bad)} violations, {took}")
    for seed in sorted(bad)[:SHOWN]:
        say("\n".join(told(shrink(simulate(seed)))))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0))
