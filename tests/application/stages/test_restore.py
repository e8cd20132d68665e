"""A way back with `restore_l4` is done only when the release is proven to be as it was."""

from __future__ import annotations

from dataclasses import replace

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.document import TearDown
from milvus_l7.domain.setup.facts import Facts, ReleaseBefore
from milvus_l7.domain.setup.outcome import Done, Failed, Outcome
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
