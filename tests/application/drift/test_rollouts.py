"""What a drift check makes of a roll-out that somebody else began."""

from __future__ import annotations

from milvus_l7.domain.drift import evaluation
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.setup.drift_report import DriftReport, Verdict
from tests.fakes.finished_setup import World
from tests.fakes.state import START


def checked(world: World) -> DriftReport:
    """The report of a check that finds no field changed."""
    facts = world.verify().facts
    assert facts is not None
    return evaluation.evaluate((), facts.checklist, None, START)


def test_roll_out_in_progress_is_no_drift() -> None:
    world = World()
    world.put_deployment(available=0)
    world.put_ingress("UNHEALTHY")
    world.probe.version = None
    report = checked(world)
    assert (report.verdict, report.findings) == (Verdict.UNKNOWN, ())
    (unobserved,) = report.unobserved
    assert unobserved.reason is Reason.ROLLOUT_IN_PROGRESS


def test_roll_out_that_breaks_is_the_one_finding_and_not_ours_to_mend() -> None:
    world = World()
    world.crash_pod()
    world.put_ingress("UNHEALTHY")
    world.probe.version = None
    report = checked(world)
    assert report.verdict is Verdict.DRIFTED
    (finding,) = report.findings
    assert (finding.key, finding.reason) == ("checklist rollout", Reason.PODS_CRASHING)
    assert not finding.is_repairable


def test_release_whose_workloads_are_gone_has_drifted() -> None:
    world = World()
    world.remove("Deployment")
    assert checked(world).verdict is Verdict.DRIFTED
