"""The log: one JSON object a line, as Cloud Logging reads it. Callers pass ids, never contents."""

from __future__ import annotations

import json
import sys
import traceback

from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.document import Setup
from milvus_l7.domain.setup.event import Event


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
    sys.stdout.write(json.dumps({k: v for k, v in line.items() if v is not None}, default=str) + "\n")
    sys.stdout.flush()


def failure(message: str, setup: Setup, stage: Stage, event: Event) -> None:
    """Log the exception being handled: its type and where it was raised, not its text, which is untrusted."""
    kind, _, trace = sys.exc_info()
    frames = [f"{f.filename}:{f.lineno} {f.name}" for f in traceback.extract_tb(trace)]
    write("ERROR", message, setup, stage, event=event, error=kind and kind.__name__, frames=frames)
