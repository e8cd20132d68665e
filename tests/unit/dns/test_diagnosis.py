"""Which records keep a certificate from being issued."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milvus_l7.domain.dns import diagnosis
from milvus_l7.domain.dns.diagnosis import CaaRecord, CaaRecords, Lookup
from milvus_l7.domain.reasons import Reason

ADDRESS = "192.0.2.1"


@pytest.mark.parametrize(
    ("found", "reason", "words"),
    [
        ((), Reason.DNS_RECORD_MISSING, "d.io does not resolve; create the record `d.io. A 192.0.2.1`"),
        (
            ("192.0.2.9",),
            Reason.DNS_ELSEWHERE,
            "d.io resolves to 192.0.2.9, but the load balancer is at 192.0.2.1; "
            "create the record `d.io. A 192.0.2.1` and remove what leads to 192.0.2.9",
        ),
        (("2001:db8::1",), Reason.DNS_ELSEWHERE, "create the record `d.io. A 192.0.2.1`"),
        ((ADDRESS, "192.0.2.9"), Reason.DNS_EXTRA_RECORD, "remove the A records that lead to 192.0.2.9"),
        (
            (ADDRESS, "2001:db8::1"),
            Reason.DNS_EXTRA_RECORD,
            "remove the AAAA records that lead to 2001:db8::1",
        ),
        ((ADDRESS, "192.0.2.9", "2001:db8::1"), Reason.DNS_EXTRA_RECORD, "remove the A and AAAA records"),
    ],
)
def test_records_that_are_wrong_are_told_with_what_to_change(
    found: tuple[str, ...], reason: Reason, words: str
) -> None:
    fault = diagnosis.address_fault("d.io", ADDRESS, Lookup(found))
    assert fault is not None
    assert fault.reason is reason
    assert words in fault.message


def test_record_that_is_there_is_not_asked_for() -> None:
    fault = diagnosis.address_fault("d.io", ADDRESS, Lookup((ADDRESS, "192.0.2.9")))
    assert fault is not None
    assert "create" not in fault.message


def test_address_alone_is_right() -> None:
    assert diagnosis.address_fault("d.io", ADDRESS, Lookup((ADDRESS,))) is None


def test_ipv6_load_balancer_needs_an_aaaa_record() -> None:
    assert diagnosis.record("d.io", "2001:db8::1") == "d.io. AAAA 2001:db8::1"


def test_many_addresses_are_shown_in_part() -> None:
    fault = diagnosis.address_fault("d.io", ADDRESS, Lookup(tuple(f"198.51.100.{n}" for n in range(9))))
    assert fault is not None
    assert "198.51.100.4 and 4 more" in fault.message
    assert "198.51.100.5" not in fault.message


def test_failed_lookup_is_no_missing_record() -> None:
    fault = diagnosis.address_fault("d.io", ADDRESS, Lookup(problem="d.io could not be looked up: Timeout"))
    assert fault is not None
    assert fault.reason is Reason.DNS_LOOKUP_FAILED


def caa(*records: tuple[int, str, str], name: str = "d.io") -> Lookup:
    return Lookup(caa=CaaRecords(name, tuple(CaaRecord(*record) for record in records)))


@pytest.mark.parametrize(
    "lookup",
    [
        Lookup(),
        caa((0, "issue", "pki.goog")),
        caa((0, "issue", "letsencrypt.org")),
        caa((0, "issue", " PKI.GOOG. ; cansignhttpexchanges=yes")),
        caa((0, "issue", "sectigo.com"), (0, "issue", "pki.goog")),
        caa((0, "ISSUE", "pki.goog"), (0, "issuewild", ";")),
        caa((0, "iodef", "mailto:x@d.io")),
        caa((128, "issue", "pki.goog"), (0, "unknown", "x")),
    ],
)
def test_records_that_let_google_issue_are_no_fault(lookup: Lookup) -> None:
    assert diagnosis.caa_fault("d.io", lookup) is None


@pytest.mark.parametrize("value", ["sectigo.com", ";", "", "pki.goog.evil.example", "; pki.goog"])
def test_records_that_forbid_are_shown_with_what_to_add(value: str) -> None:
    fault = diagnosis.caa_fault("d.io", caa((0, "issue", value)))
    assert fault is not None
    assert fault.reason is Reason.CAA_FORBIDS
    assert f'the CAA records of d.io allow only `0 issue "{value}"`' in fault.message
    assert '`d.io. CAA 0 issue "pki.goog"` and `d.io. CAA 0 issue "letsencrypt.org"`' in fault.message


def test_case_of_a_tag_does_not_matter() -> None:
    assert diagnosis.caa_fault("d.io", caa((0, "Issue", "sectigo.com"))) is not None


def test_records_of_a_parent_are_named_with_their_place() -> None:
    fault = diagnosis.caa_fault("a.d.io", caa((0, "issue", "sectigo.com"), name="d.io"))
    assert fault is not None
    assert "the CAA records of d.io, which count for a.d.io, allow only" in fault.message
    assert '`d.io. CAA 0 issue "pki.goog"`' in fault.message


def test_unknown_critical_tag_forbids() -> None:
    fault = diagnosis.caa_fault("d.io", caa((0, "issue", "pki.goog"), (128, "tbs", "Unknown")))
    assert fault is not None
    assert '`128 tbs "Unknown"`' in fault.message


def test_caa_that_could_not_be_looked_up_keeps_from_issuing_too() -> None:
    fault = diagnosis.caa_fault("d.io", Lookup(caa_problem="the CAA records of d.io ..."))
    assert fault is not None
    assert fault.reason is Reason.DNS_LOOKUP_FAILED


@given(st.lists(st.ip_addresses().map(str)))
def test_only_the_address_alone_is_right(found: list[str]) -> None:
    fault = diagnosis.address_fault("d.io", ADDRESS, Lookup(tuple(found)))
    assert (fault is None) == (set(found) == {ADDRESS})
