"""Shorten untrusted text to one printable line."""

from __future__ import annotations


def excerpt(text: object, limit: int = 200) -> str:
    """Return untrusted text as one printable line of at most `limit` characters."""
    line = " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
