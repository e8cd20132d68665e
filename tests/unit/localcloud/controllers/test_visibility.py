"""Whether the emulated Google issues a certificate for a domain."""

from __future__ import annotations

import pytest

from localcloud.controllers.certificates.visibility import DomainStatus, evaluate, is_allowed

DOMAIN = "milvus.example.org"
ADDRESS = "192.0.2.1"
Records = dict[tuple[str, str], tuple[str, ...]]


def status(records: Records, *addresses: str) -> DomainStatus:
    return evaluate(DOMAIN, addresses, lambda name, kind: records.get((name, kind), ()))


@pytest.mark.parametrize(
    ("records", "addresses", "expected"),
    [
        ({(DOMAIN, "A"): (ADDRESS,)}, [ADDRESS], DomainStatus.ACTIVE),
        ({(DOMAIN, "A"): (ADDRESS,)}, [], DomainStatus.FAILED_NOT_VISIBLE),
        ({}, [ADDRESS], DomainStatus.FAILED_NOT_VISIBLE),
        ({(DOMAIN, "A"): ("192.0.2.9",)}, [ADDRESS], DomainStatus.FAILED_NOT_VISIBLE),
        ({(DOMAIN, "A"): (ADDRESS, "192.0.2.9")}, [ADDRESS], DomainStatus.FAILED_NOT_VISIBLE),
        (
            {(DOMAIN, "A"): (ADDRESS,), (DOMAIN, "AAAA"): ("2001:db8::1",)},
            [ADDRESS],
            DomainStatus.FAILED_NOT_VISIBLE,
        ),
        (
            {(DOMAIN, "A"): (ADDRESS,), ("example.org", "CAA"): ('0 issue "other.example"',)},
            [ADDRESS],
            DomainStatus.FAILED_CAA_FORBIDDEN,
        ),
    ],
)
def test_a_domain_must_resolve_to_the_load_balancer_and_only_to_it_and_caa_must_allow_google(
    records: Records, addresses: list[str], expected: DomainStatus
) -> None:
    assert status(records, *addresses) is expected


def test_the_nearest_caa_record_set_alone_counts() -> None:
    records = {
        (DOMAIN, "A"): (ADDRESS,),
        (DOMAIN, "CAA"): ('0 issue "pki.goog"',),
        ("example.org", "CAA"): ('0 issue ";"',),
    }
    assert status(records, ADDRESS) is DomainStatus.ACTIVE


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ((), True),
        (('0 issue "pki.goog"',), True),
        (('0 issue "letsencrypt.org; accounturi=https://x"',), True),
        (('0 issue "other.example"', '0 ISSUE "Pki.Goog"'), True),
        (('0 issue ";"',), False),
        (('0 issue "other.example"',), False),
        (('0 issuewild ";"',), True),
        (('0 iodef "mailto:a@example.org"',), True),
        (('128 future "x"',), False),
        (('0 future "x"',), True),
    ],
)
def test_caa_allows_if_it_names_an_issuer_of_google_or_none_at_all(
    records: tuple[str, ...], expected: bool
) -> None:
    assert is_allowed(records) is expected
