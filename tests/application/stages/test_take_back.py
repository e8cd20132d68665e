"""What an execution that died has left half-done is settled before anything else runs."""

from __future__ import annotations

from datetime import timedelta

from milvus_l7.application.stages import registry
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.setup.outcome import Done, Outcome, Waiting
from tests.builders import new_setup
from tests.fakes.plaintext_release import cluster, release
from tests.fakes.ports import FakePorts
from tests.fakes.releases import ReleaseCluster
from tests.fakes.state import START

NOW = START + timedelta(minutes=20)


def take_back(there: ReleaseCluster) -> Outcome:
    """The end of the take-back; rolling back may take an execution of its own."""
    work = registry.take_back(FakePorts(there))
    first = work(new_setup(), NOW)
    return work(new_setup(), NOW) if isinstance(first, Waiting) else first


def test_interrupted_upgrade_is_rolled_back_to_what_was_deployed() -> None:
    there = cluster(release(), release(revision=2, status="pending-upgrade"))
    assert isinstance(take_back(there), Done)
    newest = there.helm.revisions[-1]
    assert (newest.status, newest.values) == ("deployed", release().values)


def test_release_that_is_deployed_is_left_alone() -> None:
    there = cluster(release())
    for _ in range(2):
        assert isinstance(take_back(there), Done)
    assert there.helm.writes == 0


def test_operation_of_somebody_in_progress_is_waited_for() -> None:
    there = cluster(release(), release(revision=2, status="pending-upgrade", updated_at=NOW))
    outcome = take_back(there)
    assert isinstance(outcome, Waiting)
    assert (outcome.reason, there.helm.writes) == (Reason.RELEASE_BUSY, 0)


def test_without_a_release_there_is_nothing_to_take_back() -> None:
    assert isinstance(take_back(cluster(release(name="other"))), Done)
