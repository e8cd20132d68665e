"""`milvus-l7 status` and `explain`: how setups are shown, and with which exit code."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.request.registration import bury
from milvus_l7.domain.request.request import TearDownSpec
from milvus_l7.domain.setup.chain import SETUP_STAGES, TEARDOWN_STAGES, Stage
from milvus_l7.domain.setup.document import Cause, Setup, StageRecord, StageState, TearDown
from milvus_l7.domain.setup.drift_report import DriftReport, Finding, Unobserved, Verdict
from milvus_l7.domain.setup.facts import Check, CheckState, Facts
from milvus_l7.domain.setup.maintenance_window import MaintenanceWindow
from milvus_l7.domain.setup.outcome import Waiting
from milvus_l7.domain.setup.supervision import Supervision
from tests.builders import after, arrival, begun, desired, new_setup, requested_setup
from tests.cli.setups import ACCEPTED, CAUSE, MUTUAL_TLS, SETUP, changed, operator_of, refused, verified
from tests.fakes.operator import Answer, Operator
from tests.fakes.state import START

FINDING = Finding(
    Stage.CREATE_INGRESS,
    "Ingress default/my-release-milvus",
    "spec.rules",
    "my-release.milvus.io",
    "other.example\x1b[2J[bold]",
    Reason.DRIFTED,
    START - timedelta(hours=3),
    "kubectl-edit",
    is_repairable=True,
)
UNSEEN = Unobserved(Stage.PREPARE_TLS, Reason.CLUSTER_UNAVAILABLE, "503")


def at(state: StageState, reason: Reason | None = None, message: str = "", **more: Any) -> Setup:
    """A setup whose second stage stands like that."""
    record = StageRecord(state, reason, message, waiting_since=START, started_at=START, **more)
    stages = {Stage.PREPARE_TLS: StageRecord(StageState.DONE), Stage.CONFIGURE_HEALTH_CHECK: record}
    return replace(SETUP, stages={**SETUP.stages, **stages})


def torn_down(cause: Cause | None = None, state: StageState = StageState.DONE) -> Setup:
    stages = {stage: StageRecord(state, Reason.LOAD_BALANCER_STUCK) for stage in TEARDOWN_STAGES}
    return replace(SETUP, teardown=TearDown(restore_l4=cause is not None, cause=cause), stages=stages)


def report(
    verdict: Verdict, *findings: Finding, unobserved: tuple[Unobserved, ...] = (), hours: float = 0
) -> Setup:
    return verified(drift=DriftReport(START - timedelta(hours=hours), verdict, findings, unobserved))


WAITING = replace(
    at(StageState.WAITING, Reason.ADDRESS_PENDING, "no address yet", attempts=3),
    wake_at=START + timedelta(seconds=50),
)
CODES = [
    (ACCEPTED, 2),
    (SETUP, 2),
    (changed(verified()), 2),
    (refused(verified()), 0),
    (after(ACCEPTED, Stage.PLAN_SETUP, MUTUAL_TLS), 3),
    (at(StageState.RUNNING), 2),
    (WAITING, 2),
    (at(StageState.FAILED, Reason.MUTUAL_TLS), 3),
    (verified(), 0),
    (report(Verdict.HEALTHY), 0),
    (report(Verdict.HEALTHY, hours=1), 7),
    (report(Verdict.UNKNOWN, unobserved=(UNSEEN,)), 7),
    (report(Verdict.DRIFTED, FINDING), 6),
    (report(Verdict.DRIFTED, FINDING, hours=9), 6),
    (torn_down(), 0),
    (torn_down(CAUSE), 3),
    (torn_down(state=StageState.FAILED), 3),
]


def run(setup: Setup, *arguments: str) -> Answer:
    return operator_of(setup).run(*arguments)


def test_setup_that_waits_for_its_maintenance_window_says_when_that_begins() -> None:
    message = "Milvus may restart 09:00-10:00 UTC; that is next from 2026-01-01 09:00 UTC on"
    wait = Waiting(Reason.OUTSIDE_MAINTENANCE_WINDOW, message, until=START + timedelta(hours=9))
    window = Supervision(maintenance_window=MaintenanceWindow("09:00", "10:00"))
    waiting = after(new_setup(supervision=window), Stage.PREPARE_TLS, wait)
    shown = run(waiting, "status", "my-release").out
    assert message in shown
    assert "next check in 9 h 00 min" in shown
    explained = run(waiting, "explain", "my-release").out
    begins = f"{START + timedelta(hours=9):%Y-%m-%d %H:%M:%S} UTC"
    assert f"It begins at {begins} (in 9 h 00 min), at the scheduler's tick, and nothing before." in explained


@pytest.mark.parametrize("command", ["status", "explain"])
@pytest.mark.parametrize(("setup", "code"), CODES)
def test_exit_code_tells_the_state(command: str, setup: Setup, code: int) -> None:
    assert run(setup, command, "my-release").code == code


def test_all_setups_are_one_row_each() -> None:
    operator = Operator()
    paused = Supervision(paused=True)
    others = [requested_setup(release=f"r{n:03}") for n in range(250)]
    operator.has(WAITING, *others, replace(requested_setup(release="z"), supervision=paused))
    answer = operator.run("status")
    header, *rows, blank, total = answer.out.splitlines()
    assert " ".join(header.split()) == "setup status stage reason next check drift domain address"
    assert len(rows) == 252
    (row,) = [row for row in rows if SETUP.setup_id in row]
    for said in ("waiting", "configure_health_check", "AddressPending", "in 50 s", "my-release.milvus.io"):
        assert said in row
    assert "accepted, paused" in rows[-1]
    assert (blank, total) == ("", "252 setups: 251 accepted, 1 waiting.")
    assert answer.code == 0


def among(*arguments: str) -> Answer:
    """Setups in two namespaces, in several states."""
    operator = Operator()
    failed = at(StageState.FAILED, Reason.MUTUAL_TLS)
    drifted = report(Verdict.DRIFTED, FINDING)
    operator.has(WAITING, named(failed, "f"), named(drifted, "d"), named(verified(), "v", namespace="search"))
    return operator.run("status", *arguments)


def named(setup: Setup, release: str, namespace: str = "default") -> Setup:
    other = new_setup(release=release, namespace=namespace)
    return replace(setup, setup_id=other.setup_id, desired=other.desired)


@pytest.mark.parametrize(
    ("options", "total"),
    [
        ([], "4 setups: 1 waiting, 1 failed, 2 verified; 1 drifted."),
        (["--status", "failed"], "1 of 4 setups: 1 failed."),
        (["--status", "failed", "--status", "waiting"], "2 of 4 setups: 1 waiting, 1 failed."),
        (["--drifted"], "1 of 4 setups: 1 verified; 1 drifted."),
        (["--namespace", "search"], "1 of 4 setups: 1 verified."),
        (["--namespace", "default", "--status", "verified"], "1 of 4 setups: 1 verified; 1 drifted."),
    ],
)
def test_setups_are_chosen_and_counted_by_status(options: list[str], total: str) -> None:
    answer = among(*options)
    _, *rows, _, last = answer.out.splitlines()
    assert (last, answer.code) == (total, 0)
    assert len(rows) == int(total.split(maxsplit=1)[0])


def test_chosen_setups_are_printed_as_json_without_the_count() -> None:
    (one,) = json.loads(among("--status", "failed", "-o", "json").out)
    assert one["status"] == "failed"


def test_choice_of_no_setup_is_told_as_that() -> None:
    answer = among("--status", "torn-down")
    assert (answer.code, answer.out) == (0, "")
    assert "None of 4 setups in project milvus-testing-nonprod matches." in answer.err


@pytest.mark.parametrize("options", [["--drifted"], ["--status", "failed"], ["--namespace", "default"]])
def test_one_setup_is_not_chosen_among(options: list[str]) -> None:
    answer = run(SETUP, "status", "my-release", *options)
    assert answer.code == 64
    assert "choose among all setups" in answer.err


@pytest.mark.parametrize(
    ("setup", "said"),
    [
        (verified(), "never"),
        (verified(verified_at=START - timedelta(hours=1)), "never (stale)"),
        (report(Verdict.HEALTHY, hours=0.1), "healthy, 6 min 00 s ago"),
        (report(Verdict.DRIFTED, FINDING, hours=9), "drifted (1), 9 h 00 min ago (stale)"),
    ],
)
def test_table_tells_drift_with_its_age(setup: Setup, said: str) -> None:
    assert said in run(setup, "status").out


def test_no_setup_is_told_as_that() -> None:
    answer = Operator().run("status")
    assert (answer.code, answer.out) == (0, "")
    assert "no setups in project milvus-testing-nonprod" in answer.err


@pytest.mark.parametrize("setup", [WAITING, report(Verdict.DRIFTED, FINDING)])
def test_json_is_the_stored_document(setup: Setup) -> None:
    one = json.loads(run(setup, "status", "my-release", "-o", "json").out)
    assert (one["setup_id"], one["status"]) == (setup.setup_id, setup.status)
    assert json.loads(run(setup, "status", "-o", "json").out) == [one]


@pytest.mark.parametrize(
    "name", [SETUP.setup_id, "my-release", "default.my-release", "milvus.default.my-release"]
)
def test_setup_is_named_by_its_last_parts(name: str) -> None:
    operator = Operator()
    operator.has(SETUP, new_setup(release="my-release.my-release"), new_setup(release="not-my-release"))
    assert SETUP.setup_id in operator.run("status", name).out


def test_name_of_several_setups_is_wrong_input() -> None:
    operator = Operator()
    other = new_setup(namespace="search")
    operator.has(SETUP, other)
    answer = operator.run("status", "my-release")
    assert answer.code == 64
    assert {SETUP.setup_id, other.setup_id} <= {line.strip() for line in answer.err.splitlines()}


@pytest.mark.parametrize("name", ["nothing", "", ".", "a.b.c.d.e", "\x1b[2J"])
def test_name_of_no_setup_is_wrong_input(name: str) -> None:
    answer = run(SETUP, "status", name)
    assert answer.code == 64
    assert "There is no setup" in answer.err
    assert "\x1b" not in answer.err


def test_one_setup_is_shown_with_stages_checklist_and_findings() -> None:
    checks = (Check("dns", CheckState.FAILED, "[red]no record\x1b[31m", Reason.DNS_RECORD_MISSING),)
    setup = replace(report(Verdict.DRIFTED, FINDING), facts=Facts(address="192.0.2.1", checklist=checks))
    out = run(setup, "status", "my-release").out
    for stage in SETUP_STAGES:
        assert f"✓  {stage}" in out
    assert "[red]no record" in out
    assert "spec.rules: expected my-release.milvus.io, found other.example [2J[bold]" in out
    assert "(3 h 00 min ago), by kubectl-edit" in out
    assert "my-release.milvus.io at 192.0.2.1" in out
    assert "\x1b" not in out


def test_refused_request_is_shown_beside_what_goes_on_without_it() -> None:
    out = run(refused(verified()), "status", "my-release").out
    assert "verified, last request refused" in out
    assert "generation 2 is refused: MutualTls: tlsMode is 2" in out
    assert "✓  verify_endpoint" in out
    assert "verified, last request refused" in run(refused(verified()), "status").out


def test_stages_after_the_plan_have_not_begun_for_a_request_that_is_to_be_planned() -> None:
    out = run(changed(verified()), "status", "my-release").out
    assert "✓" not in out
    assert all(f"·  {stage}" in out for stage in SETUP_STAGES)


def test_stage_whose_change_is_to_be_taken_back_comes_first() -> None:
    failed = {Stage.PREPARE_TLS: StageRecord(StageState.FAILED, Reason.CLUSTER_ACCESS_DENIED, "403")}
    setup = replace(torn_down(), stages=failed, effect=Stage.PREPARE_TLS)
    lines = run(setup, "status", "my-release").out.splitlines()
    assert [line.split()[1] for line in lines[2:4]] == ["prepare_tls", "tear_down"]


def test_memory_of_the_tear_down_of_an_unknown_setup_is_no_setup() -> None:
    spec = TearDownSpec(desired(), restore_l4=False)
    tomb, _ = bury(None, spec, arrival())
    answer = run(tomb, "status")
    assert (answer.code, answer.out) == (0, "")
    for name in (tomb.setup_id, "my-release"):
        assert run(tomb, "status", name).code == 64


def test_way_back_shows_its_own_stage() -> None:
    out = run(torn_down(), "status", "my-release").out
    assert "tear_down" in out
    assert "prepare_tls" not in out


def test_watch_follows_to_the_end() -> None:
    operator = Operator()
    operator.has(WAITING)
    operator.later = [lambda: operator.has(at(StageState.RUNNING)), lambda: operator.has(verified())]
    answer = operator.run("status", "my-release", "--watch")
    assert answer.code == 0
    waits, runs = (
        line for line in answer.out.splitlines() if "configure_health_check" in line and "✓" not in line
    )
    assert "AddressPending: no address yet  (next check in 50 s)" in waits
    assert "running" in runs


def test_watch_as_json_prints_the_end() -> None:
    operator = Operator()
    operator.has(WAITING)
    operator.later = [lambda: operator.has(verified())]
    answer = operator.run("status", "my-release", "--watch", "-o", "json")
    assert json.loads(answer.out)["status"] == "verified"


def test_interrupted_watch_is_quiet() -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    operator = Operator()
    operator.has(WAITING)
    operator.later = [interrupt]
    answer = operator.run("status", "my-release", "--watch")
    assert (answer.code, answer.err) == (130, "")


def test_all_setups_are_watched_at_a_terminal_only() -> None:
    assert run(SETUP, "status", "--watch").code == 64


@pytest.mark.parametrize(
    ("setup", "sentences"),
    [
        (ACCEPTED, ["plan_setup has not begun"]),
        (SETUP, ["prepare_tls has not begun"]),
        (
            changed(begun(SETUP, Stage.PREPARE_TLS)),
            ["It begins when prepare_tls, which is under way, has ended; at 2026-01-01 00:01:05 UTC"],
        ),
        (
            refused(verified()),
            [
                "is verified, generation 2",
                "The plan refused generation 2 at 2026-01-01 00:00:00 UTC (0 s ago), with MutualTls",
                "What was found: tlsMode is 2",
                Reason.MUTUAL_TLS.remedy,
                "milvus-l7 request -f FILE. Until then the setup goes on as it was.",
                "It serves https://my-release.milvus.io:443",
            ],
        ),
        (
            after(ACCEPTED, Stage.PLAN_SETUP, MUTUAL_TLS),
            ["plan_setup failed", "tlsMode is 2", f"milvus-l7 retry {SETUP.setup_id}"],
        ),
        (
            replace(SETUP, effect=Stage.PREPARE_TLS),
            ["prepare_tls was interrupted while it changed the release; that is taken back before all else."],
        ),
        (
            WAITING,
            [
                "configure_health_check waits since 2026-01-01 00:00:00 UTC (0 s ago)",
                Reason.ADDRESS_PENDING.meaning,
                "What was found: no address yet",
                Reason.ADDRESS_PENDING.remedy,
                "Next check: in 50 s",
                "It gives up at 2026-01-01 00:30:00 UTC (in 30 min 00 s)",
            ],
        ),
        (
            at(StageState.FAILED, Reason.MUTUAL_TLS, "tlsMode is 2", finished_at=START),
            [Reason.MUTUAL_TLS.remedy, f"milvus-l7 retry {SETUP.setup_id}"],
        ),
        (
            torn_down(CAUSE),
            ["the first set-up failed", "tlsMode is 2", Reason.MUTUAL_TLS.remedy, "milvus-l7 retry"],
        ),
        (torn_down(), ["It was torn down as requested."]),
        (torn_down(state=StageState.FAILED), [f"milvus-l7 teardown {SETUP.setup_id}"]),
        (verified(), ["No drift check has run since it was verified."]),
        (
            report(Verdict.DRIFTED, FINDING, unobserved=(UNSEEN,), hours=1),
            [
                "spec.rules: expected my-release.milvus.io, found other.example [2J[bold]",
                "changed by kubectl-edit",
                "seen since 2025-12-31 21:00:00 UTC",
                Reason.DRIFTED.remedy,
                "prepare_tls could not be checked: ClusterUnavailable: 503",
                "That is stale",
            ],
        ),
    ],
)
def test_state_is_explained(setup: Setup, sentences: list[str]) -> None:
    out = run(setup, "explain", "my-release").out
    for sentence in sentences:
        assert sentence in out
