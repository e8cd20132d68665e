"""Where chance comes from: one list of numbers, so that a seed replays one schedule, which can be shrunk."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

T = TypeVar("T")


@dataclass
class Choices:
    """Draws numbers; 0 is the harmless choice. `forced` replays a list, after which all is harmless."""

    seed: int
    forced: Sequence[int] | None = None
    drawn: list[int] = field(default_factory=list)
    labels: list[tuple[str, object]] = field(default_factory=list)
    is_quiet: bool = False

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)

    def pick(self, options: Sequence[T], label: str, calm: float = 0.0) -> T:
        """One of the options; with probability `calm`, and always when it is quiet, the first."""
        if self.is_quiet:
            return options[0]
        index = self._draw(len(options), calm)
        self.drawn.append(index)
        self.labels.append((label, options[index]))
        return options[index]

    def _draw(self, count: int, calm: float) -> int:
        if self.forced is not None:
            at = len(self.drawn)
            return self.forced[at] % count if at < len(self.forced) else 0
        return 0 if self._dice.random() < calm else self._dice.randrange(count)

    @property
    def story(self) -> list[str]:
        """What was not harmless, in order."""
        told = zip(self.drawn, self.labels, strict=True)
        return [f"{label}: {option}" for index, (label, option) in told if index]


def shrunk(drawn: list[int], fails: Callable[[list[int]], bool], rounds: int = 400) -> list[int]:
    """A list with as many harmless choices as possible that still fails."""
    size = max(len(drawn) // 2, 1)
    while size and rounds:
        for start in range(0, len(drawn), size):
            part = drawn[start : start + size]
            if not any(part) or not rounds:
                continue
            rounds -= 1
            calmer = [*drawn[:start], *([0] * len(part)), *drawn[start + size :]]
            if fails(calmer):
                drawn = calmer
        size //= 2
    return drawn
