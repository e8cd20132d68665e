"""`milvus-l7 plan`: the plan of a file or of a setup, as text, JSON and exit code."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from milvus_l7.domain.kubernetes.change import Change
from milvus_l7.domain.planning import chain_plan
from milvus_l7.domain.planning.chain_plan import ChainPlan, Impact, ImpactKind, Step
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.condition import Condition
from milvus_l7.domain.setup.chain import Stage
from tests.builders import new_setup, request
from tests.fakes.operator import Answer, Operator
from tests.fakes.state import START

SETUP = new_setup()
RELEASE = "Release default/my-release"
STEPS = (
    Step(
        Stage.PREPARE_TLS,
        (
            Change(RELEASE, "service.type", "LoadBalancer", "ClusterIP"),
            Change(RELEASE, "extra", None, {"a": 1}),
            Change(RELEASE, "text", "one\ntwo\nthree\n", "one\n2\nthree\n"),
        ),
    ),
    Step(Stage.CONFIGURE_HEALTH_CHECK, ()),
)
IMPACT = Impact(ImpactKind.MILVUS_DOWN, "it is down [red]while[/] it\x1b[31m restarts")
PLAN = ChainPlan(SETUP.setup_id, STEPS, (IMPACT,))
FAULT = Condition(Reason.MUTUAL_TLS, "tlsMode is 2")
EMPTY = ChainPlan(SETUP.setup_id, (Step(Stage.PREPARE_TLS, ()),))
FAILING = ChainPlan(SETUP.setup_id, (Step(Stage.PREPARE_TLS, (), fault=FAULT),))


def planned(plan: ChainPlan | None, *options: str, **record: Any) -> tuple[Answer, Operator]:
    """A plan of a file, made while the command waits."""
    operator = Operator()
    plan_id = f"{SETUP.setup_id}.plan.published-1"

    def make() -> None:
        made = json.dumps(chain_plan.to_json(plan)) if plan else None
        known = operator.engine.plans.load(plan_id)
        assert known is not None
        operator.engine.plans.store(replace(known, made_at=START, plan=made, **record))

    operator.later = [operator.deliver, make]
    return operator.run("plan", "-f", "-", *options, typed=request().decode()), operator


def test_notes_are_told_before_the_changes() -> None:
    answer, _ = planned(replace(PLAN, notes=("adopts Ingress default/x: \x1b[31m given back",)))
    lines = answer.out.splitlines()
    assert lines[1].startswith("* adopts Ingress default/x: [31m given back")
    assert lines[2] == ""


def test_impacts_come_first_then_the_changes_of_each_object() -> None:
    answer, operator = planned(PLAN)
    lines = [line.rstrip() for line in answer.out.splitlines()]
    assert lines[0] == "! MilvusDown: it is down [red]while[/] it [31m restarts"
    start = lines.index("prepare_tls")
    assert lines[start + 1 : start + 9] == [
        f"  {RELEASE}",
        '    - service.type: "LoadBalancer"',
        '    + service.type: "ClusterIP"',
        '    + extra: {"a": 1}',
        "    text:",
        "        one",
        "      - two",
        "      + 2",
    ]
    assert "3 changes to 1 object in 1 stage." in lines
    assert operator.published[0][1]["dry_run"] is True
    assert answer.code == 0


def test_stage_that_waits_for_the_maintenance_window_is_told_with_its_beginning() -> None:
    steps = (replace(STEPS[0], begins_at=START + timedelta(days=1)), *STEPS[1:])
    out = planned(ChainPlan(SETUP.setup_id, steps))[0].out
    begins = f"{START + timedelta(days=1):%Y-%m-%d %H:%M:%S} UTC"
    assert f"prepare_tls, waits for the maintenance window, from {begins} on" in out
    assert "configure_health_check: nothing to do" in out


def test_what_a_stage_tells_besides_is_shown_with_its_changes() -> None:
    change = Change("Ingress default/i", "spec.tls", ["theirs"], ["ours"])
    step = Step(Stage.CREATE_INGRESS, (change,), notice="left off the Ingress: Secret theirs [red]: expired")
    answer, _ = planned(ChainPlan(SETUP.setup_id, (step,)))
    assert "\n  ! left off the Ingress: Secret theirs [red]: expired\n" in answer.out


def test_hidden_values_are_said_to_change() -> None:
    change = Change("ConfigMap default/c", "data[user.yaml]", "<hidden>", "<hidden>")
    answer, _ = planned(ChainPlan(SETUP.setup_id, (Step(Stage.PREPARE_TLS, (change,)),)))
    assert "    ~ data[user.yaml]: changes; its values are not shown\n" in answer.out


def test_json_is_the_plan_as_it_is_stored() -> None:
    answer, operator = planned(PLAN, "-o", "json")
    (record,) = operator.engine.plans.stored.values()
    assert answer.out == f"{record.plan}\n"


@pytest.mark.parametrize(("plan", "code"), [(PLAN, 5), (EMPTY, 0)])
def test_exit_code_tells_changes_if_asked_to(plan: ChainPlan, code: int) -> None:
    assert planned(plan, "--exit-code")[0].code == code
    assert planned(plan)[0].code == 0


def test_setup_that_would_fail_is_told_with_meaning_and_remedy() -> None:
    answer, _ = planned(FAILING, reason=FAULT.reason, message=FAULT.message)
    assert answer.code == 3
    for said in (f"{FAULT.reason}: {FAULT.message}", FAULT.reason.meaning, FAULT.reason.remedy):
        assert said in answer.out
    assert answer.out.endswith("It would fail before it changes anything.\n")


def test_plan_that_cannot_be_made_is_told_with_meaning_and_remedy() -> None:
    reason = Reason.CLUSTER_NOT_FOUND
    answer, _ = planned(None, reason=reason, message="no such cluster")
    assert (answer.code, answer.out) == (3, "")
    for said in (f"{reason}: no such cluster", reason.meaning, reason.remedy):
        assert said in answer.err


def test_plan_that_is_not_made_in_time_is_an_error() -> None:
    operator = Operator()
    answer = operator.run("plan", "-f", "-", "--timeout", "5", typed=request().decode())
    assert answer.code == 4
    assert "No plan within 5 s" in answer.err
    assert (operator.engine.clock.now() - START).total_seconds() == 5


def test_setup_is_planned_by_its_stored_request() -> None:
    operator = Operator()
    operator.has(new_setup(backend_timeout_s=60))
    operator.run("plan", "my-release", "--timeout", "1")
    assert operator.published == [
        ("l7-setup-requested", json.loads(request(backend_timeout_s=60)) | {"dry_run": True})
    ]


@pytest.mark.parametrize("arguments", [("plan",), ("plan", "my-release", "-f", "-")])
def test_one_thing_is_planned(arguments: tuple[str, ...]) -> None:
    answer = Operator().run(*arguments, typed="{}")
    assert answer.code == 64
    assert "Nothing to plan." in answer.err
