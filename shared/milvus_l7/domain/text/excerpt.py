"""Shorten untrusted text to one printable line."""

from __future__ import annotations

from collections.abc import Sequence

LOOKED_AT = 10  # characters of a text for each that is shown: blanks and what is not printable fall out
SHOWN_WORDS = 300  # characters of another program's own message that are passed on


def excerpt(text: object, limit: int = 200) -> str:
    """Return untrusted text as one printable line of at most `limit` characters.

    No more than the beginning is looked at, however long the text is.
    """
    whole = str(text)
    start = whole[: LOOKED_AT * limit]
    line = printable_line(start)
    is_cut = len(line) > limit or len(start) < len(whole)
    return line[: limit - 1] + "…" if is_cut else line


def printable_line(text: str) -> str:
    """Return untrusted text as one printable line, with single spaces."""
    return " ".join(printable(text, " ").split())


def printable(text: str, instead: str) -> str:
    """Return untrusted text with every character that cannot be printed replaced."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else instead for c in text)


def listed(texts: Sequence[str], shown: int) -> str:
    """Return a list in one line: the first `shown` texts, and how many more there are."""
    more = f" and {len(texts) - shown} more" if len(texts) > shown else ""
    return ", ".join(texts[:shown]) + more
