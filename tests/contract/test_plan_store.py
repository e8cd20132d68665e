"""Where plans are kept: the fake and the Firestore adapter behave alike.

Runs against Google's emulator if FIRESTORE_EMULATOR_HOST is set.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from localcloud.firestore import FirestoreEmulator
from milvus_l7.adapters.planning.firestore_plans import KEPT, FirestorePlans
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import StateUnavailable
from milvus_l7.domain.setup.desired import SetupId
from milvus_l7.ports import PlanRecord, Plans
from tests.fakes.plans import FakePlans
from tests.fakes.state import START

ASKED = PlanRecord("p.l.c.default.r.plan.17", SetupId("p.l.c.default.r"), '{"release": "r"}', START)


@pytest.fixture(scope="module")
def host() -> Iterator[str]:
    if given := os.environ.get("FIRESTORE_EMULATOR_HOST"):
        yield given
        return
    with FirestoreEmulator() as emulator:
        yield emulator.address


@pytest.fixture(params=["fake", "firestore"])
def plans(request: pytest.FixtureRequest, host: str, monkeypatch: pytest.MonkeyPatch) -> Plans:
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", host)
    return FakePlans() if request.param == "fake" else FirestorePlans(f"test-{uuid4().hex[:12]}")


def test_plan_that_nobody_asked_for_is_none(plans: Plans) -> None:
    assert plans.load("x.plan.1") is None


def test_what_was_made_is_kept_with_its_reason(plans: Plans) -> None:
    plans.request(ASKED)
    made = replace(ASKED, made_at=START, plan="{}", reason=Reason.MUTUAL_TLS, message="tlsMode 2")
    plans.store(made)
    assert plans.load(ASKED.plan_id) == made


def test_asking_again_does_not_undo_what_was_made(plans: Plans) -> None:
    plans.request(ASKED)
    plans.store(replace(ASKED, made_at=START, plan="{}"))
    plans.request(ASKED)
    found = plans.load(ASKED.plan_id)
    assert found is not None
    assert found.plan == "{}"


def test_record_of_another_release_is_unavailable(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", host)
    plans = FirestorePlans(f"test-{uuid4().hex[:12]}")
    plans._reference(ASKED.plan_id).set({"plan_id": 7})
    with pytest.raises(StateUnavailable, match="not readable"):
        plans.load(ASKED.plan_id)


def test_plan_is_kept_from_when_it_was_made(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A repair's request may be years old."""
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", host)
    plans, made_at = FirestorePlans(f"test-{uuid4().hex[:12]}"), START + timedelta(days=400)
    plans.store(replace(ASKED, made_at=made_at, plan="{}"))
    assert plans._reference(ASKED.plan_id).get().get("expires_at") == made_at + KEPT


def test_databases_of_one_project_keep_their_plans_apart(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", host)
    project = f"test-{uuid4().hex[:12]}"
    FirestorePlans(project, "milvus-l7").request(ASKED)
    assert FirestorePlans(project, "milvus-l7").load(ASKED.plan_id) == ASKED
    assert FirestorePlans(project).load(ASKED.plan_id) is None
