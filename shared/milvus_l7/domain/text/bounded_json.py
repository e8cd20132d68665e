"""Read JSON from outside within limits that are checked before it is parsed.

Parsing takes a multiple of the text's size in memory, and Python's parser recurses, as does everything that
walks the result. So the size, the number of values and the depth are found from the text alone first.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, NoReturn

# IEEE doubles, which is what Go reads, end at 309 digits. Python needs quadratic time for more and more
# digits, and refuses to write numbers of more than 4300 of them.
MOST_DIGITS = 400

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_ALL_BUT_STRUCTURE = bytes(set(range(256)) - set(b'[]{}"'))
_STEPS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


@dataclass(frozen=True, slots=True)
class Limits:
    """What a text may have at most."""

    size_bytes: int
    depth: int  # arrays and objects inside each other
    items: int  # brackets that open, and commas; those inside of strings count too


class OutOfBounds(ValueError):
    """The text is beyond a limit, which the message tells; it may be JSON or not."""


class NotUnicode(ValueError):
    """A text is half a character: one of a pair of surrogates without the other."""

    def __init__(self, path: str) -> None:
        super().__init__("it has a text that is no Unicode: half of a surrogate pair")
        self.path = path  # dotted, as untrusted as the rest


def loads(content: bytes | str, limits: Limits, *, has_unique_keys: bool = False) -> Any:
    """Return the value. Of an object's keys the last one counts, unless they must be unique.

    Takes what RFC 8259 allows, in UTF-8: no NaN, no number that is infinite as a double. Raises `ValueError`
    for everything else, and its subclasses `OutOfBounds` and `NotUnicode`; no message quotes the text.
    """
    check(content if isinstance(content, bytes) else _encoded(content), limits)
    text = content if isinstance(content, str) else content.decode()
    value = json.loads(
        text,
        parse_int=_integer,
        parse_float=_float,
        parse_constant=_constant,
        object_pairs_hook=_without_duplicates if has_unique_keys else None,
    )
    if _SURROGATE.search(text):
        _refuse_halves(value)
    return value


def check(content: bytes, limits: Limits) -> None:
    """Raise `OutOfBounds` if the text is larger, deeper or fuller than the limits allow."""
    if len(content) > limits.size_bytes:
        raise OutOfBounds(f"it has {len(content)} bytes; at most {limits.size_bytes} are allowed")
    if items(content) > limits.items:
        raise OutOfBounds(f"it has more than {limits.items} values")
    structure = _structure(content, limits)
    if max(accumulate(_STEPS[byte] for byte in structure), default=0) > limits.depth:
        raise OutOfBounds(f"it is nested more than {limits.depth} levels deep")


def items(content: bytes) -> int:
    """Return how many values the text has at most: its brackets that open, and its commas."""
    return sum(content.count(mark) for mark in (b"[", b"{", b","))


def _structure(content: bytes, limits: Limits) -> bytes:
    """The brackets outside of strings; exact as far as the text is JSON, and no parser goes further."""
    # A run of backslashes is read in pairs from its left, as `replace` does.
    unescaped = content.replace(b"\\\\", b"").replace(b'\\"', b"")
    marks = unescaped.translate(None, _ALL_BUT_STRUCTURE)
    if marks.count(b'"') > 4 * limits.items + 4:  # a key and a value have two each
        raise OutOfBounds(f"it has more than {limits.items} values")
    return b"".join(marks.split(b'"')[::2])


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise NotUnicode("") from None


def _integer(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise OutOfBounds(f"it has a number of more than {MOST_DIGITS} digits")
    return int(digits)


def _float(digits: str) -> float:
    if len(digits) > MOST_DIGITS:
        raise OutOfBounds(f"it has a number of more than {MOST_DIGITS} digits")
    number = float(digits)
    if math.isinf(number):
        raise OutOfBounds("it has a number beyond 1.8e308")
    return number


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) != len(pairs):
        raise ValueError("it has a key twice, so its meaning is unclear")
    return dict(pairs)


def _refuse_halves(value: Any) -> None:
    for path, text in _texts(value, ""):
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise NotUnicode(path)


def _texts(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Every text, keys included, with the path to it."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, f"{path}[{index}]")
    elif isinstance(value, dict):
        for key, item in value.items():
            inside = f"{path}.{key}" if path else key
            yield inside, key
            yield from _texts(item, inside)
