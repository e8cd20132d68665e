"""`milvus-l7 request`: what is published, what is refused, and what --watch waits for."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.setup.chain import SETUP_STAGES, Stage
from milvus_l7.domain.setup.document import OrderMark
from milvus_l7.domain.setup.outcome import Failed
from tests.builders import CLUSTER, after, new_setup, request, trigger
from tests.cli.setups import operator_of, refused, verified
from tests.fakes.engine import ScriptedWork
from tests.fakes.operator import Answer, Operator
from tests.fakes.state import START

YAML = f"cluster: {CLUSTER}\nrelease: my-release\ndomain: my-release.milvus.io\ndrift:\n  policy: repair\n"


def run_chain(operator: Operator, *outcomes: object) -> None:
    """Every stage runs once; the first ones with the given outcomes."""
    script = list(outcomes)
    for stage in SETUP_STAGES:
        work = ScriptedWork([script.pop(0)] if script else [])  # type: ignore[list-item]
        operator.engine.runner(stage, work).handle(trigger(operator.engine.only(), stage))


@pytest.mark.parametrize("text", [request(drift={"policy": "repair"}).decode(), YAML])
def test_json_and_yaml_are_published_alike(text: str, tmp_path: Path) -> None:
    operator, file = Operator(), tmp_path / "request"
    file.write_text(text)
    answer = operator.run("request", "-f", str(file))
    assert operator.published == [("l7-setup-requested", json.loads(request(drift={"policy": "repair"})))]
    assert (answer.code, answer.out.strip()) == (0, new_setup().setup_id)
    assert f"milvus-l7 status {new_setup().setup_id} --watch" in answer.err


def test_request_is_read_from_standard_input() -> None:
    operator = Operator()
    assert operator.run("request", "-f", "-", typed=YAML).code == 0
    assert len(operator.published) == 1


def test_each_problem_is_one_line_with_field_value_and_rule() -> None:
    operator = Operator()
    body = request(domain="Milvus", namespace="a_b").decode()
    answer = operator.run("request", "-f", "-", typed=body)
    lines = [line.strip() for line in answer.err.splitlines()]
    assert 'domain is "Milvus": must be lower case' in lines
    assert 'domain is "Milvus": must have at least one dot' in lines
    assert any(line.startswith('namespace is "a_b": must be a namespace name') for line in lines)
    assert (answer.code, operator.published) == (64, [])


@pytest.mark.parametrize("text", ["", "[1]", "a: b: c", "{", "*x", "a: \x00", "domain: [unclosed"])
def test_what_is_no_request_is_wrong_input(text: str) -> None:
    operator = Operator()
    answer = operator.run("request", "-f", "-", typed=text)
    assert (answer.code, operator.published, answer.out) == (64, [], "")
    assert answer.err


def test_file_that_is_not_there_is_named() -> None:
    answer = Operator().run("request", "-f", "/nowhere/request.json")
    assert answer.code == 64
    assert "/nowhere/request.json: No such file" in answer.err


def test_dry_run_is_sent_to_plan() -> None:
    operator = Operator()
    answer = operator.run("request", "-f", "-", typed=request(dry_run=True).decode())
    assert (answer.code, operator.published) == (64, [])
    assert "milvus-l7 plan -f FILE" in answer.err


def test_watch_ends_with_the_verified_setup() -> None:
    operator = Operator()
    operator.later = [operator.deliver, lambda: run_chain(operator)]
    answer = operator.run("request", "-f", "-", "--watch", typed=YAML)
    assert answer.code == 0
    assert "✓ verify_endpoint done" in answer.out


def test_watch_is_not_content_with_an_earlier_run() -> None:
    operator = operator_of(verified())
    failing = Failed(Reason.MUTUAL_TLS, "tlsMode is 2")
    operator.later = [lambda: None, operator.deliver, lambda: run_chain(operator, failing)]
    answer = operator.run("request", "-f", "-", "--watch", typed=request(domain="b.milvus.io").decode())
    assert answer.code == 3
    assert "MutualTls" in answer.out or str(Reason.MUTUAL_TLS) in answer.out


def refuse(operator: Operator) -> None:
    """The plan of what was requested last refuses it."""
    work = ScriptedWork([Failed(Reason.MUTUAL_TLS, "tlsMode is 2")])
    event = trigger(operator.engine.only(), Stage.PLAN_SETUP)
    operator.engine.runner(Stage.PLAN_SETUP, work).handle(event)


def watched(operator: Operator, **changes: object) -> Answer:
    return operator.run("request", "-f", "-", "--watch", typed=request(**changes).decode())


def test_watch_of_a_refused_request_fails_although_the_setup_goes_on_as_verified() -> None:
    operator = operator_of(verified())
    operator.later = [operator.deliver, lambda: refuse(operator)]
    answer = watched(operator, domain="b.milvus.io")
    assert operator.engine.only().status == "verified"
    assert answer.code == 3
    assert "verified, last request refused" in answer.out
    assert "generation 2 is refused: MutualTls: tlsMode is 2" in answer.out


def test_watch_of_a_refused_request_does_not_wait_for_the_chain_that_goes_on() -> None:
    operator = operator_of(after(new_setup(), Stage.PREPARE_TLS))
    operator.later = [operator.deliver, lambda: refuse(operator)]
    assert watched(operator, domain="b.milvus.io").code == 3
    assert operator.engine.only().current is Stage.CONFIGURE_HEALTH_CHECK


def test_watch_of_a_first_request_that_is_refused_fails() -> None:
    operator = Operator()
    operator.later = [operator.deliver, lambda: refuse(operator)]
    answer = watched(operator)
    assert answer.code == 3
    assert "✗ plan_setup failed" in answer.out


def test_refusal_of_an_earlier_request_is_none_of_this_one() -> None:
    operator = operator_of(refused(verified()))
    operator.later = [operator.deliver, lambda: run_chain(operator)]
    assert watched(operator, domain="b.milvus.io").code == 0


def test_watch_shows_the_plan_and_then_the_stages_of_what_was_requested() -> None:
    operator = operator_of(verified())
    operator.later = [operator.deliver, lambda: None, lambda: run_chain(operator)]
    answer = watched(operator, domain="b.milvus.io")
    lines = [line.split()[:3] for line in answer.out.splitlines() if line.startswith("  ✓")]
    assert lines[:6] == [["✓", str(stage), "done"] for stage in SETUP_STAGES]


def test_watch_of_a_superseded_request_ends() -> None:
    operator = operator_of(verified())

    def later_one() -> None:
        operator.engine.submit("m9", request(domain="c.milvus.io"))

    operator.later = [lambda: None, later_one]
    answer = watched(operator, domain="b.milvus.io")
    assert (answer.code, answer.out) == (1, "")
    assert "Superseded: a later request than message published-1 is accepted already (m9" in answer.err


def test_request_that_was_published_before_is_waited_past() -> None:
    operator = operator_of(verified())

    def earlier_one() -> None:
        operator.engine.submit("m0", request(domain="c.milvus.io"), START - timedelta(seconds=1))

    operator.has(replace(operator.engine.only(), order=OrderMark(START - timedelta(hours=1), "m")))
    operator.later = [earlier_one, operator.deliver, lambda: run_chain(operator)]
    assert watched(operator, domain="b.milvus.io").code == 0


def test_watch_of_a_message_that_is_not_registered_is_an_error() -> None:
    operator = operator_of(verified())
    answer = operator.run("request", "-f", "-", "--watch", typed=YAML)
    assert answer.code == 4
    assert "l7-setup-requested" in answer.err


def test_watch_ends_with_a_pause() -> None:
    operator = Operator()
    operator.later = [operator.deliver]
    answer = operator.run("request", "-f", "-", "--watch", typed=request(paused=True).decode())
    assert answer.code == 2
    assert "It is paused" in answer.out
