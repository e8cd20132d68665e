"""A way back is done only when nothing of ours is left and, with `restore_l4`, the release is as it was."""

from __future__ import annotations

from dataclasses import replace

from milvus_l7.domain.kubernetes import kinds
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.document import TearDown
from milvus_l7.domain.setup.facts import Facts, ReleaseBefore, ServiceFacts
from milvus_l7.domain.setup.outcome import Done, Failed, Outcome
from milvus_l7.ports import ObjectRef
from tests.builders import new_setup
from tests.fakes.plaintext_release import cluster, release
from tests.fakes.ports import stage
from tests.fakes.releases import ReleaseCluster
from tests.fakes.state import START

BEFORE = ReleaseBefore(1, {"service.type": "LoadBalancer"}, {})


def torn_down(there: ReleaseCluster) -> Outcome:
    facts = Facts(before=BEFORE)
    setup = replace(new_setup(), teardown=TearDown(restore_l4=True), facts=facts)
    return stage(Stage.TEAR_DOWN, there)(setup, START)


def test_release_that_cannot_be_restored_fails_the_way_back() -> None:
    outcome = torn_down(cluster(release(status="uninstalling")))
    assert isinstance(outcome, Failed)
    assert outcome.reason is Reason.RELEASE_NOT_DEPLOYED


def test_record_of_a_release_that_is_not_found_is_kept() -> None:
    outcome = torn_down(cluster(release(name="other")))
    assert isinstance(outcome, Done)
    assert outcome.facts is not None
    assert outcome.facts.before == BEFORE


def test_what_is_called_after_a_service_that_the_release_no_longer_has_goes_too() -> None:
    there = cluster(release())
    names = {ObjectRef(*kinds.INGRESS, "default", "old"), ObjectRef(*kinds.SECRET, "default", "old-tls")}
    for ref in names:
        labels = {"app.kubernetes.io/managed-by": "milvus-l7"}
        metadata = {"name": ref.name, "namespace": "default", "labels": labels}
        there.kube.put({"apiVersion": ref.api_version, "kind": ref.kind, "metadata": metadata})
    setup = replace(new_setup(), facts=Facts(service=ServiceFacts("old", "grpc", 19530)))
    facts = stage(Stage.PREPARE_TLS, there)(setup, START).facts
    assert facts is not None
    down = replace(setup, facts=facts, teardown=TearDown())
    for _ in range(2):  # GKE takes its time to release the load balancer
        stage(Stage.TEAR_DOWN, there)(down, START)
    assert names.isdisjoint(there.kube.stored)
