"""An interrupted Helm operation: rolled back in an execution of its own, by whichever stage finds it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from milvus_l7.adapters.stage_ports import RecordingPorts
from milvus_l7.application.stages import registry
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.document import Setup, TearDown
from milvus_l7.domain.setup.outcome import Done, Waiting
from tests.builders import new_setup
from tests.fakes.endpoint import FakeEndpointProbe
from tests.fakes.plaintext_release import CHOSEN, PORTS, deployment, named, release
from tests.fakes.ports import FakePorts, stage
from tests.fakes.releases import FakeReleases, ReleaseCluster
from tests.fakes.state import START

NOW = START + timedelta(minutes=1)


def interrupted() -> ReleaseCluster:
    left = release(revision=2, status="pending-upgrade", updated_at=NOW - timedelta(minutes=10))
    found = ReleaseCluster(helm=FakeReleases([release(), left]))
    balancer = {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}
    spec = {"type": "LoadBalancer", "ports": PORTS}
    found.kube.put(named("Service", "my-release-milvus", spec=spec, status=balancer))
    found.kube.put(deployment(1))
    return found


def torn_down(restore_l4: bool) -> Setup:
    return replace(new_setup(), teardown=TearDown(restore_l4=restore_l4))


def test_tear_down_rolls_back_first_and_then_ends() -> None:
    for restore_l4 in (False, True):
        there, setup = interrupted(), torn_down(restore_l4)
        work: Any = stage(Stage.TEAR_DOWN, there, probe=FakeEndpointProbe(None))
        first = work(setup, NOW)
        assert isinstance(first, Waiting)
        assert (first.reason, there.helm.writes) == (Reason.RELEASE_ROLLED_BACK, 1)
        assert isinstance(work(setup, NOW), Done)
        assert there.helm.writes == 1
        assert there.helm.revisions[-1].values == CHOSEN


def test_plan_holds_the_roll_back_and_what_follows_it() -> None:
    there = interrupted()
    ports = RecordingPorts.over(FakePorts(there))
    registry.work(Stage.PREPARE_TLS, ports)(new_setup(), NOW)
    fields = [change.field for change in ports.take()]
    assert fields[0] == "status"
    assert any("service.type" in field for field in fields)
    assert there.helm.writes == 0
