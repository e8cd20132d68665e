"""A simulated world in which chance has no say: a test directs what goes wrong, and when."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.document import Setup
from milvus_l7.ports import ObjectRef
from tests.builders import CLUSTER, desired
from tests.simulation import invariants
from tests.simulation.bus import REQUESTED, TEAR_DOWN, Message
from tests.simulation.choices import Choices, T
from tests.simulation.cluster import SITES, Json
from tests.simulation.scenario import settle
from tests.simulation.world import World

SITE = SITES[0]


@dataclass(frozen=True)
class Cue:
    """What happens at the first such call of an execution of the stage; then, what else is to be chosen."""

    stage: Stage
    label: str
    fates: tuple[Any, ...]
    meanwhile: Callable[[], object]


@dataclass
class Directed(Choices):
    """Takes the harmless choice, unless there is a cue."""

    cues: list[Cue] = field(default_factory=list)
    coming: list[Any] = field(default_factory=list)
    stage: Callable[[], Stage | None] = lambda: None

    def pick(self, options: Sequence[T], label: str, calm: float = 0.0) -> T:
        if self.coming:
            return self.coming.pop(0)  # type: ignore[no-any-return]
        fitting = (cue for cue in self.cues if cue.label == label and cue.stage is self.stage())
        cue = next(fitting, None)
        if cue is None:
            return options[0]
        self.cues.remove(cue)
        cue.meanwhile()
        self.coming = list(cue.fates[1:])
        return cue.fates[0]  # type: ignore[no-any-return]


class Play:
    """One release in a directed world."""

    def __init__(self) -> None:
        self.choices = Directed(0)
        self.world = World(self.choices)
        self.choices.stage = self._stage

    def _stage(self) -> Stage | None:
        lease = self.setup.lease if self.world.setups.stored else None
        return lease.stage if lease is not None and lease.execution == self.world.acting else None

    def at(
        self, stage: Stage, label: str, *fates: Any, meanwhile: Callable[[], object] = lambda: None
    ) -> None:
        """Let the fates befall the next such call of an execution of the stage, while something happens."""
        self.choices.cues.append(Cue(stage, label, fates, meanwhile))

    def request(self, **changes: Any) -> Message:
        """Publish a request."""
        named = {"cluster": CLUSTER, "release": SITE.release, "domain": SITE.domain("a")}
        body = {**named, "drift": {"interval_s": 40_000}, **changes}
        return self.world.request(REQUESTED, json.dumps(body).encode())

    def tear_down(self, **changes: Any) -> Message:
        """Publish a tear-down."""
        body = {"cluster": CLUSTER, "release": SITE.release, **changes}
        return self.world.request(TEAR_DOWN, json.dumps(body).encode())

    def after(self, **span: float) -> None:
        """Let so much time pass."""
        self.world.agenda.run(self.world.clock.moment + timedelta(**span))

    def settle(self) -> None:
        """Let everything end that was begun; all cues must have come."""
        settle(self.world)
        assert self.choices.cues == []

    @property
    def setup(self) -> Setup:
        """The release's setup."""
        return self.world.setups.stored[desired(release=SITE.release).setup_id].setup

    @property
    def broken(self) -> list[str]:
        """What is not as it must be."""
        return invariants.broken(self.world, (SITE,))

    def live(self, ref: ObjectRef) -> Json | None:
        """Return an object as it is."""
        return self.world.kube.stored.get(ref)
