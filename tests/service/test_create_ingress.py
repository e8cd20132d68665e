"""create_ingress: the Ingress, and the wait for its address."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.domain.errors import Permanent, Transient
from shared.domain.outcome import Done, Outcome, Waiting
from shared.domain.reasons import Reason
from shared.domain.setup import CertificateFacts, Facts, ServiceFacts, Setup
from shared.ports import ObjectRef
from shared.service.stages.create_ingress import CreateIngress
from tests.builders import new_setup
from tests.fakes.kube_objects import FakeKubeObjects, OneCluster
from tests.fakes.state import START

NAME = "my-release-milvus"
INGRESS = ObjectRef("networking.k8s.io/v1", "Ingress", "default", NAME)
CERTIFICATE = CertificateFacts(f"{NAME}-tls", "pem", "00", START + timedelta(days=9))


def ready_setup(**changes: Any) -> Setup:
    facts = Facts(service=ServiceFacts(NAME, "milvus", 19530), certificate=CERTIFICATE)
    return replace(new_setup(**changes), facts=facts)


def run(kube: FakeKubeObjects, setup: Setup | None = None) -> Outcome:
    return CreateIngress(OneCluster(kube))(setup or ready_setup(), START)


def address_it(kube: FakeKubeObjects, ip: str = "203.0.113.9") -> None:
    """What the controller does after a successful sync."""
    kube.stored[INGRESS] |= {"status": {"loadBalancer": {"ingress": [{"ip": ip}]}}}
    kube.stored[INGRESS]["metadata"]["annotations"] |= {"ingress.kubernetes.io/backends": "{}"}


def happens(kube: FakeKubeObjects, kind: str, reason: str, message: str) -> None:
    about = {"kind": "Ingress", "name": NAME, "namespace": "default"}
    kube.happened.append({"involvedObject": about, "type": kind, "reason": reason, "message": message})


@pytest.fixture
def kube() -> FakeKubeObjects:
    return FakeKubeObjects()


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
    with pytest.raises(Permanent, match=r"ingress\.enabled") as refused:
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
    assert kube.stored == {}
