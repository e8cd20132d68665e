"""Every event three times and out of order: one effect."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from demo.deployment import Pacing
from localcloud.cloud import PROJECT, Cloud
from localcloud.pubsub import Delivery
from milvus_l7.domain.setup.chain import SETUP_STAGES
from milvus_l7.domain.setup.document import Status
from tests.e2e.stage_play import Play

pytestmark = pytest.mark.e2e


def history(play: Play) -> Counter[tuple[str, str]]:
    from google.cloud.firestore import Client

    setup = play.setup()
    assert setup is not None
    entries = Client(project=PROJECT).collection("setups", setup.setup_id, "history").stream()
    return Counter((entry.get("stage"), entry.get("outcome")) for entry in entries)


def test_every_event_three_times_and_out_of_order_has_one_effect(cloud: Cloud) -> None:
    play = Play(cloud, "triple")
    play.install()
    cloud.pubsub.delivery = Delivery(
        copies=3, shuffle=random.Random(7), backoff_scale=Pacing().push_backoff_scale
    )
    play.publish()
    play.wait(Status.VERIFIED)
    cloud.pubsub.wait_idle(30)
    seen = history(play)
    assert [seen[stage, "done"] for stage in SETUP_STAGES] == [1] * len(SETUP_STAGES)
    assert seen["accept_request", "created"] == 1
    writes = Counter(play.writes())
    assert writes["l7-prepare-tls create secrets/sh.helm.release.v1.triple.v2"] == 1  # one Helm revision
    assert writes["l7-certificate create secrets/triple-milvus-tls"] == 1  # one key
    assert writes["l7-health-check patch services/triple-milvus"] == 1
    assert writes["l7-ingress patch ingresses/triple-milvus"] == 1
