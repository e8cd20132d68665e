"""Shorten untrusted text to one printable line."""

from __future__ import annotations

LOOKED_AT = 10  # characters of a text for each that is shown: blanks and what is not printable fall out


def excerpt(text: object, limit: int = 200) -> str:
    """Untrusted text as one printable line of at most `limit` characters.

    No more than the beginning is looked at, however long the text is.
    """
    whole = str(text)
    start = whole[: LOOKED_AT * limit]
    line = " ".join("".join(c if c.isprintable() else " " for c in start).split())
    is_cut = len(line) > limit or len(start) < len(whole)
    return line[: limit - 1] + "…" if is_cut else line
