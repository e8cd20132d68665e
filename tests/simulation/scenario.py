"""One simulated history: requests while everything goes wrong, then calm; and what must be true then."""

from __future__ import annotations

import json
import os
from contextlib import redirect_stdout
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from milvus_l7.domain.request.request import Refused, parse, parse_tear_down
from milvus_l7.domain.setup.document import Setup, Status
from milvus_l7.domain.text.untrusted import mapping
from milvus_l7.ports import ObjectRef
from tests.builders import CLUSTER
from tests.fakes.state import START
from tests.simulation.choices import Choices, shrunk
from tests.simulation.cluster import INGRESS, SERVICE
from tests.simulation.world import REQUESTED, TEAR_DOWN, Message, World

STORM, CALM = timedelta(hours=2), timedelta(hours=60)
MOST_PUBLISHED = 3000
NAMED = {"cluster": CLUSTER, "release": "my-release"}
BASE = {**NAMED, "drift": {"interval_s": 40_000}}


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


def requests(choices: Choices) -> list[tuple[str, dict[str, Any], float]]:
    """What users publish, with the seconds between."""
    kinds: list[tuple[str, dict[str, Any]]] = [
        (REQUESTED, {**BASE, "domain": "a.milvus.io"}),
        (REQUESTED, {**BASE, "domain": "a.milvus.io", "backend_timeout_s": 60}),
        (REQUESTED, {**BASE, "domain": "b.milvus.io"}),
        (REQUESTED, {**BASE, "domain": "a.milvus.io", "certificate": {"type": "google-managed"}}),
        (TEAR_DOWN, {**NAMED}),
        (TEAR_DOWN, {**NAMED, "restore_l4": True}),
        (REQUESTED, {**BASE, "domain": "a.milvus.io", "drift": {"policy": "repair", "interval_s": 900}}),
        (REQUESTED, {**BASE, "domain": "c.milvus.io", "certificate": {"secret": "theirs-tls"}}),
        (
            REQUESTED,
            {**BASE, "domain": "a.milvus.io", "dns": {"managed_zone": "projects/p/managedZones/milvus"}},
        ),
        (REQUESTED, {**BASE, "domain": "a.milvus.io", "on_failure": "restore"}),
    ]
    first = [(*kinds[0], 0.0)]
    number = choices.pick((1, 2, 3, 4, 0), "more requests")
    gaps = (3, 20, 60, 120, 400, 2000)
    more = [(*choices.pick(kinds, "request"), float(choices.pick(gaps, "gap"))) for _ in range(number)]
    return first + more


def simulate(seed: int, forced: list[int] | None = None) -> Ended:
    """Play the history of a seed, or of a list of choices. The functions' log goes nowhere."""
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
        return _simulated(seed, forced)


def _simulated(seed: int, forced: list[int] | None) -> Ended:
    choices = Choices(seed, forced)
    world = World(choices)
    at = 0.0
    for topic, body, gap in requests(choices):
        at += gap
        world.later(at, lambda topic=topic, body=body: world.request(body, topic))  # type: ignore[misc]
    world.run(START + STORM)
    choices.is_quiet = True
    settle(world)
    problems = [*world.violations, *_stuck(world)]
    if not problems:
        problems = [*_end_state(world)]
    if not problems:
        problems = _second_run(world)
    return Ended(seed, choices, problems, world)


def settle(world: World) -> None:
    """Let everything end that was begun."""
    end = world.clock.moment + CALM
    while not world.is_idle and world.clock.moment < end:
        world.run(world.clock.moment + timedelta(minutes=10))


def _stuck(world: World) -> list[str]:
    found = []
    for versioned in world.setups.stored.values():
        setup = versioned.setup
        if setup.poll_at is not None or setup.lease is not None or setup.requested is not None:
            found.append(
                f"stuck: {setup.status} poll_at {setup.poll_at} lease {setup.lease} {setup.requested}"
            )
    if world.setups.outbox:
        found.append(f"outbox: {list(world.setups.outbox)[:3]}")
    ids = [entry.entry_id for entry in world.setups.history]
    found += [f"history entry twice: {each}" for each in {one for one in ids if ids.count(one) > 1}]
    if len(world.published) > MOST_PUBLISHED:
        found.append(f"{len(world.published)} events published")
    theirs = world.kube.stored.get(ObjectRef("v1", "Secret", "default", "theirs-tls"))
    if theirs is None or theirs["data"] != {"tls.crt": "eA=="}:
        found.append("a foreign Secret was touched")
    return found


def _accepted(world: World) -> list[Message]:
    """Valid requests in the order in which Pub/Sub took them."""
    found = []
    for message in world.sent:
        try:
            (parse if message.topic == REQUESTED else parse_tear_down)(message.body)
        except Refused:
            continue
        found.append(message)
    return sorted(found, key=lambda message: message.mark)


def _end_state(world: World) -> list[str]:  # noqa: PLR0911  (a case a line)
    last = _accepted(world)[-1]
    setup = world.setups.only()
    if setup.order != last.mark:
        return [f"the last request is {last.mark}, the setup's {setup.order}"]
    if last.topic == TEAR_DOWN:
        return _torn_down(world, setup, restore=b"restore_l4" in last.body)
    spec = parse(last.body)
    if setup.refusal is not None and setup.desired != spec.desired:
        return [] if spec.desired.certificate.secret else [f"refused: {setup.refusal}"]
    if spec.desired.certificate.secret and setup.status is Status.FAILED:
        return []
    if setup.status is Status.FAILED:
        return [] if _is_given_up(setup) else [f"failed: {setup.stages}"]
    if setup.teardown is not None and setup.teardown.cause is not None:
        return []
    if setup.status is not Status.VERIFIED or setup.desired != spec.desired:
        return [f"{setup.status}, {setup.desired} instead of {spec.desired}"]
    return _served(world, setup)


def _is_given_up(setup: Setup) -> bool:
    """A wait or a budget came to its end in the storm; that is told, and a new request begins anew."""
    return any("gave up" in r.message or "without a result" in r.message for r in setup.stages.values())


def _served(world: World, setup: Setup) -> list[str]:
    found, stored, desired = [], world.kube.stored, setup.desired
    ingress = stored.get(INGRESS) or {}
    hosts = [rule["host"] for rule in mapping(ingress, "spec").get("rules", [])]
    if hosts != [desired.domain]:
        found.append(f"hosts {hosts}")
    config = stored.get(
        ObjectRef("cloud.google.com/v1", "BackendConfig", "default", f"{SERVICE}-backendconfig")
    )
    if mapping(config, "spec").get("timeoutSec") != desired.backend_timeout_s:
        found.append(f"time-out {mapping(config, 'spec').get('timeoutSec')}")
    service = stored[ObjectRef("v1", "Service", "default", SERVICE)]
    if service["spec"]["type"] != "ClusterIP":
        found.append("the Service has a type of its own")
    names = mapping(ingress, "metadata", "annotations").get("networking.gke.io/managed-certificates")
    if bool(names) is not desired.is_google_managed:
        found.append(f"managed certificates {names}")
    managed = [ref.name for ref in stored if ref.kind == "ManagedCertificate"]
    if len(managed) != int(desired.is_google_managed):
        found.append(f"ManagedCertificates {managed}")
    return found


def _torn_down(world: World, setup: Setup, *, restore: bool) -> list[str]:
    if setup.status is not Status.TORN_DOWN:
        return (
            []
            if setup.status is Status.FAILED and _is_given_up(setup)
            else [f"{setup.status}: {setup.stages}"]
        )
    found = []
    for ref, live in world.kube.stored.items():
        if live["metadata"].get("labels", {}).get("app.kubernetes.io/managed-by") == "milvus-l7":
            found.append(f"left behind: {ref.kind} {ref.name}")
    service = world.kube.stored[ObjectRef("v1", "Service", "default", SERVICE)]
    kept = {"cloud.google.com/neg", "cloud.google.com/backend-config", "cloud.google.com/app-protocols"}
    left = kept & set(service["metadata"].get("annotations", {}))
    found += [f"annotation left: {each}" for each in left]
    found += [f"record left: {each.name}" for each in world.zones.stored]
    if restore:
        config = world.kube.stored[ObjectRef("v1", "ConfigMap", "default", SERVICE)]["data"]["user.yaml"]
        if service["spec"]["type"] != "LoadBalancer" or "tlsMode" in config:
            found.append(f"not restored: {service['spec']['type']} {config!r}")
    return found


def _second_run(world: World) -> list[str]:
    """The same request once more writes nothing."""
    last = _accepted(world)[-1]
    wanted = Status.TORN_DOWN if last.topic == TEAR_DOWN else Status.VERIFIED
    if world.setups.only().status is not wanted:
        return []
    before = len(world.writes)
    world.request(json.loads(last.body), last.topic)
    settle(world)
    more = world.writes[before:]
    return [*world.violations, *([f"a second run writes {more}"] if more else [])]


def shrink(ended: Ended) -> Ended:
    """The calmest history that still ends badly."""

    def fails(drawn: list[int]) -> bool:
        return bool(simulate(ended.seed, drawn).problems)

    return simulate(ended.seed, shrunk(list(ended.choices.drawn), fails))
