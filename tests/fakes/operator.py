"""An operator at the command line, in front of a milvus-l7 in memory. Waits only advance the clock."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from typer.testing import CliRunner

from milvus_l7.domain.setup.desired import SetupId
from milvus_l7.domain.setup.document import Setup
from milvus_l7.ports import Commit
from milvus_l7_cli.client.backend import Backend
from milvus_l7_cli.main import app
from tests.fakes.engine import FakeEngine
from tests.fakes.state import START

LONGEST_WAIT = timedelta(hours=1)


@dataclass(frozen=True)
class Answer:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


@dataclass
class Operator:
    """Runs commands. `later` holds what happens while a command waits, an entry for each wait."""

    engine: FakeEngine = field(default_factory=FakeEngine)
    later: list[Callable[[], Any]] = field(default_factory=list)
    published: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.backend = Backend(
            "milvus-testing-nonprod",
            self.engine.setups,
            self.engine.plans,
            self.publish,
            self.engine.clock.now,
            self.sleep,
        )

    def publish(self, topic: str, body: Mapping[str, Any]) -> str:
        self.published.append((topic, dict(body)))
        return f"published-{len(self.published)}"

    def sleep(self, seconds: float) -> None:
        self.engine.clock.advance(seconds=seconds)
        assert self.engine.clock.now() - START < LONGEST_WAIT, "the command never stops waiting"
        if self.later:
            with redirect_stdout(io.StringIO()):  # the log of the functions
                self.later.pop(0)()

    def has(self, *setups: Setup) -> None:
        """The state store holds these setups now."""
        for setup in setups:
            known = self.engine.setups.load(setup.setup_id)
            self.engine.setups.commit(Commit(setup, known.version if known else None))

    def stored(self, setup: Setup) -> Setup:
        found = self.engine.setups.load(SetupId(setup.setup_id))
        assert found is not None
        return found.setup

    def deliver(self) -> None:
        """The function takes the message that was published last."""
        body = json.dumps(self.published[-1][1]).encode()
        self.engine.submit(f"published-{len(self.published)}", body)

    def run(self, *arguments: str, typed: str | None = None) -> Answer:
        result = CliRunner().invoke(app, list(arguments), input=typed, obj=self.backend)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Answer(result.exit_code, result.stdout, result.stderr)
