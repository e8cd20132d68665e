from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milvus_l7.domain.certificates.served_certificate import ServedCertificate
from milvus_l7.domain.dns.diagnosis import Lookup
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.condition import Condition
from milvus_l7.domain.setup import checks
from milvus_l7.domain.setup.facts import CertificateFacts, Check, CheckState, Facts, ManagedFacts
from milvus_l7.domain.setup.outcome import Done, Failed, Waiting
from milvus_l7.domain.text import excerpt
from milvus_l7.domain.verification import checklist

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DER = b"a certificate, as far as these checks go"
PEM = "-----BEGIN CERTIFICATE-----\n" + base64.b64encode(DER).decode() + "\n-----END CERTIFICATE-----\n"
PROVISIONED = CertificateFacts("tls", PEM, hashlib.sha256(DER).hexdigest(), NOW + timedelta(days=1))
OK = tuple(checks.passed(name, "ok") for name in ("certificate", "backends", "tls", "milvus"))


def secret(text: str) -> dict[str, Any]:
    return {"data": {"tls.crt": base64.b64encode(text.encode()).decode()}}


def test_provisioned_certificate_in_date_passes() -> None:
    assert checklist.certificate(secret(PEM), PROVISIONED, NOW).state is CheckState.PASSED


def test_leaf_of_a_chain_is_what_counts() -> None:
    chain = "Subject: CN=x\n" + PEM + PEM.replace("YSBj", "YiBj")
    assert checklist.leaf_sha256(chain) == PROVISIONED.sha256


@pytest.mark.parametrize(
    ("found", "now", "words"),
    [
        (None, NOW, "gone"),
        (secret(PEM.replace("YSBj", "YiBj")), NOW, "another certificate"),
        (secret(PEM), NOW + timedelta(days=1), "expired"),
        (secret("not PEM"), NOW, "holds no certificate"),
        (secret("-----END CERTIFICATE----------BEGIN CERTIFICATE-----"), NOW, "holds no certificate"),
        (
            secret("-----BEGIN CERTIFICATE-----\nAAAAA\n-----END CERTIFICATE-----"),
            NOW,
            "holds no certificate",
        ),
        ({}, NOW, "holds no certificate"),
        ({"data": None}, NOW, "holds no certificate"),
        ({"data": {"tls.crt": "%%%"}}, NOW, "holds no certificate"),
        ({"data": {"tls.crt": "gICA"}}, NOW, "holds no certificate"),
    ],
)
def test_secret_that_changed_fails_the_certificate(found: Any, now: datetime, words: str) -> None:
    check = checklist.certificate(found, PROVISIONED, now)
    assert check.reason is Reason.CERTIFICATE_INVALID
    assert words in check.message
    assert checklist.is_final(check)


def dns(*found: str) -> Check:
    return checklist.dns("d.io", "192.0.2.1", Lookup(found))


def test_dns_mismatch_names_the_record_to_create() -> None:
    check = dns("192.0.2.9")
    assert (check.state, check.reason) == (CheckState.FAILED, Reason.DNS_MISMATCH)
    assert "192.0.2.9" in check.message
    assert "`d.io. A 192.0.2.1`" in check.message


def test_failed_lookup_says_nothing_of_the_domain() -> None:
    check = checklist.dns("d.io", "192.0.2.1", Lookup(problem="d.io could not be looked up: Timeout"))
    assert (check.state, check.reason) == (CheckState.PENDING, Reason.DNS_LOOKUP_FAILED)
    assert not check.required


def test_dns_to_the_address_alone_passes() -> None:
    assert dns("192.0.2.1").state is CheckState.PASSED


def test_dns_is_never_required_for_self_managed_certificates() -> None:
    assert not dns().required
    assert not dns("192.0.2.1").required


def test_other_certificate_served_is_told_with_its_names() -> None:
    check = checklist.tls(ServedCertificate("f" * 64, ("default.example.org",)), PROVISIONED)
    assert check.reason is Reason.OTHER_CERTIFICATE_SERVED
    assert "default.example.org" in check.message


def test_provisioned_certificate_served_passes_whoever_distrusts_it() -> None:
    served = ServedCertificate(PROVISIONED.sha256, (), "self-signed certificate")
    assert checklist.tls(served, PROVISIONED).state is CheckState.PASSED


MANAGED = ManagedFacts("milvus-tls", ("d.io", "e.io"))


@pytest.mark.parametrize("names", [("D.IO", "e.io"), ("d.io",), ("x.io", "d.io")])
def test_trusted_certificate_for_the_domain_can_be_the_managed_one(names: tuple[str, ...]) -> None:
    served = ServedCertificate("f" * 64, names)
    assert checklist.managed_tls(served, "d.io", MANAGED, PROVISIONED).state is CheckState.PASSED
    assert checklist.managed_tls(served, "d.io", MANAGED, None).state is CheckState.PASSED


@pytest.mark.parametrize(
    ("served", "words"),
    [
        (ServedCertificate(PROVISIONED.sha256, ("d.io", "e.io")), "still the one of Secret tls"),
        (ServedCertificate("f" * 64, ("d.io",)), "does not cover e.io"),
        (ServedCertificate("f" * 64, ()), "no name, which does not cover e.io"),
        (
            ServedCertificate("f" * 64, ("d.io", "e.io"), "unable to get local issuer"),
            "unable to get local issuer",
        ),
    ],
)
def test_any_other_certificate_is_not_the_managed_one(served: ServedCertificate, words: str) -> None:
    check = checklist.managed_tls(served, "e.io", MANAGED, PROVISIONED)
    assert (check.state, check.reason) == (CheckState.FAILED, Reason.OTHER_CERTIFICATE_SERVED)
    assert words in check.message


WARNING = Condition(Reason.QUOTA_EXCEEDED, "Sync: quota")


@pytest.mark.parametrize(
    "check",
    [
        checks.pending("backends", Reason.BACKENDS_UNHEALTHY, "not reported"),
        checks.failed("tls", Reason.TLS_NOT_SERVED, "reset"),
    ],
)
def test_what_is_not_there_is_explained_by_the_controllers_warning(check: Check) -> None:
    assert checklist.explained(check, lambda: WARNING) == checks.failed(
        check.name, WARNING.reason, "Sync: quota"
    )
    assert checklist.explained(check, lambda: None) is check


@pytest.mark.parametrize(
    "check",
    [
        checks.passed("tls", "ok"),
        checks.failed("backends", Reason.SERVICE_NOT_FOUND, "gone"),
        checks.failed("tls", Reason.OTHER_CERTIFICATE_SERVED, "other"),
    ],
)
def test_what_is_there_is_not_explained_by_the_controllers_warning(check: Check) -> None:
    assert checklist.explained(check, lambda: WARNING) is check


def test_all_required_passed_is_done_whatever_the_optional_ones_say() -> None:
    facts = Facts(checklist=(*OK, dns()))
    assert checklist.outcome(facts) == Done(facts)


@given(st.permutations(["certificate", "backends", "tls", "milvus"]), st.integers(1, 4))
def test_first_required_item_that_has_not_passed_is_the_reason(names: list[str], bad: int) -> None:
    items = [checks.passed(name, "ok") for name in names]
    items[bad - 1] = checks.failed(names[bad - 1], Reason.TLS_NOT_SERVED, "first")
    items[bad:] = [checks.pending(name, Reason.ADDRESS_PENDING, "later") for name in names[bad:]]
    outcome = checklist.outcome(Facts(checklist=tuple(items)))
    assert isinstance(outcome, Waiting)
    assert (outcome.reason, outcome.message) == (Reason.TLS_NOT_SERVED, f"{names[bad - 1]}: first")


def test_what_waiting_does_not_heal_is_told_before_what_others_wait_for() -> None:
    rolling = checks.pending("rollout", Reason.ROLLOUT_IN_PROGRESS, "0 of 1")
    gone = checks.failed("certificate", Reason.CERTIFICATE_INVALID, "gone")
    outcome = checklist.outcome(Facts(checklist=(rolling, gone)))
    assert isinstance(outcome, Failed)
    assert outcome.reason is Reason.CERTIFICATE_INVALID


@pytest.mark.parametrize("reason", sorted(checklist.FINAL))
def test_what_only_a_new_run_heals_ends_the_wait(reason: Reason) -> None:
    facts = Facts(checklist=(checks.failed("backends", reason, "gone"),))
    assert isinstance(checklist.outcome(facts), Failed)


def test_milvus_answering_outranks_an_older_report_of_its_backends() -> None:
    old = checks.failed("backends", Reason.BACKENDS_UNHEALTHY, "reported UNHEALTHY")
    confirmed = checklist.confirmed(old)
    assert (confirmed.state, confirmed.reason) == (CheckState.PASSED, None)
    assert "reported UNHEALTHY" in confirmed.message


def test_report_that_agrees_is_left_as_it_is() -> None:
    assert checklist.confirmed(OK[1]) is OK[1]


def test_last_known_version_stays_when_milvus_does_not_answer() -> None:
    facts = replace(Facts(), milvus_version="v2.6.15")
    assert checklist.verified(facts, OK, None).milvus_version == "v2.6.15"
    assert checklist.verified(facts, OK, "v3").milvus_version == "v3"


def test_version_that_a_server_tells_is_bounded() -> None:
    assert len(checklist.verified(Facts(), OK, "v" * 4_000_000).milvus_version or "") == 100


@given(st.text(), st.integers(1, 50))
def test_excerpt_is_one_printable_line_within_its_limit(text: str, limit: int) -> None:
    shown = excerpt.excerpt(text, limit)
    assert len(shown) <= limit
    assert all(character.isprintable() for character in shown)


def test_messages_of_checks_are_bounded() -> None:
    check: Check = checks.failed("milvus", Reason.MILVUS_UNREACHABLE, "x" * 10_000 + "\n")
    assert len(check.message) == 600
