"""Verification of a Google-managed certificate, and of changes from one kind of certificate to the other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from milvus_l7.domain.certificates import certificate_objects
from milvus_l7.domain.dns.diagnosis import CaaRecord, CaaRecords
from milvus_l7.domain.frontend import backend_health, ingress_objects
from milvus_l7.domain.frontend.ingress_objects import Attachments
from milvus_l7.domain.kubernetes import manifests
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Permanent
from milvus_l7.domain.setup.desired import CertificateSpec, CertificateType
from milvus_l7.domain.setup.facts import CheckState, ManagedFacts
from milvus_l7.domain.setup.outcome import Done, Failed, Outcome, Waiting
from milvus_l7.ports import Endpoint, ObjectRef, Resolved, ServedCertificate
from tests.builders import desired
from tests.fakes.finished_setup import ADDRESS, DOMAIN, FACTS, NEG, PEM, SERVICE, SHA256, World

OTHER_DOMAIN = "vectors.example.org"
NAME, CERTIFICATE = "my-release-milvus-tls", "mcrt-0b6a4b0c"
SPEC = CertificateSpec(CertificateType.GOOGLE_MANAGED, domains=(OTHER_DOMAIN,))
MANAGED_FACTS = replace(FACTS, managed=ManagedFacts(NAME, (DOMAIN, OTHER_DOMAIN)))
SECRET = "my-release-milvus-tls"
INGRESS = ObjectRef("networking.k8s.io/v1", "Ingress", "default", SERVICE.name)


@dataclass
class ManagedWorld(World):
    """Both certificates are there and attached, as after a change; the Secret is ours."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.remove("Ingress")
        self.probe.sha256, self.probe.names = "a" * 64, (DOMAIN, OTHER_DOMAIN)
        self.resolver.known = dict.fromkeys((DOMAIN, OTHER_DOMAIN), Resolved((ADDRESS,)))
        self.label_secret()
        self.kube.apply(certificate_objects.managed_certificate(desired(certificate=SPEC), NAME))
        self.report("Active", "Active", "Active")
        self.attach(Attachments((DOMAIN, OTHER_DOMAIN), (NAME,), (SECRET,)))

    def label_secret(self) -> None:
        (secret,) = [o for ref, o in self.kube.stored.items() if ref.kind == "Secret"]
        labels = {manifests.MANAGED_BY: manifests.OURS}
        self.kube.put({**secret, "metadata": {**secret["metadata"], "labels": labels}})

    def report(self, status: str, *domains: str) -> None:
        """What the certificate controller says."""
        states = [
            {"domain": domain, "status": state}
            for domain, state in zip((DOMAIN, OTHER_DOMAIN), domains, strict=False)
        ]
        ref = ObjectRef("networking.gke.io/v1", "ManagedCertificate", "default", NAME)
        self.kube.stored[ref]["status"] = {
            "certificateName": CERTIFICATE,
            "certificateStatus": status,
            "domainStatus": states,
        }

    def attach(self, attachments: Attachments, served: str = f"{CERTIFICATE},k8s2-cr-secret") -> None:
        """The Ingress as we apply it, and what its controllers write into it."""
        self.kube.apply(ingress_objects.ingress(desired(), SERVICE, attachments), force=True)
        live = self.kube.stored[INGRESS]
        live["metadata"]["annotations"] |= {
            "ingress.gcp.kubernetes.io/pre-shared-cert": CERTIFICATE,
            "ingress.kubernetes.io/ssl-cert": served,
            backend_health.REPORT: f'{{"{NEG}": "HEALTHY"}}',
        }
        live["status"] = {"loadBalancer": {"ingress": [{"ip": ADDRESS}]}}

    def kinds(self) -> list[str]:
        return sorted(ref.kind for ref in self.kube.stored)

    def verify(self, facts: Any = MANAGED_FACTS, **changes: Any) -> Outcome:
        return super().verify(facts, **{"certificate": SPEC, **changes})


@pytest.fixture
def world() -> ManagedWorld:
    return ManagedWorld()


def spec_of(world: ManagedWorld) -> dict[str, Any]:
    live = world.kube.get(INGRESS)
    assert live is not None
    return live["spec"]  # type: ignore[no-any-return]


def waits(outcome: Outcome, reason: Reason) -> str:
    assert isinstance(outcome, Waiting)
    assert outcome.reason is reason
    return outcome.message


def test_served_certificate_retires_the_secret_and_then_is_verified_once_more(world: ManagedWorld) -> None:
    message = waits(world.verify(), Reason.RETIRING_CERTIFICATE)
    assert f"Ingress default/{SERVICE.name}" in message
    assert "tls" not in spec_of(world)
    assert "Secret" in world.kinds()  # detached only, for the way back
    assert isinstance(world.verify(), Done)


def test_second_run_writes_nothing(world: ManagedWorld) -> None:
    world.verify()
    world.verify()
    writes = world.kube.writes
    assert isinstance(world.verify(), Done)
    assert world.kube.writes == writes


def test_milvus_is_asked_with_the_systems_roots(world: ManagedWorld) -> None:
    world.verify()
    assert world.probe.looks == [(Endpoint(ADDRESS, DOMAIN, None), False)]


@pytest.mark.parametrize("spoil", ["names", "distrust", "sha256", "version", "resolver"])
def test_nothing_is_retired_before_everything_has_passed(world: ManagedWorld, spoil: str) -> None:
    if spoil == "names":
        world.probe.names = (DOMAIN,)
    elif spoil == "distrust":
        world.probe.distrust = "self-signed certificate"
    elif spoil == "sha256":
        world.probe.sha256 = SHA256
    elif spoil == "version":
        world.probe.version = None
    else:
        world.resolver.known = {DOMAIN: Resolved((ADDRESS,))}
    writes = world.kube.writes
    assert isinstance(world.verify(), Waiting)
    assert world.kube.writes == writes
    assert spec_of(world)["tls"] == [{"secretName": SECRET}]


def test_old_certificate_that_is_still_served_is_told(world: ManagedWorld) -> None:
    world.probe.sha256 = SHA256
    assert SECRET in waits(world.verify(), Reason.OTHER_CERTIFICATE_SERVED)
    assert world.probe.looks == []


def test_certificate_for_every_domain_needs_one_handshake(world: ManagedWorld) -> None:
    world.verify()
    assert world.probe.handshakes == [DOMAIN]


def earlier(domain: str) -> ServedCertificate:
    """A trusted certificate for the domain alone."""
    return ServedCertificate("e" * 64, (domain,))


def test_earlier_certificate_that_is_shown_for_its_domain_keeps_nobody_waiting(world: ManagedWorld) -> None:
    world.probe.elsewhere = {DOMAIN: earlier(DOMAIN)}
    waits(world.verify(), Reason.RETIRING_CERTIFICATE)


def test_wanted_certificate_must_be_seen_where_only_it_can_be(world: ManagedWorld) -> None:
    world.probe.elsewhere = {DOMAIN: earlier(DOMAIN), OTHER_DOMAIN: earlier(DOMAIN)}
    assert OTHER_DOMAIN in waits(world.verify(), Reason.OTHER_CERTIFICATE_SERVED)


def test_first_domain_that_is_not_served_well_is_the_one_that_is_told(world: ManagedWorld) -> None:
    world.probe.elsewhere = {DOMAIN: earlier("old.example.org")}
    assert f"does not cover {DOMAIN}" in waits(world.verify(), Reason.OTHER_CERTIFICATE_SERVED)


def test_missing_record_of_any_domain_is_the_reason_and_stays_on_the_checklist(world: ManagedWorld) -> None:
    world.report("Provisioning", "Active", "FailedNotVisible")
    world.resolver.known = {DOMAIN: Resolved((ADDRESS,))}
    outcome = world.verify()
    assert f"`{OTHER_DOMAIN}. A {ADDRESS}`" in waits(outcome, Reason.DNS_RECORD_MISSING)
    assert outcome.facts is not None
    dns = next(check for check in outcome.facts.checklist if check.name == "dns")
    assert (dns.state, dns.required, dns.reason) == (CheckState.FAILED, True, Reason.DNS_RECORD_MISSING)


def test_dns_of_an_active_certificate_is_required_too(world: ManagedWorld) -> None:
    world.resolver.known = {
        DOMAIN: Resolved((ADDRESS,)),
        OTHER_DOMAIN: Resolved((ADDRESS,), ("2001:db8::1",)),
    }
    assert waits(world.verify(), Reason.DNS_EXTRA_RECORD).startswith("dns: ")


def test_caa_records_are_asked_for_only_where_the_certificate_is_not_active(world: ManagedWorld) -> None:
    forbids = CaaRecords("example.org", (CaaRecord(0, "issue", "sectigo.com"),))
    world.resolver.caa_records = {"example.org": forbids}
    assert isinstance(world.verify(), Waiting)
    assert world.resolver.asked == []
    world.report("Provisioning", "Active", "FailedCaaForbidden")
    assert "sectigo.com" in waits(world.verify(), Reason.CAA_FORBIDS)
    assert world.resolver.asked == [OTHER_DOMAIN]


def test_name_server_that_is_down_keeps_from_done(world: ManagedWorld) -> None:
    world.resolver.is_down = True
    waits(world.verify(), Reason.DNS_LOOKUP_FAILED)


def test_permanent_failure_ends_the_wait(world: ManagedWorld) -> None:
    world.report("ProvisioningFailedPermanently", "FailedNotVisible")
    outcome = world.verify()
    assert isinstance(outcome, Failed)
    assert outcome.reason is Reason.CERTIFICATE_FAILED_PERMANENTLY


def test_certificate_that_vanished_ends_the_wait(world: ManagedWorld) -> None:
    world.remove("ManagedCertificate")
    outcome = world.verify()
    assert isinstance(outcome, Failed)
    assert outcome.reason is Reason.MANAGED_CERTIFICATE_GONE


def test_missing_certificate_event_about_one_that_is_there_is_old(world: ManagedWorld) -> None:
    world.report("Provisioning")
    world.warn("MissingCertificate", f"ManagedCertificate default:{NAME} missing")
    waits(world.verify(), Reason.CERTIFICATE_PROVISIONING)


def unmade(world: ManagedWorld) -> None:
    """Google does not make the certificate: its name is on the Ingress, and its object has no status."""
    (live,) = [o for ref, o in world.kube.stored.items() if ref.kind == "ManagedCertificate"]
    live["status"] = {}
    world.warn(
        "Sync",
        "Error syncing to GCP: error running load balancer syncing routine: loadbalancer 0123-m-89 does "
        f"not exist: googleapi: Error 404: The resource 'projects/p/global/sslCertificates/{CERTIFICATE}' "
        "was not found, notFound",
    )


def certificate_event(world: ManagedWorld, event_type: str, reason: str, message: str) -> None:
    about = {"kind": "ManagedCertificate", "name": NAME}
    told = {"type": event_type, "reason": reason, "message": message, "involvedObject": about}
    world.kube.happened.append(told)


@pytest.mark.parametrize(
    ("event_reason", "message", "reason"),
    [
        (
            "TooManyCertificates",
            "googleapi: Error 403: Quota 'SSL_CERTIFICATES' exceeded.  Limit: 10.0 globally., quotaExceeded",
            Reason.QUOTA_EXCEEDED,
        ),
        (
            "BackendError",
            "operation operation-1578944378860-59c0aa2d274a8-547f28d8-6dacdff0 failed: FORBIDDEN",
            Reason.CERTIFICATE_REFUSED,
        ),
        (
            "BackendError",
            "googleapi: Error 400: Invalid value for field 'resource.managed.domains[0]', invalid",
            Reason.CERTIFICATE_REFUSED,
        ),
        (
            "BackendError",
            "googleapi: Error 503: Internal error, backendError",
            Reason.CERTIFICATE_NOT_ATTACHED,
        ),
    ],
)
def test_certificate_that_google_does_not_make_is_explained_by_its_own_events(
    world: ManagedWorld, event_reason: str, message: str, reason: Reason
) -> None:
    unmade(world)
    waits(world.verify(), Reason.PRE_SHARED_CERTIFICATE_MISSING)
    certificate_event(world, "Warning", event_reason, message)
    assert message.replace("  ", " ") in waits(world.verify(), reason)
    certificate_event(world, "Normal", "Create", f"Create SslCertificate {CERTIFICATE}")
    waits(world.verify(), Reason.PRE_SHARED_CERTIFICATE_MISSING)


def test_without_the_right_to_list_events_an_unissued_certificate_says_what_is_not_seen(
    world: ManagedWorld,
) -> None:
    unmade(world)
    world.kube.forbids_events = True
    assert "no right to list" in waits(world.verify(), Reason.CERTIFICATE_NOT_ATTACHED)
    world.report("Provisioning")
    assert "no right to list" in waits(world.verify(), Reason.CERTIFICATE_PROVISIONING)


def test_missing_certificate_of_another_is_old_once_it_is_there(world: ManagedWorld) -> None:
    world.report("Provisioning")
    world.attach(Attachments((DOMAIN, OTHER_DOMAIN), (NAME, "theirs"), (SECRET,)))
    world.warn("MissingCertificate", "ManagedCertificate default:theirs missing")
    waits(world.verify(), Reason.MANAGED_CERTIFICATE_MISSING)
    world.kube.put(certificate_objects.managed_certificate(desired(certificate=SPEC), "theirs"))
    waits(world.verify(), Reason.CERTIFICATE_PROVISIONING)


def test_ingress_without_the_certificate_is_told(world: ManagedWorld) -> None:
    world.attach(Attachments((DOMAIN,), (), (SECRET,)))
    waits(world.verify(), Reason.CERTIFICATE_NOT_ATTACHED)


def test_fresh_setup_never_had_a_secret(world: ManagedWorld) -> None:
    world.remove("Secret")
    world.attach(Attachments((DOMAIN, OTHER_DOMAIN), (NAME,)), served=CERTIFICATE)
    assert isinstance(world.verify(replace(MANAGED_FACTS, certificate=None)), Done)


def test_unknown_certificate_is_refused_clearly(world: ManagedWorld) -> None:
    with pytest.raises(Permanent) as caught:
        world.verify(FACTS)
    assert caught.value.reason is Reason.MANAGED_CERTIFICATE_GONE


def back(world: ManagedWorld) -> Outcome:
    """The look when a self-managed certificate is wanted again."""
    return world.verify(certificate=CertificateSpec())


def test_managed_certificate_that_hides_the_secret_goes_when_the_load_balancer_has_both(
    world: ManagedWorld,
) -> None:
    assert NAME in waits(back(world), Reason.RETIRING_CERTIFICATE)
    assert "ManagedCertificate" not in world.kinds()
    assert spec_of(world)["tls"] == [{"secretName": SECRET}]
    world.probe.sha256 = SHA256
    assert world.probe.looks == []
    waits(back(world), Reason.RETIRING_CERTIFICATE)  # the other domain's rule, now that all has passed
    assert isinstance(back(world), Done)
    assert world.probe.looks[-1] == (Endpoint(ADDRESS, DOMAIN, PEM), False)


def test_managed_certificate_stays_until_the_load_balancer_has_the_secret(world: ManagedWorld) -> None:
    world.attach(Attachments((DOMAIN, OTHER_DOMAIN), (NAME,), (SECRET,)), served=CERTIFICATE)
    waits(back(world), Reason.OTHER_CERTIFICATE_SERVED)
    assert "ManagedCertificate" in world.kinds()


def test_managed_certificate_stays_while_the_secret_is_no_good(world: ManagedWorld) -> None:
    world.put_secret("nonsense")
    outcome = back(world)
    assert isinstance(outcome, Failed)
    assert outcome.reason is Reason.CERTIFICATE_INVALID
    assert "ManagedCertificate" in world.kinds()
