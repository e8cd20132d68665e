"""create_ingress: the Ingress, and the wait for its address."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from milvus_l7.domain.certificates import certificate_objects
from milvus_l7.domain.dns.records import RecordSet
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Permanent, Transient
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.desired import CertificateSpec, CertificateType
from milvus_l7.domain.setup.document import Setup
from milvus_l7.domain.setup.facts import CertificateFacts, Facts, ManagedFacts, ServiceFacts
from milvus_l7.domain.setup.outcome import Done, Outcome, Waiting
from milvus_l7.ports import ObjectRef
from tests.builders import new_setup
from tests.fakes.dns_zones import ZONE, FakeDnsZones
from tests.fakes.kube_objects import FakeKubeObjects, OneCluster
from tests.fakes.ports import stage
from tests.fakes.provisioning import FakeCertificates, pair, secret
from tests.fakes.state import START

NAME = "my-release-milvus"
INGRESS = ObjectRef("networking.k8s.io/v1", "Ingress", "default", NAME)
CERTIFICATE = CertificateFacts(f"{NAME}-tls", "pem", "00", START + timedelta(days=9))


def ready_setup(**changes: Any) -> Setup:
    facts = Facts(service=ServiceFacts(NAME, "milvus", 19530), certificate=CERTIFICATE)
    return replace(new_setup(**changes), facts=facts)


def run(kube: FakeKubeObjects, setup: Setup | None = None, zones: FakeDnsZones | None = None) -> Outcome:
    ports = {"zones": zones or FakeDnsZones(), "certificates": FakeCertificates()}
    work = stage(Stage.CREATE_INGRESS, OneCluster(kube), **ports)
    return work(setup or ready_setup(), START)


def address_it(kube: FakeKubeObjects, ip: str = "203.0.113.9") -> None:
    """What the controller does after a successful sync."""
    kube.stored[INGRESS] |= {"status": {"loadBalancer": {"ingress": [{"ip": ip}]}}}
    kube.stored[INGRESS]["metadata"]["annotations"] |= {"ingress.kubernetes.io/backends": "{}"}


def happens(kube: FakeKubeObjects, kind: str, reason: str, message: str) -> None:
    about = {"kind": "Ingress", "name": NAME, "namespace": "default"}
    kube.happened.append({"involvedObject": about, "type": kind, "reason": reason, "message": message})


@pytest.fixture
def kube() -> FakeKubeObjects:
    found = FakeKubeObjects()
    found.put(secret(pair(1), f"{NAME}-tls"))
    return found


def test_a_new_ingress_waits_for_its_address(kube: FakeKubeObjects) -> None:
    found = run(kube)
    assert isinstance(found, Waiting)
    assert found.reason is Reason.ADDRESS_PENDING
    made = kube.stored[INGRESS]
    assert made["spec"]["rules"][0]["host"] == "my-release.milvus.io"
    assert made["spec"]["tls"] == [{"secretName": f"{NAME}-tls"}]


def test_an_address_completes_the_stage_and_is_kept(kube: FakeKubeObjects) -> None:
    run(kube)
    address_it(kube)
    setup = ready_setup()
    assert run(kube, setup) == Done(replace(setup.facts, address="203.0.113.9"))


def test_a_second_run_writes_nothing(kube: FakeKubeObjects) -> None:
    run(kube)
    address_it(kube)
    before, writes = kube.stored[INGRESS], kube.writes
    run(kube)
    assert (kube.stored[INGRESS], kube.writes) == (before, writes)
    assert kube.stored[INGRESS]["metadata"]["annotations"]["ingress.kubernetes.io/backends"] == "{}"


def test_a_failing_controller_is_quoted(kube: FakeKubeObjects) -> None:
    run(kube)
    happens(kube, "Normal", "Sync", "Scheduled for sync")
    happens(kube, "Warning", "Sync", "Error syncing to GCP: quota")
    assert run(kube) == Waiting(Reason.INGRESS_SYNC_FAILING, "Sync: Error syncing to GCP: quota")


def test_a_failure_that_has_passed_is_not_quoted(kube: FakeKubeObjects) -> None:
    run(kube)
    happens(kube, "Warning", "Sync", "Error syncing to GCP: quota")
    happens(kube, "Normal", "Sync", 'UrlMap "k8s2-um" created')
    found = run(kube)
    assert isinstance(found, Waiting)
    assert found.reason is Reason.ADDRESS_PENDING


def test_an_address_that_a_change_of_class_left_behind_is_not_taken(kube: FakeKubeObjects) -> None:
    run(kube)
    address_it(kube)
    live = kube.stored[INGRESS]
    left = {"kubernetes.io/ingress.class": "nginx", "ingress.kubernetes.io/url-map": "k8s2-um"}
    kube.put(live | {"metadata": live["metadata"] | {"annotations": left}}, "kubectl-edit")
    for _ in range(2):
        found = run(kube)
        assert isinstance(found, Waiting)
        assert (found.reason, "let go" in found.message) == (Reason.LOAD_BALANCER_REPLACED, True)
    kube.stored[INGRESS]["metadata"]["finalizers"] = ["networking.gke.io/ingress-finalizer-V2"]
    assert isinstance(run(kube), Done)


def test_a_changed_domain_changes_the_rule(kube: FakeKubeObjects) -> None:
    run(kube)
    address_it(kube)
    assert isinstance(run(kube, ready_setup(domain="other.milvus.io")), Done)
    assert kube.stored[INGRESS]["spec"]["rules"][0]["host"] == "other.milvus.io"


def test_what_somebody_changed_in_our_ingress_is_repaired(kube: FakeKubeObjects) -> None:
    run(kube)
    edited = kube.stored[INGRESS] | {"spec": {"rules": [], "tls": []}}
    kube.put(edited, "kubectl-edit")
    run(kube)
    assert kube.stored[INGRESS]["spec"]["tls"] == [{"secretName": f"{NAME}-tls"}]


def test_an_ingress_of_the_chart_is_left_alone(kube: FakeKubeObjects) -> None:
    metadata = {"namespace": "default", "name": NAME, "labels": {"app.kubernetes.io/managed-by": "Helm"}}
    kube.put({"apiVersion": INGRESS.api_version, "kind": "Ingress", "metadata": metadata}, "helm")
    before = kube.stored[INGRESS]
    with pytest.raises(Permanent, match="managed by Helm") as refused:
        run(kube)
    assert refused.value.reason is Reason.OBJECT_NOT_OURS
    assert kube.stored[INGRESS] == before


def test_an_ingress_that_is_being_deleted_is_waited_for(kube: FakeKubeObjects) -> None:
    run(kube)
    address_it(kube)
    kube.stored[INGRESS]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    with pytest.raises(Transient) as refused:
        run(kube)
    assert refused.value.reason is Reason.OBJECT_BEING_DELETED


def test_a_setup_without_a_certificate_is_refused(kube: FakeKubeObjects) -> None:
    setup = ready_setup()
    with pytest.raises(Permanent):
        run(kube, replace(setup, facts=replace(setup.facts, certificate=None)))
    assert INGRESS not in kube.stored


# Another Secret


def with_secret(name: str, **changes: Any) -> Setup:
    setup = ready_setup(**changes)
    return replace(setup, facts=replace(setup.facts, certificate=replace(CERTIFICATE, secret=name)))


def secrets(kube: FakeKubeObjects) -> list[str]:
    return [entry["secretName"] for entry in kube.stored[INGRESS]["spec"]["tls"]]


def test_another_secret_is_attached_beside_the_one_that_serves(kube: FakeKubeObjects) -> None:
    run(kube)
    for _ in range(2):
        run(kube, with_secret(f"{NAME}-tls-2", domain="new.io"))
        assert secrets(kube) == [f"{NAME}-tls-2", f"{NAME}-tls"]
    assert [r["host"] for r in kube.stored[INGRESS]["spec"]["rules"]] == ["new.io", "my-release.milvus.io"]


BROKEN = {
    "tls.key is not the key": secret(replace(pair(1), key_pem="key-2"), f"{NAME}-tls"),
    "expired": secret(pair(1, until=START - timedelta(days=1)), f"{NAME}-tls"),
    "garbage": secret(replace(pair(1), certificate_pem="garbage"), f"{NAME}-tls"),
    "has no tls.key": {**secret(pair(1), f"{NAME}-tls"), "data": {"tls.crt": "eA=="}},
}
REFUSED = (
    "Error syncing to GCP: error running load balancer syncing routine: loadbalancer 0123-default-milvus-89 "
    "does not exist: Cert creation failures - k8s2-cr-0123-89ab-cdef Error:googleapi: Error 400: The SSL "
    "certificate could not be parsed., sslCertificateCouldNotParseCert"
)


@pytest.mark.parametrize("fault", [*BROKEN, "does not exist"])
def test_a_secret_that_no_load_balancer_takes_is_not_kept_beside_the_new_one(
    kube: FakeKubeObjects, fault: str
) -> None:
    """What the controller says of it has no name of a Secret."""
    run(kube)
    old = ObjectRef("v1", "Secret", "default", f"{NAME}-tls")
    if fault in BROKEN:
        kube.put(BROKEN[fault])
    else:
        del kube.stored[old]
    happens(kube, "Warning", "Sync", REFUSED)
    run(kube)
    assert secrets(kube) == [f"{NAME}-tls"]  # it is the wanted one
    found = run(kube, with_secret("theirs"))
    assert secrets(kube) == ["theirs"]
    assert isinstance(found, Waiting)
    assert found.reason is Reason.TLS_ENTRY_WITHOUT_SECRET
    assert f"Secret {NAME}-tls" in found.message
    assert fault in found.message


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ({}, "its owner must correct it"),
        ({"app.kubernetes.io/managed-by": "milvus-l7"}, "publish the request"),
    ],
)
def test_broken_secret_is_told_with_who_must_mend_it(
    kube: FakeKubeObjects, labels: dict[str, str], words: str
) -> None:
    kube.put(secret(replace(pair(1), key_pem="key-2"), f"{NAME}-tls", labels=labels))
    run(kube)
    happens(kube, "Warning", "Sync", REFUSED)
    found = run(kube)
    assert isinstance(found, Waiting)
    assert words in found.message


def test_broken_secret_that_nobody_complains_of_is_told_as_it_is_left_off(kube: FakeKubeObjects) -> None:
    run(kube)
    kube.put(secret(replace(pair(1), key_pem="key-2"), f"{NAME}-tls"))
    found = run(kube, with_secret("theirs"))
    assert isinstance(found, Waiting)
    assert found.reason is Reason.ADDRESS_PENDING
    assert f"left off the Ingress: Secret {NAME}-tls: tls.key is not the key" in found.message
    assert found.notice in found.message


def test_broken_secret_that_is_left_off_an_ingress_with_an_address_is_told_when_done(
    kube: FakeKubeObjects,
) -> None:
    run(kube)
    address_it(kube)
    kube.put(secret(replace(pair(1), key_pem="key-2"), f"{NAME}-tls"))
    found = run(kube, with_secret("theirs"))
    assert isinstance(found, Done)
    assert found.message == (
        f"left off the Ingress: Secret {NAME}-tls: "
        "tls.key is not the key of the certificate in tls.crt (its owner must correct it)"
    )
    assert secrets(kube) == ["theirs"]


def test_broken_secret_is_told_also_by_a_wait_for_a_record_of_the_zone(kube: FakeKubeObjects) -> None:
    zones = FakeDnsZones([RecordSet("my-release.milvus.io.", "A", 60, ("198.51.100.7",))])
    run(kube)
    address_it(kube)
    kube.put(BROKEN["expired"])
    found = run(kube, with_secret("theirs", dns_zone=ZONE), zones)
    assert isinstance(found, Waiting)
    assert f"left off the Ingress: Secret {NAME}-tls" in found.notice


def test_secret_that_was_corrected_is_seen_within_ten_minutes(kube: FakeKubeObjects) -> None:
    run(kube)
    happens(kube, "Warning", "Sync", REFUSED)
    found = run(kube)
    assert isinstance(found, Waiting)
    assert "every ten minutes" in found.message


class Forbidding(FakeKubeObjects):
    """Refuses to show Secrets, or Events, or both."""

    refused: tuple[str, ...] = ("Secret",)

    def get(self, ref: ObjectRef) -> Any:
        self._refuse(ref.kind)
        return super().get(ref)

    def events(self, ref: ObjectRef) -> Any:
        self._refuse("Event")
        return super().events(ref)

    def _refuse(self, kind: str) -> None:
        if kind in self.refused:
            raise Permanent(Reason.CLUSTER_ACCESS_DENIED, f"cannot read {kind}")


def forbidding(kube: FakeKubeObjects, *kinds: str) -> Forbidding:
    found = Forbidding(kube.stored, kube.owners, kube.happened, versions=kube.versions)
    found.refused = kinds
    return found


def test_secret_that_may_not_be_read_stays_unless_the_controller_names_it(kube: FakeKubeObjects) -> None:
    run(kube)
    blind = forbidding(kube, "Secret")
    for words, kept in ((REFUSED, True), (f'Error syncing to GCP: secrets "{NAME}-tls" not found', False)):
        happens(kube, "Warning", "Sync", words)
        found = run(blind, with_secret("theirs"))
        assert secrets(kube) == ["theirs", *([f"{NAME}-tls"] if kept else [])]
        assert isinstance(found, Waiting)
        assert "no right to read the Secrets" in found.message


def test_without_the_right_to_list_events_the_wait_says_what_is_not_seen(kube: FakeKubeObjects) -> None:
    run(kube)
    happens(kube, "Warning", "Sync", REFUSED)
    found = run(forbidding(kube, "Event"))
    assert isinstance(found, Waiting)
    assert found.reason is Reason.ADDRESS_PENDING
    assert "events, which we have no right to list" in found.message


def test_events_are_read_only_where_they_can_matter(kube: FakeKubeObjects) -> None:
    class Failing(FakeKubeObjects):
        def events(self, ref: ObjectRef) -> Any:
            raise Transient(Reason.CLUSTER_UNAVAILABLE, ref.kind)

    run(kube)
    address_it(kube)
    failing = Failing(stored=kube.stored, owners=kube.owners, versions=kube.versions)
    assert isinstance(run(failing), Done)


# Google-managed

ANNOTATION = "networking.gke.io/managed-certificates"
MANAGED = f"{NAME}-tls"


def managed_setup(name: str = MANAGED, *more: str, **changes: Any) -> Setup:
    spec = CertificateSpec(CertificateType.GOOGLE_MANAGED, domains=more)
    setup = ready_setup(certificate=spec, **changes)
    return replace(setup, facts=replace(setup.facts, managed=ManagedFacts(name, setup.desired.domains)))


def make_managed(kube: FakeKubeObjects, name: str = MANAGED) -> None:
    kube.create(certificate_objects.managed_certificate(managed_setup().desired, name))


def annotate(kube: FakeKubeObjects, value: str) -> None:
    """As a user with kubectl would."""
    live = kube.stored[INGRESS]
    annotations = {**live["metadata"]["annotations"], ANNOTATION: value}
    kube.put({**live, "metadata": {**live["metadata"], "annotations": annotations}}, "kubectl")


def annotation(kube: FakeKubeObjects) -> str | None:
    return kube.stored[INGRESS]["metadata"]["annotations"].get(ANNOTATION)


def test_a_fresh_ingress_for_a_managed_certificate_has_no_tls_block(kube: FakeKubeObjects) -> None:
    make_managed(kube)
    assert isinstance(run(kube, managed_setup(MANAGED, "b.io")), Waiting)
    made = kube.stored[INGRESS]
    assert "tls" not in made["spec"]
    assert annotation(kube) == MANAGED
    assert [rule["host"] for rule in made["spec"]["rules"]] == ["my-release.milvus.io", "b.io"]
    assert "kubernetes.io/ingress.allow-http" not in made["metadata"]["annotations"]


def test_an_address_is_enough_whatever_the_managed_certificate_says(kube: FakeKubeObjects) -> None:
    make_managed(kube)
    run(kube, managed_setup())
    address_it(kube)
    writes = kube.writes
    assert isinstance(run(kube, managed_setup()), Done)
    assert kube.writes == writes


def test_the_secret_stays_attached_beside_the_managed_certificate(kube: FakeKubeObjects) -> None:
    run(kube)
    make_managed(kube)
    for _ in range(2):
        run(kube, managed_setup())
        assert kube.stored[INGRESS]["spec"]["tls"] == [{"secretName": f"{NAME}-tls"}]
        assert annotation(kube) == MANAGED


def test_the_managed_certificate_stays_attached_beside_the_secret(kube: FakeKubeObjects) -> None:
    make_managed(kube)
    run(kube, managed_setup())
    for _ in range(2):
        run(kube)
        assert kube.stored[INGRESS]["spec"]["tls"] == [{"secretName": f"{NAME}-tls"}]
        assert annotation(kube) == MANAGED


def test_a_changed_domain_attaches_a_second_one_and_keeps_the_first_with_its_host(
    kube: FakeKubeObjects,
) -> None:
    make_managed(kube)
    run(kube, managed_setup())
    make_managed(kube, f"{MANAGED}-2")
    run(kube, managed_setup(f"{MANAGED}-2", domain="new.io"))
    assert annotation(kube) == f"{MANAGED}-2,{MANAGED}"
    hosts = [rule["host"] for rule in kube.stored[INGRESS]["spec"]["rules"]]
    assert hosts == ["new.io", "my-release.milvus.io"]


def test_a_managed_certificate_of_somebody_else_stays_attached(kube: FakeKubeObjects) -> None:
    make_managed(kube)
    run(kube, managed_setup())
    annotate(kube, "theirs")
    run(kube, managed_setup())
    assert annotation(kube) == f"{MANAGED},theirs"
    run(kube)
    assert annotation(kube) == f"{MANAGED},theirs"


@pytest.mark.parametrize("is_terminating", [True, False])
def test_a_managed_certificate_that_is_gone_is_not_attached(
    kube: FakeKubeObjects, is_terminating: bool
) -> None:
    if is_terminating:
        make_managed(kube)
        ref = ObjectRef("networking.gke.io/v1", "ManagedCertificate", "default", MANAGED)
        kube.stored[ref]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    with pytest.raises(Permanent) as refused:
        run(kube, managed_setup())
    assert refused.value.reason is Reason.MANAGED_CERTIFICATE_GONE
    assert INGRESS not in kube.stored


def test_a_self_managed_setup_needs_no_right_to_managed_certificates(kube: FakeKubeObjects) -> None:
    class Forbidding(FakeKubeObjects):
        def list(self, ref: ObjectRef, labels: Any) -> Any:
            raise Permanent(Reason.CLUSTER_ACCESS_DENIED, ref.kind)

    assert isinstance(run(Forbidding()), Waiting)


QUOTA = "googleapi: Error 403: Quota 'SSL_CERTIFICATES' exceeded.  Limit: 10.0 globally., quotaExceeded"
PRE_SHARED_ABSENT = (
    "Error syncing to GCP: error running load balancer syncing routine: loadbalancer 0123-default-milvus-89 "
    "does not exist: googleapi: Error 404: The resource 'projects/p/global/sslCertificates/mcrt-1' was not "
    "found, notFound"
)


def certificate_event(kube: FakeKubeObjects, kind: str, reason: str, message: str) -> None:
    about = {"kind": "ManagedCertificate", "name": MANAGED, "namespace": "default"}
    kube.happened.append({"involvedObject": about, "type": kind, "reason": reason, "message": message})


def test_certificate_that_google_does_not_make_is_explained_by_its_own_events(kube: FakeKubeObjects) -> None:
    """The load balancer's controller says only that it does not exist."""
    make_managed(kube)
    run(kube, managed_setup())
    happens(kube, "Warning", "Sync", PRE_SHARED_ABSENT)
    assert run(kube, managed_setup()).reason is Reason.PRE_SHARED_CERTIFICATE_MISSING  # type: ignore[union-attr]
    certificate_event(kube, "Warning", "TooManyCertificates", QUOTA)
    found = run(kube, managed_setup())
    assert isinstance(found, Waiting)
    assert found.reason is Reason.QUOTA_EXCEEDED
    assert "SSL_CERTIFICATES" in found.message


def test_address_is_published_in_the_zone_of_the_request(kube: FakeKubeObjects) -> None:
    zones, setup = FakeDnsZones(), ready_setup(dns_zone=ZONE)
    run(kube, setup, zones)
    assert zones.stored == []
    address_it(kube)
    assert isinstance(run(kube, setup, zones), Done)
    assert [record.values for record in zones.stored if record.type == "A"] == [("203.0.113.9",)]


def test_record_of_another_in_the_zone_waits_and_keeps_the_address(kube: FakeKubeObjects) -> None:
    zones = FakeDnsZones([RecordSet("my-release.milvus.io.", "A", 60, ("198.51.100.7",))])
    run(kube)
    address_it(kube)
    outcome = run(kube, ready_setup(dns_zone=ZONE), zones)
    assert isinstance(outcome, Waiting)
    assert outcome.reason is Reason.DNS_ZONE_REFUSED
    assert outcome.facts is not None
    assert outcome.facts.address == "203.0.113.9"
