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
from milvus_l7.domain.frontend.service_annotations import KEYS
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import StateUnavailable
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.desired import CertificateSpec, CertificateType, Desired, SetupId
from milvus_l7.domain.setup.document import (
    SCHEMA_VERSION,
    Cause,
    Lease,
    Setup,
    StageRecord,
    StageState,
    TearDown,
)
from milvus_l7.domain.setup.drift_report import DriftReport, Finding, Repair, Unobserved, Verdict
from milvus_l7.domain.setup.facts import (
    CertificateFacts,
    Check,
    CheckState,
    Facts,
    ManagedFacts,
    ReleaseBefore,
    ServiceFacts,
)
from milvus_l7.domain.setup.outcome import Waiting
from milvus_l7.domain.setup.supervision import DriftPolicy, OnFailure, Supervision
from milvus_l7.domain.setup.transitions import Timing, begin, settle
from tests.builders import new_setup
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
)
checks = st.builds(Check, words, st.sampled_from(list(CheckState)), words, maybe(reasons), st.booleans())
befores = st.builds(ReleaseBefore, st.integers(1, 9), *[st.dictionaries(words, json_values, max_size=3)] * 2)
facts = st.builds(
    Facts,
    maybe(st.builds(ServiceFacts, words, words, st.integers(1, 65535))),
    maybe(befores),
    maybe(st.dictionaries(st.sampled_from(KEYS), maybe(words))),
    maybe(st.builds(CertificateFacts, words, words, words, moments)),
    maybe(st.builds(ManagedFacts, words, names)),
    maybe(words),
    st.lists(checks, max_size=3).map(tuple),
    maybe(words),
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
    st.booleans(),
    st.booleans(),
    st.sampled_from(list(OnFailure)),
)
findings = st.builds(Finding, *[words] * 5, reasons, moments, words, st.booleans())
reports = st.builds(
    DriftReport,
    moments,
    st.sampled_from(list(Verdict)),
    st.lists(findings, max_size=2).map(tuple),
    st.lists(st.builds(Unobserved, words, reasons, words), max_size=2).map(tuple),
    st.lists(st.builds(Repair, words, st.integers(1, 3), moments), max_size=2).map(tuple),
)
causes = st.builds(Cause, st.sampled_from(list(Stage)), reasons, words)
anything = st.builds(
    Setup,
    words.map(SetupId),
    desireds,
    moments,
    moments,
    words,
    *[st.integers(0, 99)] * 3,
    st.just({}),
    facts,
    maybe(st.builds(Lease, st.sampled_from(list(Stage)), st.integers(0, 9), words, moments)),
    *[maybe(moments)] * 3,
    maybe(st.builds(TearDown, st.booleans(), maybe(causes))),
    supervisions,
    maybe(reports),
    maybe(moments),
)


@st.composite
def runs(draw: st.DrawFn) -> Setup:
    """A setup as the engine leaves it: stages that are done, then at most one that is under way."""
    setup = draw(anything)
    done = draw(st.integers(0, len(setup.chain)))
    found = {stage: replace(draw(records), state=StageState.DONE) for stage in setup.chain[:done]}
    standing = {stage: draw(records) for stage in setup.chain[done : done + draw(st.integers(0, 1))]}
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
    fresh = new_setup()
    running = begin(fresh, Stage.PREPARE_TLS, "test", 60, START)
    assert documents.to_document(fresh).keys() == documents.to_document(running).keys()


def test_document_tells_its_reader_what_to_do() -> None:
    running = begin(new_setup(), Stage.PREPARE_TLS, "test", 60, START)
    waiting = settle(running, running.token, Waiting(Reason.PODS_CRASHING, "pod x"), Timing(START)).setup
    document = documents.to_document(waiting)
    assert document["status"] == "waiting"
    assert document["stage"] == "prepare_tls"
    assert document["remedy"] == Reason.PODS_CRASHING.remedy


def test_values_that_are_not_json_are_kept_as_text() -> None:
    odd = {"when": START, "share": math.pi}
    setup = Setup(
        SetupId("x"), new_setup().desired, START, START, "1", facts=Facts(before=ReleaseBefore(1, odd, {}))
    )
    before = documents.from_document(documents.to_document(setup)).facts.before
    assert before is not None
    assert before.values == {"when": str(START), "share": math.pi}


@pytest.mark.parametrize("version", [SCHEMA_VERSION + 1, 99, None, "1"])
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


def test_document_of_the_first_version_is_read_as_a_wanted_setup_with_the_defaults() -> None:
    setup = new_setup()
    stored = as_read(documents.to_document(setup))
    for field in ("teardown", "supervision", "drift", "check_at"):
        del stored[field]
    del stored["facts"]["annotations_before"]
    assert documents.from_document(stored | {"schema_version": 1}) == setup
