"""The log: one JSON object a line, as Cloud Logging reads it. Callers pass ids, never contents.

Ids come from messages that anybody may have published, so each text and the line as a whole are bounded.
"""

from __future__ import annotations

import json
import sys
import traceback

from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.document import Setup
from milvus_l7.domain.setup.event import Event
from milvus_l7.domain.text.excerpt import excerpt

LONGEST_LINE = 16 * 1024  # bytes; Cloud Logging takes 256 KiB
# Characters of each text. With the last one any line fits, as its fields are few.
_LENGTHS = (1000, 200, 40)
_MOST_ITEMS = 40
_LARGEST_NUMBER = 2**63


def write(
    severity: str,
    message: str,
    setup: Setup | None = None,
    stage: Stage | None = None,
    *,
    event: Event | None = None,
    **more: object,
) -> None:
    """Write one line to standard output. `more` must not hold secrets."""
    line: dict[str, object] = {"severity": severity, "message": message, **more}
    if setup is not None:
        line |= {"setup_id": setup.setup_id, "generation": setup.generation}
    if event is not None:
        line |= {"event_id": event.event_id, "setup_id": event.setup_id}
    if stage is not None:
        line["stage"] = stage
    sys.stdout.write(_text(line) + "\n")
    sys.stdout.flush()


def _text(line: dict[str, object]) -> str:
    """The line as JSON, with its texts cut as far as it takes to keep it short."""
    said = {key: value for key, value in line.items() if value is not None}
    candidates = (json.dumps(_bounded(said, length)) for length in _LENGTHS)
    return next((text for text in candidates if len(text) < LONGEST_LINE), '{"severity": "ERROR"}')


def _bounded(value: object, length: int) -> object:
    if isinstance(value, dict):
        return {key: _bounded(inside, length) for key, inside in value.items()}
    if isinstance(value, list | tuple):
        most = min(_MOST_ITEMS, length // 10)
        return [_bounded(item, length) for item in value[:most]]
    if isinstance(value, int | float):
        return value if abs(value) < _LARGEST_NUMBER else "a number out of range"
    return excerpt(value, length)


def failure(message: str, setup: Setup, stage: Stage, event: Event | None = None) -> None:
    """Log the exception being handled: its type and where it was raised, not its text, which is untrusted."""
    kind, _, trace = sys.exc_info()
    frames = [f"{f.filename}:{f.lineno} {f.name}" for f in traceback.extract_tb(trace)]
    write("ERROR", message, setup, stage, event=event, error=kind and kind.__name__, frames=frames)
