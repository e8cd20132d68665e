"""Write to the terminal, a file or a pipe. No text is read as markup, or as a command to the terminal."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.status import Status
from rich.text import Text

# Without a terminal nothing is wrapped: a line that `grep` finds is whole.
UNWRAPPED = 100_000


def out() -> Console:
    """Return standard output."""
    return _unwrapped(Console(markup=False, highlight=False, emoji=False))


def err() -> Console:
    """Return standard error."""
    return _unwrapped(Console(stderr=True, markup=False, highlight=False, emoji=False))


def _unwrapped(console: Console) -> Console:
    if not console.is_terminal:
        console.width = UNWRAPPED
    return console


def say(console: Console, line: str | Text, style: str = "") -> None:
    """Print one paragraph, wrapped at words only on a terminal."""
    console.print(Text(line, style) if isinstance(line, str) else line, soft_wrap=not console.is_terminal)


def waiting(what: str) -> Status:
    """Show on standard error, if it is a terminal, what is awaited."""
    return err().status(Text(what))


def printable(line: str) -> str:
    """Return untrusted text with its spaces; characters that are not printable become escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)


def write_json(document: Any) -> None:
    """Print a document as JSON for programs; moments as RFC 3339. Non-ASCII characters are escaped."""
    sys.stdout.write(json.dumps(document, indent=2, default=_plain) + "\n")


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
