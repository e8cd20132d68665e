"""Why a Google-managed certificate is not in use yet: one test for every cause."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milvus_l7.adapters.frontend.ingress_observation import IngressObservation
from milvus_l7.domain.dns.diagnosis import CaaRecord, CaaRecords, Lookup
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.condition import Condition
from milvus_l7.domain.setup.facts import Check, CheckState, ManagedFacts, ServiceFacts
from milvus_l7.domain.verification import issuance
from milvus_l7.domain.verification.issuance import CertificateObservation

ADDRESS = "192.0.2.1"
A, B = "a.example.org", "b.example.org"
NAME, CERTIFICATE = "milvus-tls", "mcrt-0b6a4b0c-5d3c-4c55-9d0f-7a3a1f9e8d11"
RIGHT = Lookup((ADDRESS,))
FORBIDDEN = Lookup((ADDRESS,), CaaRecords("example.org", (CaaRecord(0, "issue", "sectigo.com"),)))
WARNING = Condition(Reason.NO_FRONT_END, "Sync: both HTTP and HTTPS are disabled")


def managed(status: str, states: dict[str, str] | None = None, **changes: Any) -> dict[str, Any]:
    """A ManagedCertificate; `states`: by domain, all those of `status` when not given."""
    each = states if states is not None else dict.fromkeys((A, B), status)
    reported = {
        "certificateName": CERTIFICATE,
        "certificateStatus": status,
        "domainStatus": [{"domain": domain, "status": state} for domain, state in each.items()],
        "expireTime": "2026-04-01T00:00:00.000-07:00",
    }
    return {
        "metadata": {"name": NAME, "labels": {"app.kubernetes.io/managed-by": "milvus-l7"}},
        "spec": {"domains": [A, B]},
        "status": reported | changes,
    }


def ingress(names: str = NAME, pre_shared: str = CERTIFICATE) -> IngressObservation:
    annotations = {
        "networking.gke.io/managed-certificates": names,
        "ingress.gcp.kubernetes.io/pre-shared-cert": pre_shared,
    }
    return observed({"metadata": {"annotations": annotations}})


def observed(live: Any) -> IngressObservation:
    return IngressObservation(ServiceFacts("milvus", "milvus", 19530), live, None, tuple, lambda _: ())


def scene(live: dict[str, Any] | None, **changes: Any) -> CertificateObservation:
    """All is right but for `live` and `changes`; `a` and `b` are the look-ups of the two domains."""
    lookups = {A: changes.pop("a", RIGHT), B: changes.pop("b", RIGHT)}
    warning, there = changes.pop("warning", None), changes.pop("ingress", ingress())
    fine = CertificateObservation(
        ManagedFacts(NAME, (A, B)), ADDRESS, live, there.attached, there.loaded, lambda: warning, lookups
    )
    return replace(fine, **changes)


def told(check: Check, reason: Reason, *words: str) -> None:
    assert check.reason is reason
    assert check.required
    for each in words:
        assert each in check.message


def test_certificate_that_is_active_for_every_domain_passes() -> None:
    check = issuance.certificate(scene(managed("Active")))
    assert check.state is CheckState.PASSED
    assert "2026-04-01" in check.message


def test_certificate_that_is_gone_needs_a_new_run() -> None:
    told(issuance.certificate(scene(None)), Reason.MANAGED_CERTIFICATE_GONE, f"{NAME} is gone")


def test_certificate_that_is_being_deleted_is_gone() -> None:
    going = managed("Active")
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    told(issuance.certificate(scene(going)), Reason.MANAGED_CERTIFICATE_GONE)


def test_certificate_whose_domains_somebody_edited_needs_a_new_run() -> None:
    edited = managed("Active") | {"spec": {"domains": [A, "c.example.org"]}}
    told(issuance.certificate(scene(edited)), Reason.MANAGED_CERTIFICATE_GONE, "c.example.org")


def test_permanent_failure_is_told_with_what_is_behind_it() -> None:
    failed = managed("ProvisioningFailedPermanently", {A: "FailedNotVisible", B: "Provisioning"})
    check = issuance.certificate(scene(failed, a=Lookup()))
    told(check, Reason.CERTIFICATE_FAILED_PERMANENTLY, f"{A} FailedNotVisible", f"`{A}. A {ADDRESS}`")
    assert check.reason is not None
    assert '"recreate_failed": true' in check.reason.remedy


def test_permanent_failure_counts_whether_attached_or_not() -> None:
    found = scene(managed("ProvisioningFailedPermanently"), ingress=ingress("", ""))
    told(issuance.certificate(found), Reason.CERTIFICATE_FAILED_PERMANENTLY)


@pytest.mark.parametrize("status", ["Active", "Provisioning"])
@pytest.mark.parametrize("names", ["", "milvus-tsl", "other,milvus-tls-2"])
def test_name_that_the_ingress_lacks_is_told_with_those_it_has(names: str, status: str) -> None:
    check = issuance.certificate(scene(managed(status), ingress=ingress(names)))
    shown = names.replace(",", ", ") or "nothing"
    told(check, Reason.CERTIFICATE_NOT_ATTACHED, f"names {shown}, not {NAME}", "publish the request again")


@pytest.mark.parametrize("pre_shared", ["", "mcrt-other"])
def test_certificate_that_is_not_on_the_load_balancer_is_told_by_name(pre_shared: str) -> None:
    check = issuance.certificate(scene(managed("Provisioning"), ingress=ingress(NAME, pre_shared)))
    told(check, Reason.CERTIFICATE_NOT_ATTACHED, CERTIFICATE)
    assert check.state is CheckState.PENDING


def test_certificate_that_nobody_has_taken_up_is_not_attached() -> None:
    check = issuance.certificate(scene(managed("", {}, certificateName="")))
    told(check, Reason.CERTIFICATE_NOT_ATTACHED, "has not taken up")


def test_missing_certificate_of_somebody_else_that_blocks_ours_is_the_cause() -> None:
    missing = Condition(
        Reason.MANAGED_CERTIFICATE_MISSING, "MissingCertificate: ManagedCertificate d:x missing"
    )
    blocked = scene(managed("Provisioning"), ingress=ingress(f"{NAME},x", ""), warning=missing)
    told(issuance.certificate(blocked), Reason.MANAGED_CERTIFICATE_MISSING, "d:x missing")


WAITING = managed("Provisioning", {A: "Active", B: "FailedNotVisible"})


def test_domain_without_a_record_is_told_with_the_record() -> None:
    check = issuance.certificate(scene(WAITING, b=Lookup()))
    told(check, Reason.DNS_RECORD_MISSING, f"{B} does not resolve", f"`{B}. A {ADDRESS}`")


def test_domain_that_leads_elsewhere_is_told_with_both_addresses() -> None:
    check = issuance.certificate(scene(WAITING, b=Lookup(("203.0.113.7",))))
    told(check, Reason.DNS_ELSEWHERE, "203.0.113.7", ADDRESS)


def test_extra_aaaa_record_is_told() -> None:
    check = issuance.certificate(scene(WAITING, b=Lookup((ADDRESS, "2001:db8::1"))))
    told(check, Reason.DNS_EXTRA_RECORD, "AAAA", "2001:db8::1")


def test_other_domains_with_wrong_records_are_named_too() -> None:
    check = issuance.certificate(scene(managed("Provisioning"), a=Lookup(), b=Lookup(("203.0.113.7",))))
    told(check, Reason.DNS_RECORD_MISSING, f"{A} does not resolve", f"1 more of 2 domains: {B}")


def test_records_of_a_domain_that_is_active_are_not_blamed_on_the_certificate() -> None:
    check = issuance.certificate(scene(WAITING, a=Lookup(("203.0.113.7",))))
    told(check, Reason.CERTIFICATE_PROVISIONING)


def test_wrong_record_outranks_a_lookup_that_failed() -> None:
    found = scene(managed("Provisioning"), a=Lookup(problem=f"{A} could not be looked up"), b=Lookup())
    told(issuance.certificate(found), Reason.DNS_RECORD_MISSING, B)


def test_lookup_that_failed_is_told_for_want_of_more() -> None:
    found = scene(WAITING, b=Lookup(problem=f"{B} could not be looked up: Timeout"))
    told(issuance.certificate(found), Reason.DNS_LOOKUP_FAILED, "Timeout")


@pytest.mark.parametrize("state", ["FailedCaaForbidden", "Provisioning"])
def test_caa_records_that_forbid_are_told_before_and_after_google_tried(state: str) -> None:
    check = issuance.certificate(scene(managed("Provisioning", {A: "Active", B: state}), b=FORBIDDEN))
    told(check, Reason.CAA_FORBIDS, '`0 issue "sectigo.com"`', B, '`example.org. CAA 0 issue "pki.goog"`')


def test_caa_records_that_cannot_be_read_are_told() -> None:
    waiting = managed("Provisioning", {A: "Active", B: "FailedCaaChecking"})
    unread = Lookup((ADDRESS,), caa_problem=f"the CAA records of {B} could not be looked up: NoNameservers")
    told(issuance.certificate(scene(waiting, b=unread)), Reason.DNS_LOOKUP_FAILED, "CAA", B)


def test_warning_of_the_ingress_is_told_when_dns_is_right() -> None:
    told(issuance.certificate(scene(WAITING, warning=WARNING)), Reason.NO_FRONT_END)
    told(
        issuance.certificate(scene(WAITING, warning=WARNING, b=Lookup())),
        Reason.DNS_RECORD_MISSING,
    )


def test_warning_of_the_ingress_does_not_matter_to_a_certificate_that_is_active() -> None:
    assert issuance.certificate(scene(managed("Active"), warning=WARNING)).state is CheckState.PASSED


def test_rate_limit_names_the_domain() -> None:
    check = issuance.certificate(scene(managed("Provisioning", {A: "Active", B: "FailedRateLimited"})))
    told(check, Reason.CERTIFICATE_RATE_LIMITED, B)
    assert A not in check.message


def test_attempt_that_failed_as_a_whole_is_tried_again() -> None:
    """Google may report this shortly even of a certificate that is issued."""
    check = issuance.certificate(scene(managed("ProvisioningFailed", {A: "Active", B: "Active"})))
    told(check, Reason.CERTIFICATE_PROVISIONING, "ProvisioningFailed", "Google tries again")
    assert check.state is CheckState.PENDING


def test_waiting_says_how_often_gke_looks() -> None:
    for each in (managed("Provisioning"), managed("", {}, certificateName="")):
        assert "every ten minutes" in issuance.certificate(scene(each)).message
    not_loaded = scene(managed("Provisioning"), ingress=ingress(NAME, ""))
    assert "every ten minutes" in issuance.certificate(not_loaded).message


@pytest.mark.parametrize("state", ["FailedNotVisible", "FailedCaaForbidden"])
def test_failure_that_has_been_corrected_is_waited_for(state: str) -> None:
    check = issuance.certificate(scene(managed("ProvisioningFailed", {A: "Active", B: state})))
    told(check, Reason.CERTIFICATE_PROVISIONING, f"{B} {state}", "DNS is right, Google tries again")
    assert check.state is CheckState.PENDING


@pytest.mark.parametrize(
    "live",
    [
        managed("Provisioning"),
        managed("", {}),
        managed("Active", {A: "Active"}),
        managed("Active", {A: "Active", B: "Provisioning"}),
        managed("Provisioning", {A: "Active", B: "Active"}),
    ],
)
def test_certificate_in_the_making_is_waited_for(live: dict[str, Any]) -> None:
    check = issuance.certificate(scene(live))
    told(check, Reason.CERTIFICATE_PROVISIONING, NAME)
    assert check.state is CheckState.PENDING


def test_renewal_that_failed_is_told_with_expiry_and_cause() -> None:
    live = managed("RenewalFailed", {A: "Active", B: "FailedNotVisible"})
    check = issuance.certificate(scene(live, b=Lookup(("203.0.113.7",))))
    told(check, Reason.CERTIFICATE_RENEWAL_FAILED, "2026-04-01", "203.0.113.7")


def test_dns_passes_when_every_domain_leads_here_alone() -> None:
    check = issuance.dns(scene(None))
    assert (check.state, check.required) == (CheckState.PASSED, True)


def test_dns_is_required_of_every_domain_also_of_one_that_is_active() -> None:
    check = issuance.dns(scene(managed("Active"), b=Lookup((ADDRESS, "2001:db8::1"))))
    assert (check.name, check.state) == ("dns", CheckState.FAILED)
    told(check, Reason.DNS_EXTRA_RECORD, B)


def test_dns_that_could_not_be_looked_up_is_pending() -> None:
    check = issuance.dns(scene(managed("Active"), b=Lookup(problem="Timeout")))
    assert (check.state, check.reason) == (CheckState.PENDING, Reason.DNS_LOOKUP_FAILED)


def test_caa_records_matter_until_the_domain_is_active() -> None:
    wanted = ManagedFacts(NAME, (A, B))
    assert issuance.unissued(managed("Active"), wanted) == ()
    assert issuance.unissued(managed("Active", {A: "Active"}), wanted) == (B,)
    assert issuance.unissued(managed("Provisioning", {A: "Active"}), wanted) == (B,)
    assert issuance.unissued(managed("RenewalFailed", {A: "Active", B: "Active"}), wanted) == (
        A,
        B,
    )
    assert issuance.unissued(None, wanted) == (A, B)


def test_hundred_domains_make_a_message_of_bounded_length() -> None:
    domains = tuple(f"{'x' * 50}{n}.example.org" for n in range(100))
    wanted = scene(
        managed("Provisioning") | {"spec": {"domains": list(domains)}},
        wanted=ManagedFacts(NAME, domains),
        lookups=dict.fromkeys(domains, Lookup()),
    )
    check = issuance.certificate(wanted)
    told(check, Reason.DNS_RECORD_MISSING, f"`{domains[0]}. A {ADDRESS}`", "99 more of 100 domains")
    assert len(check.message) <= 600


ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.sampled_from([A, NAME, "Active"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
STATUS = st.dictionaries(
    st.sampled_from(["certificateName", "certificateStatus", "domainStatus", "expireTime"]), ODD
)


@given(st.dictionaries(st.sampled_from(["metadata", "spec", "status"]), ODD), STATUS, ODD)
def test_no_content_of_the_objects_makes_the_diagnosis_crash(top: Any, status: Any, annotation: Any) -> None:
    annotations = {"networking.gke.io/managed-certificates": annotation}
    for live in (top, managed("Provisioning") | {"status": status}):
        for around in (observed(top), observed({"metadata": {"annotations": annotations}}), ingress()):
            check = issuance.certificate(scene(live, ingress=around))
            assert check.state is CheckState.PASSED or check.reason is not None
            assert check.message.isprintable()
