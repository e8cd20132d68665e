"""The way back is done only when what is live is what was recorded before the first change."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.document import TearDown
from milvus_l7.domain.setup.facts import Facts, ReleaseBefore
from milvus_l7.domain.setup.outcome import Done, Failed, Outcome
from tests.builders import new_setup
from tests.fakes.endpoint import FakeEndpointProbe
from tests.fakes.plaintext_release import PORTS, deployment, named, release
from tests.fakes.ports import stage
from tests.fakes.releases import FakeReleases, ReleaseCluster
from tests.fakes.state import START

BEFORE = ReleaseBefore(
    1,
    {"service.type": "LoadBalancer", "extraConfigFiles.user.yaml": "log: {level: info}\n"},
    {"common.security.tlsMode": None, "proxy.http.port": None},
    live_type="LoadBalancer",
    live_address="192.0.2.1",
)
PLAIN = "log: {level: info}\n"


def torn_down(live_type: str, user_yaml: str, address: str = "192.0.2.1") -> Outcome:
    """What the way back says of a release whose values are as before, with that live."""
    there = ReleaseCluster(helm=FakeReleases([release(revision=3)]))
    spec = {"type": live_type, "ports": PORTS}
    balancer = {"loadBalancer": {"ingress": [{"ip": address}]}}
    there.kube.put(named("Service", "my-release-milvus", spec=spec, status=balancer))
    there.kube.put(named("ConfigMap", "my-release-milvus", data={"user.yaml": user_yaml}))
    there.kube.put(deployment(1))
    setup = replace(new_setup(), facts=Facts(before=BEFORE), teardown=TearDown(restore_l4=True))
    work: Any = stage(Stage.TEAR_DOWN, there, probe=FakeEndpointProbe(None))
    return work(setup, START + timedelta(minutes=1))


def test_what_is_as_it_was_is_done() -> None:
    done = torn_down("LoadBalancer", PLAIN)
    assert isinstance(done, Done)
    assert done.message == ""
    assert isinstance(torn_down("LoadBalancer", PLAIN + "more: of the users\n"), Done)


@pytest.mark.parametrize(
    ("live_type", "user_yaml", "field"),
    [
        ("NodePort", PLAIN, "Service default/my-release-milvus spec.type"),
        ("LoadBalancer", "common: {security: {tlsMode: 1}}\n", "user.yaml common.security.tlsMode"),
        ("LoadBalancer", "common.security.tlsMode: 1\n", "user.yaml common.security.tlsMode"),
        ("LoadBalancer", "proxy:\n  http:\n    port: 8080\n", "user.yaml proxy.http.port"),
    ],
)
def test_what_is_not_as_it_was_fails_by_name(live_type: str, user_yaml: str, field: str) -> None:
    outcome = torn_down(live_type, user_yaml)
    assert isinstance(outcome, Failed)
    assert (outcome.reason, field in outcome.message) == (Reason.RESTORE_INCOMPLETE, True)


def test_another_address_of_the_layer_4_load_balancer_is_told() -> None:
    done = torn_down("LoadBalancer", PLAIN, "192.0.2.7")
    assert isinstance(done, Done)
    assert "answers at 192.0.2.7 now; it was 192.0.2.1 before" in done.message
