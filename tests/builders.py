"""Small, readable ways to make the values that tests talk about."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from milvus_l7.domain.request import registration
from milvus_l7.domain.request.request import SetupSpec
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.desired import Desired
from milvus_l7.domain.setup.document import Setup
from milvus_l7.domain.setup.event import Event
from milvus_l7.domain.setup.supervision import Supervision
from milvus_l7.domain.setup.topology import Topology, topology
from tests.fakes.state import START

CLUSTER = "projects/milvus-testing-nonprod/locations/us-central1-a/clusters/milvus"
TOPOLOGY: Topology = topology(
    yaml.safe_load((Path(__file__).parent.parent / "infra" / "topology.yaml").read_text(encoding="utf-8"))
)


def desired(**changes: Any) -> Desired:
    return Desired(
        **{"cluster": CLUSTER, "release": "my-release", "domain": "my-release.milvus.io", **changes}
    )


def wish(supervision: Supervision | None = None, **changes: Any) -> SetupSpec:
    return SetupSpec(desired(**changes), supervision or Supervision())


def request(**changes: Any) -> bytes:
    body = {"cluster": CLUSTER, "release": "my-release", "domain": "my-release.milvus.io", **changes}
    return json.dumps({k: v for k, v in body.items() if v is not ...}).encode()


def new_setup(**changes: Any) -> Setup:
    setup, _ = registration.register(None, wish(**changes), "message-1", START)
    return setup


def trigger(setup: Setup, stage: Stage, mark: str = "test") -> Event:
    """An event that asks for `stage` of the setup's present generation."""
    from milvus_l7.domain.setup.event import wake_up

    return wake_up(setup, stage, TOPOLOGY, mark)
