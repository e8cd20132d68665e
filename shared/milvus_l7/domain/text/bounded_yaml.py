"""Look at YAML from outside before it is loaded: its size, its depth, and its nodes with aliases expanded.

A few hundred bytes of aliases that refer to aliases stand for billions of nodes, and whatever walks, compares
or writes what was loaded visits each. A long text that aliases repeat counts by its length for the same
reason. The events of the parser are enough to count them: nothing is built.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import yaml

MOST_DIGITS = 400
CHARACTERS_A_NODE = 256  # a longer text counts as so many nodes more

# `1:59:59` is a number to base 60 in YAML 1.1, which takes quadratic time to read.
_NUMBER = re.compile(r"[-+.:_0-9]*")
_NUMBER_TAGS = ("int", "float")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a text may have at most."""

    characters: int
    depth: int  # lists and mappings inside each other
    nodes: int  # keys, values, lists and mappings, each alias counted as what it stands for


class OutOfBounds(ValueError):
    """The text is beyond a limit, which the message tells without quoting it."""


@dataclass(frozen=True, slots=True)
class _Extent:
    """What a node comes to when everything in it is expanded."""

    nodes: int
    depth: int


_SCALAR = _Extent(1, 0)


@dataclass(slots=True)
class _Open:
    """A list or mapping that has begun and not ended."""

    anchor: str | None
    nodes: int = 1
    depth: int = 1


@dataclass(slots=True)
class _Count:
    """Counts along the events of one text."""

    limits: Limits
    nodes: int = 0  # of documents that have ended
    opened: list[_Open] = field(default_factory=list)
    anchors: dict[str, _Extent | None] = field(default_factory=dict)  # None: begun and not ended

    def begin(self, anchor: str | None) -> None:
        """Go into a list or mapping."""
        if anchor is not None:
            self.anchors[anchor] = None
        self.opened.append(_Open(anchor))
        self._check_depth(len(self.opened))

    def end(self) -> None:
        """Leave it."""
        ended = self.opened.pop()
        self.add(_Extent(ended.nodes, ended.depth), ended.anchor)

    def alias(self, name: str | None) -> None:
        """Take what the anchor stands for once more."""
        extent = self.anchors.get(name or "", _SCALAR)  # the loader refuses unknown ones
        if extent is None:
            raise OutOfBounds("it has an alias inside of what it stands for")
        self.add(extent, None)

    def add(self, extent: _Extent, anchor: str | None) -> None:
        """Count a node that is complete."""
        if anchor is not None:
            self.anchors[anchor] = extent
        self._check_depth(len(self.opened) + extent.depth)
        if not self.opened:
            self.nodes += extent.nodes
        else:
            inside = self.opened[-1]
            inside.nodes += extent.nodes
            inside.depth = max(inside.depth, extent.depth + 1)
        if self.nodes + sum(each.nodes for each in self.opened) > self.limits.nodes:
            raise OutOfBounds(f"it has more than {self.limits.nodes} values, aliases expanded")

    def _check_depth(self, depth: int) -> None:
        if depth > self.limits.depth:
            raise OutOfBounds(f"it is nested more than {self.limits.depth} levels deep")


def check(text: str, limits: Limits) -> None:
    """Raise `OutOfBounds` if the text is beyond a limit, `yaml.YAMLError` if it is not YAML at all."""
    import yaml

    if len(text) > limits.characters:
        raise OutOfBounds(f"it has more than {limits.characters} characters")
    count = _Count(limits)
    for event in _events(text):
        if isinstance(event, yaml.AliasEvent):
            count.alias(event.anchor)
        elif isinstance(event, yaml.CollectionStartEvent):
            count.begin(event.anchor)
        elif isinstance(event, yaml.CollectionEndEvent):
            count.end()
        elif isinstance(event, yaml.ScalarEvent):
            _check_number(event)
            count.add(_Extent(1 + len(event.value) // CHARACTERS_A_NODE, 0), event.anchor)
        elif isinstance(event, yaml.DocumentStartEvent):
            count.anchors.clear()


def _events(text: str) -> Iterator[Any]:
    import yaml

    return yaml.parse(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def _check_number(scalar: yaml.ScalarEvent) -> None:
    if len(scalar.value) <= MOST_DIGITS:
        return
    is_plain = scalar.implicit[0] and _NUMBER.fullmatch(scalar.value)
    if is_plain or (scalar.tag and scalar.tag.endswith(_NUMBER_TAGS)):
        raise OutOfBounds(f"it has a number of more than {MOST_DIGITS} digits")
