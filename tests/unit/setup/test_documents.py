from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.api_core.datetime_helpers import DatetimeWithNanoseconds
from hypothesis import given
from hypothesis import strategies as st

from milvus_l7.adapters.setup import documents
from milvus_l7.adapters.setup.server_time import SERVER_TIME
from milvus_l7.domain.frontend.service_annotations import KEYS
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import StateUnavailable
from milvus_l7.domain.request.registration import repair
from milvus_l7.domain.setup.admission import Admission
from milvus_l7.domain.setup.budget import Budget
from milvus_l7.domain.setup.chain import SETUP_STAGES, Stage
from milvus_l7.domain.setup.desired import CertificateSpec, CertificateType, Desired, SetupId
from milvus_l7.domain.setup.document import (
    SCHEMA_VERSION,
    Cause,
    OrderMark,
    Refusal,
    Requested,
    Setup,
    StageRecord,
    StageState,
    Status,
    TearDown,
)
from milvus_l7.domain.setup.drift_report import DriftReport, Finding, Repair, Unobserved, Verdict
from milvus_l7.domain.setup.facts import (
    Adopted,
    CertificateFacts,
    Check,
    CheckState,
    Facts,
    ManagedFacts,
    PublishedRecord,
    ReleaseBefore,
    ServiceFacts,
)
from milvus_l7.domain.setup.lease import LEASE_MARGIN, Lease
from milvus_l7.domain.setup.maintenance_window import WEEK, MaintenanceWindow
from milvus_l7.domain.setup.outcome import Waiting
from milvus_l7.domain.setup.supervision import DriftPolicy, OnFailure, Supervision
from tests.builders import admission, after, begun, new_setup, requested_setup, trigger
from tests.fakes.state import START

moments = st.datetimes(datetime(2000, 1, 1), datetime(2500, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
words = st.text(max_size=20)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


names = st.lists(words, max_size=3).map(tuple)
reasons = st.sampled_from(list(Reason))
records = st.builds(
    StageRecord,
    st.sampled_from(list(StageState)),
    maybe(reasons),
    words,
    st.integers(0, 9),
    *[maybe(moments)] * 3,
    words,
)
checks = st.builds(Check, words, st.sampled_from(list(CheckState)), words, maybe(reasons), st.booleans())
befores = st.builds(
    ReleaseBefore,
    st.integers(1, 9),
    *[st.dictionaries(words, json_values, max_size=3)] * 2,
    *[maybe(words)] * 2,
)
facts = st.builds(
    Facts,
    service=maybe(st.builds(ServiceFacts, words, words, st.integers(1, 65535))),
    before=maybe(befores),
    annotations_before=maybe(st.dictionaries(st.sampled_from(KEYS), maybe(words))),
    certificate=maybe(st.builds(CertificateFacts, words, words, words, moments)),
    managed=maybe(st.builds(ManagedFacts, words, names)),
    address=maybe(words),
    published=st.lists(st.builds(PublishedRecord, *[words] * 3), max_size=2).map(tuple),
    adopted=st.lists(st.builds(Adopted, *[words] * 4), max_size=2).map(tuple),
    checklist=st.lists(checks, max_size=3).map(tuple),
    milvus_version=maybe(words),
)
certificates = st.builds(
    CertificateSpec,
    st.sampled_from(list(CertificateType)),
    maybe(words),
    st.integers(1, 99999),
    names,
    st.booleans(),
)
desireds = st.builds(Desired, *[words] * 4, certificates, st.integers(1, 86400), st.booleans(), maybe(words))
supervisions = st.builds(
    Supervision,
    st.sampled_from(list(DriftPolicy)),
    st.integers(60, 86400),
    *[st.booleans()] * 3,
    st.sampled_from(list(OnFailure)),
    maybe(st.builds(MaintenanceWindow, *[words] * 3, st.lists(st.sampled_from(WEEK), max_size=2).map(tuple))),
)
findings = st.builds(Finding, *[words] * 5, reasons, moments, words, st.booleans())
reports = st.builds(
    DriftReport,
    moments,
    st.sampled_from(list(Verdict)),
    st.lists(findings, max_size=2).map(tuple),
    st.lists(st.builds(Unobserved, words, reasons, words), max_size=2).map(tuple),
    st.lists(st.builds(Repair, words, st.integers(1, 3), moments), max_size=2).map(tuple),
    st.lists(moments, max_size=2).map(tuple),
)
causes = st.builds(Cause, st.sampled_from(list(Stage)), reasons, words)
budgets = st.builds(Budget, maybe(moments), st.integers(0, 600), st.integers(0, 10), maybe(moments))
stages = st.sampled_from(list(Stage))
marks = st.builds(OrderMark, moments, words)
leases = st.builds(
    Lease,
    stages,
    st.integers(0, 9),
    words,
    words,
    st.floats(0, 1e6, allow_nan=False),
    is_take_back=st.booleans(),
    started_at=moments,
    is_settled=st.booleans(),
)
anything = st.builds(
    Setup,
    words.map(SetupId),
    desireds,
    moments,
    moments,
    marks,
    requested=maybe(st.builds(Requested, desireds, st.integers(0, 99), records)),
    refusal=maybe(st.builds(Refusal, st.integers(0, 99), reasons, words, moments)),
    generation=st.integers(0, 99),
    desired_generation=st.integers(0, 99),
    run=st.integers(0, 99),
    executions=st.integers(0, 99),
    stages=st.just({}),
    budgets=st.dictionaries(stages, budgets, max_size=2),
    facts=facts,
    lease=maybe(leases),
    effect=maybe(stages),
    is_touched=st.booleans(),
    has_lost_lease=st.booleans(),
    wake_at=maybe(moments),
    poll_at=maybe(moments),
    paused_at=maybe(moments),
    verified_at=maybe(moments),
    teardown=maybe(st.builds(TearDown, st.booleans(), maybe(causes))),
    supervision=supervisions,
    drift=maybe(reports),
    check_at=maybe(moments),
    expires_at=maybe(moments),
)


@st.composite
def runs(draw: st.DrawFn) -> Setup:
    """A setup as the engine leaves it: stages that are done, then at most one that is under way."""
    setup = draw(anything)
    chain = setup.desired_chain
    done = draw(st.integers(0, len(chain)))
    found = {stage: replace(draw(records), state=StageState.DONE) for stage in chain[:done]}
    standing = {stage: draw(records) for stage in chain[done : done + draw(st.integers(0, 1))]}
    return replace(setup, stages={**found, **standing})


setups = runs()


def as_read(value: Any) -> Any:
    """What the Firestore client gives for a stored value."""
    if isinstance(value, dict):
        return {key: as_read(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_read(item) for item in value]
    if isinstance(value, datetime):
        return DatetimeWithNanoseconds.from_rfc3339(value.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
    return value


@given(setups)
def test_setup_survives_storing(setup: Setup) -> None:
    assert documents.from_document(as_read(documents.to_document(setup))) == setup


def test_a_document_from_before_google_managed_certificates_is_read() -> None:
    setup = new_setup()
    document = documents.to_document(setup)
    del document["facts"]["managed"], document["desired"]["dns_zone"]
    for field in ("domains", "recreate_failed"):
        del document["desired"]["certificate"][field]
    assert documents.from_document(as_read(document)) == setup


@given(setups)
def test_setup_that_was_read_can_be_stored_again(setup: Setup) -> None:
    document = documents.to_document(setup)
    assert documents.to_document(documents.from_document(as_read(document))) == document


def nested(value: Any) -> bool:
    """Whether a list holds a list, which Firestore refuses."""
    if isinstance(value, dict):
        return any(nested(item) for item in value.values())
    if isinstance(value, list | tuple):
        return any(isinstance(item, list | tuple) or nested(item) for item in value)
    return False


def names(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value).union(*(names(item) for item in value.values()))
    return set().union(*(names(item) for item in value)) if isinstance(value, list | tuple) else set()


@given(setups)
def test_document_is_one_that_firestore_can_hold(setup: Setup) -> None:
    document = documents.to_document(setup)
    assert not nested(document)
    assert "" not in names(document)


def test_every_document_has_the_same_top_level_fields() -> None:
    fresh = requested_setup()
    running = begun(fresh, Stage.PLAN_SETUP)
    assert documents.to_document(fresh).keys() == documents.to_document(running).keys()


def test_document_tells_its_reader_what_to_do() -> None:
    waiting = after(new_setup(), Stage.PREPARE_TLS, Waiting(Reason.PODS_CRASHING, "pod x"))
    document = documents.to_document(waiting)
    assert document["status"] == "waiting"
    assert document["stage"] == "prepare_tls"
    assert document["remedy"] == Reason.PODS_CRASHING.remedy


def test_values_that_are_not_json_are_kept_as_text() -> None:
    odd = {"when": START, "share": math.pi}
    setup = replace(new_setup(), facts=Facts(before=ReleaseBefore(1, odd, {})))
    before = documents.from_document(documents.to_document(setup)).facts.before
    assert before is not None
    assert before.values == {"when": str(START), "share": math.pi}


@pytest.mark.parametrize("version", [SCHEMA_VERSION + 2, 99, None, "1"])
def test_document_of_another_schema_is_not_read(version: object) -> None:
    document = documents.to_document(new_setup()) | {"schema_version": version}
    with pytest.raises(StateUnavailable, match="schema_version"):
        documents.from_document(document)


@pytest.mark.parametrize(
    "change",
    [
        {"generation": "1"},
        {"facts": None},
        {"created_at": "yesterday"},
        {"stages": {"prepare_tls": {"state": "no such state"}}},
        {"facts": {"before": {"revision": 1, "values": "{", "user_yaml": "{}"}}},
    ],
)
def test_document_that_is_not_readable_is_unavailable_not_a_crash(change: dict[str, object]) -> None:
    with pytest.raises(StateUnavailable, match="not readable"):
        documents.from_document(documents.to_document(new_setup()) | change)


def test_unknown_fields_of_a_document_are_ignored() -> None:
    setup = new_setup()
    document = documents.to_document(setup) | {"note": "by hand", "remedy": 7}
    assert documents.from_document(document) == setup
    assert setup.created_at - START == timedelta(0)


def test_document_of_the_next_version_is_read_without_what_it_has_more() -> None:
    setup = new_setup()
    newer = documents.to_document(setup) | {"schema_version": SCHEMA_VERSION + 1, "more": {"than": "we know"}}
    assert documents.from_document(newer) == replace(setup, schema_version=SCHEMA_VERSION + 1)


def test_start_of_a_lease_is_left_to_the_store_until_it_has_told_it() -> None:
    running = begun(new_setup(), Stage.PREPARE_TLS)
    assert running.lease is not None
    unstamped = replace(running, lease=replace(running.lease, started_at=None))
    assert documents.to_document(unstamped)["lease"]["started_at"] is SERVER_TIME
    assert documents.to_document(running)["lease"]["started_at"] == START


# Documents of the releases before, word for word as they were written.

DESIRED = {
    "cluster": "projects/p/locations/l/clusters/c",
    "release": "my-release",
    "domain": "my-release.milvus.io",
    "namespace": "default",
    "certificate": {"type": "self-managed", "secret": None, "validity_days": 99999},
    "backend_timeout_s": 3600,
    "deep_verification": False,
}
FACTS = {
    "service": {"name": "my-release-milvus", "port_name": "milvus", "port": 19530},
    "before": {"revision": 3, "values": '{"service.type": "LoadBalancer"}', "user_yaml": "{}"},
    "certificate": None,
    "address": "192.0.2.1",
    "checklist": [],
    "milvus_version": None,
}
VERSION_1 = {
    "schema_version": 1,
    "setup_id": "p.l.c.default.my-release",
    "desired": DESIRED,
    "created_at": START,
    "updated_at": START + timedelta(hours=1),
    "request_id": "17",
    "generation": 2,
    "run": 1,
    "token": 5,
    "stages": {
        "prepare_tls": {
            "state": "done",
            "reason": None,
            "message": "",
            "looks": 0,
            "started_at": START,
            "waiting_since": None,
            "finished_at": START,
        },
        "configure_health_check": {
            "state": "waiting",
            "reason": "ClusterUnavailable",
            "message": "503",
            "looks": 3,
            "started_at": START,
            "waiting_since": START,
            "finished_at": None,
        },
    },
    "facts": FACTS,
    "lease": None,
    "wake_at": START + timedelta(hours=2),
    "poll_at": START + timedelta(hours=2),
    "verified_at": None,
    "status": "waiting",
    "stage": "configure_health_check",
    "remedy": "wait",
}
VERSION_2 = VERSION_1 | {
    "schema_version": 2,
    "teardown": None,
    "supervision": {
        "policy": "repair",
        "interval_s": 900,
        "reissue_certificate": False,
        "paused": False,
        "on_failure": "keep",
    },
    "drift": {
        "checked_at": START,
        "verdict": "unknown",
        "findings": [],
        "unseen": [{"stage": "prepare_tls", "reason": "ClusterUnavailable", "message": "503"}],
        "repairs": [],
    },
    "check_at": None,
}
RUNNING_2 = VERSION_2 | {
    "status": "running",
    "stages": {"prepare_tls": VERSION_1["stages"]["prepare_tls"] | {"state": "running"}},  # type: ignore[index]
    "lease": {"stage": "prepare_tls", "token": 5, "owner": "x", "expires_at": START + timedelta(hours=1)},
    "wake_at": None,
}
VERIFIED_2 = VERSION_2 | {
    "status": "verified",
    "stages": {stage: {"state": "done"} for stage in SETUP_STAGES[1:]},
    "verified_at": START,
    "check_at": START + timedelta(hours=2),
    "wake_at": None,
    "poll_at": None,
}


@pytest.mark.parametrize("document", [VERSION_1, VERSION_2])
def test_document_of_an_earlier_version_is_read_as_this_release_would_have_written_it(
    document: dict[str, Any],
) -> None:
    setup = documents.from_document(as_read(document))
    assert (setup.desired.domain, setup.requested, setup.teardown) == ("my-release.milvus.io", None, None)
    assert (setup.generation, setup.desired_generation, setup.executions) == (2, 2, 5)
    assert (setup.current, setup.record(Stage.CONFIGURE_HEALTH_CHECK).attempts) == (
        Stage.CONFIGURE_HEALTH_CHECK,
        3,
    )
    assert setup.facts.before == ReleaseBefore(3, {"service.type": "LoadBalancer"}, {})
    assert (setup.is_touched, setup.wake_at) == (True, START + timedelta(hours=2))


def test_what_the_second_version_could_not_observe_is_kept() -> None:
    drift = documents.from_document(as_read(VERSION_2)).drift
    assert drift is not None
    assert drift.unobserved == (Unobserved("prepare_tls", Reason.CLUSTER_UNAVAILABLE, "503"),)


@pytest.mark.parametrize("document", [VERSION_1, VERSION_2, RUNNING_2, VERIFIED_2])
def test_old_document_has_the_id_of_its_last_request_and_a_time_that_it_may_be_of(
    document: dict[str, Any],
) -> None:
    order = documents.from_document(as_read(document)).order
    assert order == OrderMark(START, "17")


def test_old_document_is_not_older_than_the_run_that_its_last_wish_began() -> None:
    record = {"state": "done", "started_at": START + timedelta(days=30)}
    document = VERIFIED_2 | {"stages": dict.fromkeys(SETUP_STAGES[1:], record)}
    order = documents.from_document(as_read(document)).order
    assert order == OrderMark(START + timedelta(days=30), "17")


@pytest.mark.parametrize("document", [VERSION_1, VERSION_2, RUNNING_2, VERIFIED_2])
def test_no_lease_is_given_on_an_old_document_before_its_last_change_and_the_longest_old_lease(
    document: dict[str, Any],
) -> None:
    read = documents.from_document(as_read(document))
    setup = replace(read if read.current else repair(read, START), wake_at=None)
    assert setup.current is not None
    event = trigger(setup, setup.current)
    end = START + timedelta(hours=1, seconds=315) + LEASE_MARGIN
    assert admission(setup, event, setup.current, end) is Admission.BUSY
    assert admission(setup, event, setup.current, end + timedelta(seconds=1)) is Admission.RUN


def test_old_execution_that_may_have_died_is_no_crash() -> None:
    setup = documents.from_document(as_read(RUNNING_2))
    again = begun(setup, Stage.PREPARE_TLS, at=START + timedelta(hours=2))
    assert (again.has_lost_lease, again.budgets[Stage.PREPARE_TLS].crashes) == (False, 0)


def test_setup_that_was_verified_by_an_earlier_release_stays_verified_and_watched() -> None:
    setup = documents.from_document(as_read(VERIFIED_2))
    assert (setup.status, setup.was_verified) == (Status.VERIFIED, True)
    assert (setup.check_at, setup.poll_at) == (START + timedelta(hours=2), None)


@pytest.mark.parametrize("document", [VERSION_1, VERSION_2, RUNNING_2, VERIFIED_2])
def test_old_document_once_stored_is_read_the_same_way(document: dict[str, Any]) -> None:
    setup = documents.from_document(as_read(document))
    assert documents.from_document(as_read(documents.to_document(setup))) == setup
