"""One simulated history: requests while everything goes wrong, then calm; and what must be true then."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from milvus_l7.domain.kubernetes import kinds
from milvus_l7.domain.setup import event as events
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.desired import SetupId
from milvus_l7.domain.setup.document import Setup, Status
from milvus_l7.domain.setup.supervision import DriftPolicy
from tests.builders import CLUSTER, TOPOLOGY, desired
from tests.fakes.state import START
from tests.simulation import invariants
from tests.simulation.bus import CHECK, REQUESTED, TEAR_DOWN
from tests.simulation.choices import Choices, shrunk
from tests.simulation.cluster import NAMESPACE, SITES, ZONE, Site
from tests.simulation.world import World

STORM, CALM = timedelta(hours=2), timedelta(hours=60)
GAPS = (3, 20, 60, 120, 400, 2000)  # seconds between two requests for one release
REPORT, REPAIR = {"interval_s": 40_000}, {"policy": "repair", "interval_s": 3000}
OPENS = START + timedelta(hours=5)
WINDOW = {"start_time": f"{OPENS:%H:%M}", "end_time": f"{OPENS + timedelta(hours=1):%H:%M}"}
MOST_SENT = 8  # requests, after which users ask for nothing more meanwhile
Json = dict[str, Any]
Planned = tuple[float, str, bytes]  # when, on which topic, what


@dataclass
class Ended:
    """How a history ended. `problems` is empty if all is as it must be."""

    seed: int
    choices: Choices
    problems: list[str]
    world: World

    @property
    def trace(self) -> list[str]:
        """What happened, a line each."""
        return self.world.trace


def kinds_of_request(site: Site, drift: Json) -> list[tuple[str, Json]]:
    """Return everything that a user may publish for a release."""
    named = {"cluster": CLUSTER, "release": site.release}
    base = {**named, "domain": site.domain("a"), "drift": drift}
    changes: list[Json] = [
        {},
        {"backend_timeout_s": 60},
        {"domain": site.domain("b")},
        {"certificate": {"type": "google-managed"}},
        {"drift": REPAIR},
        {"domain": site.domain("c"), "certificate": {"secret": "theirs-tls"}},  # refused: it holds nothing
        {"dns": {"managed_zone": ZONE}},
        {"dns": {"managed_zone": f"{ZONE}-other"}},  # refused: there is none
        {"on_failure": "restore"},
        {"maintenance_window": WINDOW},
        {"maintenance_window": WINDOW, "drift": REPAIR},
        {"paused": True},
        {"backend_timeout_s": 61, "dry_run": True},
        {"domain": "not a domain"},  # rejected
    ]
    down: list[Json] = [{}, {"restore_l4": True}, {"event_id": "forged"}]
    return [
        *((REQUESTED, {**base, **change}) for change in changes),
        *((TEAR_DOWN, {**named, **change}) for change in down),
    ]


def requests(choices: Choices, site: Site) -> Iterator[Planned]:
    """Yield what users publish for a release."""
    offered, at = kinds_of_request(site, choices.pick((REPORT, REPAIR), "drift", 0.6)), 0.0
    for number in range(1 + choices.pick((1, 2, 3, 4, 0), "more requests")):
        at += choices.pick(GAPS, "gap") if number else 0.0
        topic, body = choices.pick(offered, "request", 0.0 if number else 0.8)
        yield at, topic, json.dumps(body).encode()


def forged(choices: Choices, site: Site) -> Iterator[Planned]:
    """Yield events that nobody of ours has published, but whoever may publish on our topics."""
    setup_id = desired(release=site.release).setup_id
    for stage in choices.pick(((), tuple(Stage)), "forged events", 0.9):
        at = float(choices.pick(GAPS, "gap"))
        yield at, TOPOLOGY.trigger(stage), notice(setup_id, choices.pick((1, 2, 3, 0), "generation"))
        yield at, CHECK, json.dumps({"setup_id": setup_id}).encode()


def notice(setup_id: SetupId, generation: int) -> bytes:
    """Return a chain event with an id that somebody has made up."""
    body = {"event_id": "forged", "setup_id": setup_id, "generation": generation, "stage": "verify_endpoint"}
    return json.dumps({"schema_version": events.SCHEMA_VERSION, **body}).encode()


def simulate(seed: int, forced: list[int] | None = None) -> Ended:
    """Play the history of a seed, or of a list of choices. The functions' log goes nowhere."""
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
        return _simulated(seed, forced)


def _simulated(seed: int, forced: list[int] | None) -> Ended:
    choices = Choices(seed, forced)
    world = World(choices)
    sites = SITES[: choices.pick((1, 2), "releases", 0.4)]
    for site in sites:
        _prepare(world, site)
    world.meanwhile = lambda: _ask_meanwhile(world, sites)
    world.agenda.run(START + STORM)
    choices.is_quiet = True
    settle(world)
    for _ in range(2):  # what ends a pause may fail, because of what was deleted during the pause
        world.violations += [each for site in sites for each in invariants.failed(world, site)]
        for site in sites:
            _ask_again(world, site)
        settle(world)
    problems = invariants.broken(world, sites) or _second_run(world, sites)
    return Ended(seed, choices, problems, world)


def _prepare(world: World, site: Site) -> None:
    """Put on the agenda what is done to a release."""
    choices = world.choices
    for at, topic, body in (*requests(choices, site), *forged(choices, site)):
        world.agenda.later(at, lambda topic=topic, body=body: world.request(topic, body))  # type: ignore[misc]
    if after := choices.pick((0, 300, 3000, 7000, 20_000), "a dead letter is replayed after", 0.9):
        world.agenda.later(after, lambda: _replay(world))
    if after := choices.pick((0, 2000, 5000), "somebody deletes an object after", 0.8):
        kind = choices.pick((kinds.INGRESS, kinds.BACKEND_CONFIG, kinds.SECRET), "of kind")
        world.agenda.later(after, lambda: _meddle(world, site, kind))


def _ask_meanwhile(world: World, sites: tuple[Site, ...]) -> None:
    if len(world.sent) < MOST_SENT:
        topic, body = world.choices.pick(kinds_of_request(world.choices.pick(sites, "of"), REPORT), "request")
        world.request(topic, json.dumps(body).encode())


def _replay(world: World) -> None:
    requested = [message for message in world.sent if message.is_request and not message.original_at]
    if requested:
        world.replay(world.choices.pick(requested, "replayed"))


def _meddle(world: World, site: Site, kind: kinds.Kind) -> None:
    """Somebody deletes objects of ours."""
    for ref, live in list(world.kube.stored.items()):
        if (ref.api_version, ref.kind, ref.namespace) == (*kind, NAMESPACE) and site.owns(ref.name):
            world.kube.delete(live)
            world.meddled.add(site.release)


def _ask_again(world: World, site: Site) -> None:
    """Do what a user does after the storm: end a pause, ask again for what has failed or was deleted."""
    setup, messages = invariants.setup_of(world, site), invariants.accepted(world, site)
    if setup is None or not messages:
        return
    has_failed = setup.supervision.paused or setup.status is Status.FAILED or _was_given_up(setup)
    is_meddled = site.release in world.meddled
    if is_meddled and setup.supervision.policy is DriftPolicy.REPAIR and not has_failed:
        world.agenda.run(world.clock.moment + timedelta(hours=2))
    elif has_failed or (is_meddled and setup.supervision.policy is DriftPolicy.REPORT):
        body = json.loads(messages[-1].body)
        ended = {"paused": False} if body.get("paused") else {}
        world.request(messages[-1].topic, json.dumps({**body, **ended}).encode())


def _was_given_up(setup: Setup) -> bool:
    """Whether nobody asked for how it ended: torn down because it failed, or never planned to the end."""
    if setup.refusal is not None and invariants.tells_of_an_end(setup.refusal.message):
        return True
    return setup.teardown is not None and setup.teardown.cause is not None


def settle(world: World) -> None:
    """Let everything end that was begun."""
    end = world.clock.moment + CALM
    while not world.is_idle and world.clock.moment < end:
        world.agenda.run(world.clock.moment + timedelta(minutes=10))


def _second_run(world: World, sites: tuple[Site, ...]) -> list[str]:
    """The same requests once more write nothing."""
    last = [message for site in sites if (message := invariants.last_to_repeat(world, site))]
    before = len(world.writes)
    for message in last:
        world.request(message.topic, message.body)
    settle(world)
    more = world.writes[before:]
    return [*world.violations, *([f"a second run writes {more}"] if more else [])]


def shrink(ended: Ended) -> Ended:
    """Return the calmest history that still ends badly."""

    def fails(drawn: list[int]) -> bool:
        return bool(simulate(ended.seed, drawn).problems)

    return simulate(ended.seed, shrunk(list(ended.choices.drawn), fails))
