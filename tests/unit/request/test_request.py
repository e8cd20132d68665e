"""What is and what is not a request."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.request.request import MAX_BODY_BYTES, Refused, SetupSpec, json_schema, parse
from milvus_l7.domain.request.schema import Request, TearDownRequest
from milvus_l7.domain.setup.desired import CertificateSpec, CertificateType
from milvus_l7.domain.setup.maintenance_window import WEEK, MaintenanceWindow
from milvus_l7.domain.setup.supervision import Supervision
from tests.builders import CLUSTER, desired, request

FIELDS = ("cluster", "release", "domain", "namespace", "on_failure", "dry_run", "schema_version")


def refusal(body: bytes | None) -> Refused:
    with pytest.raises(Refused) as caught:
        parse(body)
    return caught.value


def managed(**certificate: object) -> dict[str, object]:
    return {"certificate": {"type": "google-managed", **certificate}}


def test_three_fields_are_enough() -> None:
    assert parse(request()) == SetupSpec(desired(), Supervision())


def test_every_field_can_be_given() -> None:
    body = request(
        namespace="milvus",
        certificate={"type": "self-managed", "secret": "my-tls", "validity_days": 90},
        backend_timeout_s=60,
        verification={"deep": True},
        schema_version=1,
    )
    assert parse(body).desired == desired(
        namespace="milvus",
        certificate=CertificateSpec(secret="my-tls", validity_days=90),
        backend_timeout_s=60,
        deep_verification=True,
    )


def window(**fields: object) -> bytes:
    return request(maintenance_window={"start_time": "02:00", "end_time": "04:00", **fields})


def test_maintenance_window_is_daily_and_in_utc_unless_more_is_said() -> None:
    assert parse(window()).supervision.maintenance_window == MaintenanceWindow("02:00", "04:00")
    asked = window(time_zone="Europe/Berlin", days=["SU", "SA", "SU"])
    expected = MaintenanceWindow("02:00", "04:00", "Europe/Berlin", ("SA", "SU"))
    assert parse(asked).supervision.maintenance_window == expected


def test_all_days_are_as_good_as_none() -> None:
    assert parse(window(days=WEEK)) == parse(window())


@pytest.mark.parametrize(
    ("end", "rule"),
    [
        ("02:00", "must differ from start_time"),
        ("02:14", "must be 15 minutes or more after start_time"),
        ("2 am", "must be a time of day, HH:MM"),
    ],
)
def test_empty_or_short_window_is_refused(end: str, rule: str) -> None:
    (problem,) = refusal(window(end_time=end)).problems
    assert (problem.field, problem.rule) == ("maintenance_window.end_time", rule)


@pytest.mark.parametrize("zone", ["Mars/Olympus", "America", "../Europe/Berlin", "Europe/Berlin\x00"])
def test_unknown_time_zone_is_refused(zone: str) -> None:
    (problem,) = refusal(window(time_zone=zone)).problems
    assert problem.rule == "must be IANA's name of a time zone, such as Europe/Berlin"


def test_unknown_day_is_refused_with_those_that_there_are() -> None:
    (problem,) = refusal(window(days=["sat"])).problems
    assert (problem.field, problem.rule) == (
        "maintenance_window.days[0]",
        "must be one of: MO, TU, WE, TH, FR, SA, SU",
    )


def test_a_google_managed_certificate_can_be_asked_for_with_all_its_fields() -> None:
    zone = "projects/milvus-testing-nonprod/managedZones/milvus-io"
    more = managed(domains=["b.milvus.io", "a.milvus.io"], recreate_failed=True)
    spec = CertificateSpec(
        CertificateType.GOOGLE_MANAGED, domains=("b.milvus.io", "a.milvus.io"), recreate_failed=True
    )
    assert parse(request(**more, dns={"managed_zone": zone})).desired == desired(
        certificate=spec, dns_zone=zone
    )


def test_repeated_domains_count_once() -> None:
    found = parse(request(**managed(domains=["my-release.milvus.io", "a.io", "a.io"])))
    assert found == parse(request(**managed(domains=["a.io"])))
    assert found.desired.domains == ("my-release.milvus.io", "a.io")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (None, Reason.BODY_MISSING),
        (b"", Reason.BODY_MISSING),
        (b" \n", Reason.BODY_MISSING),
        (b"{", Reason.NOT_JSON),
        (b"\xff\xfe{}", Reason.NOT_JSON),
        (b'{"release": "\xc3\x28"}', Reason.NOT_JSON),
        (b"[]", Reason.NOT_AN_OBJECT),
        (b"null", Reason.NOT_AN_OBJECT),
        (b'"request"', Reason.NOT_AN_OBJECT),
        (b" " * MAX_BODY_BYTES + b"{}", Reason.BODY_TOO_LARGE),
        (b"x" * 10_000_000, Reason.BODY_TOO_LARGE),
        (b"[" * 974, Reason.BODY_TOO_LARGE),
        (b'{"dns":' * 974, Reason.BODY_TOO_LARGE),
        (request(domain=[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]), Reason.BODY_TOO_LARGE),
        (request(domain=["a"] * 12_000), Reason.INVALID_REQUEST),
        (request(domain=[0] * 21_000), Reason.BODY_TOO_LARGE),
        (request(backend_timeout_s=10**401), Reason.BODY_TOO_LARGE),
        (request(schema_version=10**300), Reason.UNKNOWN_SCHEMA_VERSION),
        (request(backend_timeout_s=float("nan")), Reason.NOT_JSON),
        (b'{"backend_timeout_s": 1e999}', Reason.BODY_TOO_LARGE),
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
        ({"certificate": {"type": "x"}}, "certificate.type", "must be one of: self-managed, google-managed"),
        ({"certificate": {"validity_days": 0}}, "certificate.validity_days", "Expected int >= 1"),
        ({"certificate": {"validity_days": None}}, "certificate.validity_days", "Expected int, got null"),
        (managed(domains="a.io"), "certificate.domains", "Expected array, got str"),
        (managed(domains=[5]), "certificate.domains[0]", "Expected str, got int"),
        (managed(recreate_failed="yes"), "certificate.recreate_failed", "Expected bool, got str"),
        ({"dns": {}}, "dns.managed_zone", "is required"),
        ({"verification": {"depth": 1}}, "verification.depth", "is not a known field"),
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
    ("domain", "rule"),
    [
        ("Upper.example.com", "lower case"),
        ("*.example.com", "wildcard"),
        ("example.com.", "end with a dot"),
        ("192.0.2.1", "not an IP address"),
        ("2001:db8::1", "at least one dot"),
        ("x" * 64 + ".example.com", "at most 63 characters between dots"),
        ("x" * 30 + "." + "y" * 30 + ".io", "at most 63 characters for a Google-managed"),
        ("example.c", "two or more characters"),
        ("example.1a", "begins with a letter"),
    ],
)
def test_domain_that_google_issues_nothing_for_is_refused_by_its_field(domain: str, rule: str) -> None:
    for body, field in (
        (request(**managed(), domain=domain), "domain"),
        (request(**managed(domains=["ok.example.com", domain])), "certificate.domains[1]"),
    ):
        refused = refusal(body)
        assert refused.reason is Reason.INVALID_VALUE
        assert {problem.field for problem in refused.problems} == {field}
        assert any(rule in problem.rule for problem in refused.problems)


@pytest.mark.parametrize("domain", ["x" * 30 + "." + "y" * 30 + ".io", "example.c"])
def test_only_google_managed_domains_are_that_narrow(domain: str) -> None:
    assert parse(request(domain=domain)).desired.domain == domain


def test_a_hundred_domains_are_allowed_in_all_and_no_more() -> None:
    many = [f"d{number}.example.com" for number in range(100)]
    assert len(parse(request(**managed(domains=many[:99]))).desired.domains) == 100
    (problem,) = refusal(request(**managed(domains=many))).problems
    assert (problem.field, "at most 100" in problem.rule) == ("certificate.domains", True)


def test_a_flood_of_bad_domains_is_one_problem() -> None:
    assert len(refusal(request(**managed(domains=["-"] * 10_000))).problems) == 1


@pytest.mark.parametrize(
    ("certificate", "field"),
    [
        ({"type": "google-managed", "secret": "s"}, "certificate.secret"),
        ({"type": "google-managed", "validity_days": 99999}, "certificate.validity_days"),
        ({"type": "self-managed", "domains": []}, "certificate.domains"),
        ({"recreate_failed": False}, "certificate.recreate_failed"),
    ],
)
def test_a_field_of_the_other_type_is_refused_by_name(certificate: dict[str, object], field: str) -> None:
    (problem,) = refusal(request(certificate=certificate)).problems
    assert (problem.field, "does not go with type" in problem.rule) == (field, True)


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
        {"dns": {"managed_zone": "my-zone"}},
        {"dns": {"managed_zone": "projects/milvus-testing-nonprod/managedZones/Z"}},
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


@pytest.mark.parametrize("field", FIELDS)
def test_half_a_character_is_refused_by_its_field(field: str) -> None:
    refused = refusal(request(**{field: "a\ud800"}))
    assert refused.reason is Reason.INVALID_VALUE
    (problem,) = refused.problems
    assert (problem.field, "surrogate" in problem.rule) == (field, True)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"certificate": {"secret": "\udfff"}}, "certificate.secret"),
        ({"certificate": {"domains": ["a.io", "\ud800.io"]}}, "certificate.domains[1]"),
        ({"x\ud800": 1}, "x"),
        ({"x" * 500 + "\ud800": 1}, "x" * 79 + "…"),
    ],
)
def test_half_a_character_is_found_wherever_it_is(changes: dict[str, object], field: str) -> None:
    (problem,) = refusal(request(**changes)).problems
    assert problem.field == field


@given(st.binary(max_size=200))
def test_no_bytes_crash_the_parser(body: bytes) -> None:
    with pytest.raises(Refused):
        parse(body)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.sampled_from(["cluster", "release", "domain", "namespace", "certificate", "dns", "other"]), json_values
)
def test_any_json_in_any_field_is_accepted_or_refused(field: str, value: object) -> None:
    try:
        parse(request(**{field: value}))
    except Refused as refused:
        assert refused.reason in (Reason.INVALID_REQUEST, Reason.INVALID_VALUE)
        assert len(json.dumps([(p.field, p.value, p.rule) for p in refused.problems])) < 2000


def test_exported_schema_is_the_one_that_is_enforced() -> None:
    docs = Path(__file__).parents[3] / "docs"
    for name, schema in {"request": Request, "teardown": TearDownRequest}.items():
        exported = (docs / f"{name}.schema.json").read_text(encoding="utf-8")
        assert json.loads(exported) == json_schema(schema)
