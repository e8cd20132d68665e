"""Small, readable ways to make the values that tests talk about."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from shared.domain import registration
from shared.domain.chain import Stage, Topology, topology
from shared.domain.event import Event
from shared.domain.request import Wish
from shared.domain.setup import Desired, Setup
from shared.domain.supervision import Supervision
from tests.fakes.state import START

CLUSTER = "projects/milvus-testing-nonprod/locations/us-central1-a/clusters/milvus"
TOPOLOGY: Topology = topology(
    yaml.safe_load((Path(__file__).parent.parent / "infra" / "topology.yaml").read_text(encoding="utf-8"))
)


def desired(**changes: Any) -> Desired:
    return Desired(
        **{"cluster": CLUSTER, "release": "my-release", "domain": "my-release.milvus.io", **changes}
    )


def wish(supervision: Supervision | None = None, **changes: Any) -> Wish:
    return Wish(desired(**changes), supervision or Supervision())


def request(**changes: Any) -> bytes:
    body = {"cluster": CLUSTER, "release": "my-release", "domain": "my-release.milvus.io", **changes}
    return json.dumps({k: v for k, v in body.items() if v is not ...}).encode()


def new_setup(**changes: Any) -> Setup:
    setup, _ = registration.register(None, wish(**changes), "message-1", START)
    return setup


def trigger(setup: Setup, stage: Stage, mark: str = "test") -> Event:
    """An event that asks for `stage` of the setup's present generation."""
    from shared.domain.event import wake_up

    return wake_up(setup, stage, TOPOLOGY, mark)
