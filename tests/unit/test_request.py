"""What is and what is not a request."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.reasons import Reason
from shared.domain.request import MAX_BODY_BYTES, Refused, json_schema, parse
from shared.domain.setup import CertificateSpec
from tests.builders import CLUSTER, desired, request

DEEP = b"[" * 100_000


def refusal(body: bytes | None) -> Refused:
    with pytest.raises(Refused) as caught:
        parse(body)
    return caught.value


def test_three_fields_are_enough() -> None:
    assert parse(request()) == desired()


def test_every_field_can_be_given() -> None:
    body = request(
        namespace="milvus",
        certificate={"type": "self-managed", "secret": "my-tls", "validity_days": 90},
        backend_timeout_s=60,
        verification={"deep": True},
        schema_version=1,
    )
    assert parse(body) == desired(
        namespace="milvus",
        certificate=CertificateSpec(secret="my-tls", validity_days=90),
        backend_timeout_s=60,
        deep_verification=True,
    )


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (None, Reason.BODY_MISSING),
        (b"", Reason.BODY_MISSING),
        (b" \n", Reason.BODY_MISSING),
        (b"{", Reason.NOT_JSON),
        (b"\xff\xfe{}", Reason.NOT_JSON),
        (b'{"release": "\xc3\x28"}', Reason.NOT_JSON),
        (DEEP[:50_000], Reason.NOT_JSON),
        (b"[]", Reason.NOT_AN_OBJECT),
        (b"null", Reason.NOT_AN_OBJECT),
        (b'"request"', Reason.NOT_AN_OBJECT),
        (b" " * MAX_BODY_BYTES + b"{}", Reason.BODY_TOO_LARGE),
        (b"x" * 10_000_000, Reason.BODY_TOO_LARGE),
        (request(schema_version=2), Reason.UNKNOWN_SCHEMA_VERSION),
        (request(schema_version="1"), Reason.UNKNOWN_SCHEMA_VERSION),
        (request(schema_version=True), Reason.UNKNOWN_SCHEMA_VERSION),
        (request(schema_version=None), Reason.UNKNOWN_SCHEMA_VERSION),
    ],
)
def test_body_that_is_no_request_is_refused_by_name(body: bytes | None, reason: Reason) -> None:
    assert refusal(body).reason is reason


@pytest.mark.parametrize(
    ("changes", "field", "rule"),
    [
        ({"domian": "x"}, "domian", "is not a known field"),
        ({"domain": ...}, "domain", "is required"),
        ({"domain": 5}, "domain", "Expected str, got int"),
        ({"release": None}, "release", "Expected str, got null"),
        ({"certificate": []}, "certificate", "Expected object, got array"),
        ({"certificate": {"kind": "x"}}, "certificate.kind", "is not a known field"),
        ({"certificate": {"type": "x"}}, "certificate.type", "must be one of: self-managed"),
        ({"certificate": {"validity_days": 0}}, "certificate.validity_days", "Expected int >= 1"),
        ({"verification": {"deep": "yes"}}, "verification.deep", "Expected bool, got str"),
        ({"backend_timeout_s": 86401}, "backend_timeout_s", "Expected int <= 86400"),
    ],
)
def test_wrong_structure_is_refused_with_the_field(changes: dict[str, object], field: str, rule: str) -> None:
    refused = refusal(request(**changes))
    assert refused.reason is Reason.INVALID_REQUEST
    assert [(p.field, p.rule) for p in refused.problems] == [(field, rule)]


@pytest.mark.parametrize(
    ("domain", "rule"),
    [
        ("Upper.example.com", "lower case"),
        ("*.example.com", "wildcard"),
        ("localhost", "at least one dot"),
        ("example.com.", "end with a dot"),
        ("192.0.2.1", "not an IP address"),
        ("x" * 64 + ".example.com", "at most 63"),
        ("a..example.com", "no label empty"),
        ("-a.example.com", "beginning or ending"),
        ("bücher.example.com", "consist of a-z"),
        ("example.com\n", "consist of a-z"),
        (".".join(["a" * 49] * 6), "at most 253"),
        ("", "at least one dot"),
    ],
)
def test_domain_that_no_certificate_can_name_is_refused(domain: str, rule: str) -> None:
    refused = refusal(request(domain=domain))
    assert refused.reason is Reason.INVALID_VALUE
    assert any(rule in problem.rule for problem in refused.problems)


@pytest.mark.parametrize(
    "changes",
    [
        {"cluster": "milvus"},
        {"cluster": CLUSTER + "/"},
        {"cluster": CLUSTER.replace("us-central1-a", "nowhere")},
        {"release": "My-Release"},
        {"release": "a" * 54},
        {"release": "a\n"},
        {"namespace": "a.b"},
        {"namespace": "../kube-system"},
        {"certificate": {"secret": "a/b"}},
    ],
)
def test_name_that_breaks_its_rule_is_refused(changes: dict[str, object]) -> None:
    assert refusal(request(**changes)).reason is Reason.INVALID_VALUE


def test_all_broken_rules_are_told_at_once() -> None:
    refused = refusal(request(cluster="milvus", release="_", namespace="_", domain="_"))
    assert {problem.field for problem in refused.problems} == {"cluster", "release", "namespace", "domain"}


def test_value_of_an_unknown_field_is_not_shown_back() -> None:
    refused = refusal(request(private_key="-----BEGIN PRIVATE KEY-----"))
    assert "BEGIN" not in repr(refused.problems)


def test_long_value_is_cut_where_it_is_shown_back() -> None:
    (problem,) = refusal(request(release="x" * 5000)).problems
    assert len(problem.value) == 80


@given(st.binary(max_size=200))
def test_no_bytes_crash_the_parser(body: bytes) -> None:
    with pytest.raises(Refused):
        parse(body)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(["cluster", "release", "domain", "namespace", "certificate", "other"]), json_values)
def test_any_json_in_any_field_is_accepted_or_refused(field: str, value: object) -> None:
    try:
        parse(request(**{field: value}))
    except Refused as refused:
        assert refused.reason in (Reason.INVALID_REQUEST, Reason.INVALID_VALUE)


def test_exported_schema_is_the_one_that_is_enforced() -> None:
    exported = Path(__file__).parents[2] / "docs" / "request.schema.json"
    assert json.loads(exported.read_text(encoding="utf-8")) == json_schema()
