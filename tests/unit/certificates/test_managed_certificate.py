"""Which ManagedCertificate a setup uses, and what the next one is called."""

from __future__ import annotations

from typing import Any

import pytest

from milvus_l7.domain.certificates import managed_certificate
from milvus_l7.domain.certificates.managed_certificate import ManagedView
from milvus_l7.domain.setup.desired import CertificateSpec, CertificateType
from tests.builders import desired

SERVICE = "my-release-milvus"
DOMAINS = ("my-release.milvus.io", "b.io")


def spec(**changes: Any) -> CertificateSpec:
    return CertificateSpec(CertificateType.GOOGLE_MANAGED, domains=("b.io",), **changes)


def one(number: int = 1, status: str = "", **changes: Any) -> ManagedView:
    name = f"{SERVICE}-tls" + (f"-{number}" if number > 1 else "")
    return ManagedView(**{"name": name, "domains": DOMAINS, "status": status, "is_ours": True, **changes})


def choose(*views: ManagedView, last: str | None = None, **changes: Any) -> str | None:
    found = managed_certificate.chosen(views, SERVICE, desired(certificate=spec(**changes)), last)
    return found.name.removeprefix(SERVICE) if found else None


def test_one_for_exactly_the_domains_is_used_in_whatever_order_it_names_them() -> None:
    assert choose(one(domains=("b.io", "my-release.milvus.io"))) == "-tls"


@pytest.mark.parametrize(
    "unfit",
    [
        one(domains=("my-release.milvus.io",)),
        one(domains=(*DOMAINS, "c.io")),
        one(is_ours=False),
        one(is_terminating=True),
        one(name="my-release-milvus-certificate"),
        one(name="another-milvus-tls"),
    ],
    ids=["fewer domains", "more domains", "foreign", "going", "other name", "of another service"],
)
def test_one_that_does_not_fit_is_not_used(unfit: ManagedView) -> None:
    assert choose(unfit) is None


def test_one_that_has_failed_for_good_is_replaced_only_if_asked() -> None:
    failed = one(status="ProvisioningFailedPermanently")
    assert choose(failed) == "-tls"
    assert choose(failed, recreate_failed=True) is None
    assert choose(failed, one(2), recreate_failed=True) == "-tls-2"


@pytest.mark.parametrize(
    "status", ["Provisioning", "ProvisioningFailed", "RenewalFailed", "Active", "new one"]
)
def test_one_that_may_still_be_issued_is_kept(status: str) -> None:
    assert choose(one(status=status), recreate_failed=True) == "-tls"


def test_of_several_the_issued_one_is_used_then_the_last_then_the_newest() -> None:
    assert choose(one(2), one(3, "Active"), one(4), last=f"{SERVICE}-tls-2") == "-tls-3"
    assert choose(one(2), one(3), one(4), last=f"{SERVICE}-tls-3") == "-tls-3"
    assert choose(one(2), one(10), one(3)) == "-tls-10"
    assert choose(one(2, "ProvisioningFailedPermanently"), one(1)) == "-tls"


@pytest.mark.parametrize(
    ("taken", "expected"),
    [
        ((), "-tls"),
        (("-tls",), "-tls-2"),
        (("-tls-2",), "-tls-3"),
        (("-tls", "-tls-9", "-tls-10"), "-tls-11"),
        (("-tls-x", "-tls-1", "-tls-02", "-tls-2-b", "-certificate"), "-tls"),
    ],
)
def test_a_new_one_is_numbered_after_all_others(taken: tuple[str, ...], expected: str) -> None:
    assert managed_certificate.next_name(SERVICE, [SERVICE + each for each in taken]) == SERVICE + expected


def test_the_names_of_other_services_count_for_nothing() -> None:
    assert managed_certificate.number("a", "ab-tls") is None
    assert managed_certificate.number("a", "a-tls-tls") is None
    assert managed_certificate.next_name("a", ["a-tls-tls-7", "b-tls-3"]) == "a-tls"


def test_a_managed_certificate_is_read() -> None:
    live = {
        "metadata": {
            "name": "m",
            "labels": {"app.kubernetes.io/managed-by": "milvus-l7"},
            "deletionTimestamp": "2026-01-01T00:00:00Z",
        },
        "spec": {"domains": ["a.io"]},
        "status": {"certificateStatus": "Active"},
    }
    assert managed_certificate.view(live) == ManagedView(
        "m", ("a.io",), "Active", is_ours=True, is_terminating=True
    )


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"metadata": None, "spec": None, "status": None},
        {"metadata": {"labels": "x"}, "spec": {"domains": "a.io"}, "status": {"certificateStatus": 5}},
        {"metadata": {"name": 7}, "spec": {"domains": [5]}, "status": []},
    ],
)
def test_odd_content_reads_as_nothing(odd: dict[str, Any]) -> None:
    assert managed_certificate.view(odd) == ManagedView("", (), "", is_ours=False)
