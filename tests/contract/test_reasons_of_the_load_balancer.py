"""Why there is no load balancer, no health and no certificate: told from objects and events of an API server.

The texts are those of Google's own controllers; the adapters are the product's, against an API server.
"""

from __future__ import annotations

import json
import time
import uuid
from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Permanent, Transient
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.desired import CertificateSpec, CertificateType
from milvus_l7.domain.setup.document import Setup, TearDown
from milvus_l7.domain.setup.facts import Check, CheckState
from milvus_l7.domain.setup.outcome import Done, Outcome, Waiting
from milvus_l7.ports import Resolved
from tests.contract.kube_server import until
from tests.contract.test_cluster_stages import (  # noqa: F401 (fixtures)
    INGRESSES,
    NAME,
    Cluster,
    each_server,
    fresh_cluster,
    install_service,
)
from tests.fakes.endpoint import FakeEndpointProbe
from tests.fakes.ports import stage
from tests.fakes.resolver import FakeResolver
from tests.unit.frontend.controller_texts import NEG_RACE, SSL_QUOTA, TABLE, TRANSLATE

ADDRESS = "203.0.113.9"
GKE = "networking.gke.io/v1"
FINALIZER = "networking.gke.io/ingress-finalizer-V2"
DOMAIN = "my-release.milvus.io"
NEG = "k8s1-0123abcd-default-my-release-milvus-19530-89abcdef"
PRE_SHARED_ABSENT = next(text for cause, _, text, _ in TABLE if cause.startswith("pre-shared"))


def happens(
    cluster: Cluster, kind: str, event_reason: str, message: str, event_type: str = "Warning"
) -> None:
    """What a controller reports about our object of the kind."""
    plural, group = {
        "Ingress": ("ingresses", INGRESSES),
        "Service": ("services", "v1"),
        "ManagedCertificate": ("managedcertificates", GKE),
    }[kind]
    name = f"{NAME}-tls" if kind == "ManagedCertificate" else NAME
    live = cluster.space.get(plural, name, group=group).body
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    about = {"apiVersion": group, "kind": kind, "name": name, "namespace": cluster.space.name}
    body = {
        "metadata": {"name": f"{name}.{uuid.uuid4().hex}"},
        "involvedObject": {**about, "uid": live["metadata"]["uid"]},
        "type": event_type,
        "reason": event_reason,
        "message": message,
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }
    assert cluster.space.create("events", body).code == 201


def exposed(cluster: Cluster, managed: bool = False) -> tuple[Setup, Outcome]:
    """The setup after the stages up to create_ingress, and how that has ended."""
    setup, outcome = cluster.ready_setup(), cluster.run_chain()
    if managed:
        spec = CertificateSpec(CertificateType.GOOGLE_MANAGED)
        setup = replace(setup, desired=replace(setup.desired, certificate=spec))
    for name in (Stage.CONFIGURE_HEALTH_CHECK, Stage.PROVISION_CERTIFICATE, Stage.CREATE_INGRESS):
        outcome = stage(name, cluster, certificates=x509())(setup, datetime.now(UTC))
        setup = replace(setup, facts=outcome.facts or setup.facts)
    return setup, outcome


def x509() -> Any:
    from milvus_l7.adapters.certificates.x509 import X509Certificates

    return X509Certificates()


def told(outcome: Outcome) -> tuple[Reason, str]:
    assert isinstance(outcome, Waiting)
    return outcome.reason, outcome.message


@pytest.fixture
def waiting(cluster: Cluster) -> Cluster:
    """A cluster whose Ingress has no address yet."""
    install_service(cluster)
    assert told(exposed(cluster)[1])[0] is Reason.ADDRESS_PENDING
    return cluster


@pytest.mark.parametrize(("cause", "event_reason", "text", "reason"), TABLE, ids=[row[0] for row in TABLE])
def test_every_text_of_the_controllers_is_told_while_there_is_no_address(
    waiting: Cluster, cause: str, event_reason: str, text: str, reason: Reason
) -> None:
    happens(waiting, "Ingress", "Sync", "Scheduled for sync", "Normal")
    happens(waiting, "Ingress", event_reason, text)
    found, message = told(exposed(waiting)[1])
    assert found is reason, cause
    assert message.startswith(f"{event_reason} (")
    assert " s ago): " in message


def test_other_complaints_are_told_in_the_controllers_words(waiting: Cluster) -> None:
    happens(waiting, "Ingress", "Sync", "Error: no FrontendConfig for Ingress exists")
    reason, message = told(exposed(waiting)[1])
    assert reason is Reason.INGRESS_SYNC_FAILING
    assert "no FrontendConfig" in message


@pytest.mark.parametrize(
    ("event_reason", "text", "reason"),
    [
        ("TooManyCertificates", SSL_QUOTA, Reason.QUOTA_EXCEEDED),
        ("BackendError", "operation operation-1-2-3-4 failed: FORBIDDEN", Reason.CERTIFICATE_REFUSED),
    ],
)
def test_certificate_that_google_does_not_make_is_told_from_its_own_events(
    cluster: Cluster, event_reason: str, text: str, reason: Reason
) -> None:
    install_service(cluster)
    exposed(cluster, managed=True)
    happens(cluster, "Ingress", "Sync", PRE_SHARED_ABSENT)
    assert told(exposed(cluster, managed=True)[1])[0] is Reason.PRE_SHARED_CERTIFICATE_MISSING
    happens(cluster, "ManagedCertificate", event_reason, text)
    assert told(exposed(cluster, managed=True)[1])[0] is reason


# Verification


def annotate(cluster: Cluster, plural: str, group: str, **annotations: str | None) -> None:
    changed = {key.replace("__", "/"): value for key, value in annotations.items()}
    body = {"metadata": {"annotations": changed}}
    assert cluster.space.patch(f"{plural}/{NAME}", body, group=group).code == 200


@pytest.fixture
def addressed(waiting: Cluster) -> Cluster:
    """A cluster whose Pods run, and whose controllers have reported an address and an unhealthy group."""
    roll_out(waiting)
    address(waiting, ADDRESS)
    report(waiting, "UNHEALTHY")
    groups = json.dumps({"network_endpoint_groups": {"19530": NEG}})
    body = {"metadata": {"annotations": {"cloud.google.com/neg-status": groups}}}
    assert waiting.space.patch(f"services/{NAME}", body).code == 200
    return waiting


def roll_out(cluster: Cluster) -> None:
    """What makes the release's Pods run."""
    labels = {"app.kubernetes.io/instance": "my-release"}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "milvus", "image": "milvus"}]}}
    spec = {"selector": {"matchLabels": labels}, "template": pod}
    deployment = {"metadata": {"name": NAME, "labels": labels}, "spec": spec}
    assert cluster.space.create("deployments", deployment, "apps/v1").code == 201
    cluster.space.roll_out(NAME)


def address(cluster: Cluster, ip: str) -> None:
    status = {"status": {"loadBalancer": {"ingress": [{"ip": ip}]}}}
    assert cluster.space.patch(f"ingresses/{NAME}/status", status, group=INGRESSES).code == 200


def report(cluster: Cluster, state: str) -> None:
    body = {"metadata": {"annotations": {"ingress.kubernetes.io/backends": json.dumps({NEG: state})}}}
    assert cluster.space.patch(f"ingresses/{NAME}", body, group=INGRESSES).code == 200


def verified(cluster: Cluster, setup: Setup) -> dict[str, Check]:
    """The checklist, with a load balancer at which nothing answers."""
    ports = {"probe": FakeEndpointProbe(None), "resolver": FakeResolver({DOMAIN: Resolved((ADDRESS,))})}
    outcome = stage(Stage.VERIFY_ENDPOINT, cluster, certificates=x509(), **ports)(setup, datetime.now(UTC))
    assert outcome.facts is not None
    return {check.name: check for check in outcome.facts.checklist}


@pytest.mark.parametrize(
    ("event_reason", "text", "reason"),
    [
        (
            "AttachFailed",
            'Failed to Attach 2 network endpoint(s) (NEG "k8s1-x" in zone "us-central1-a"): googleapi: Error '
            "400: Invalid value for field 'resource.ipAddress': '10.0.0.13'. Specified IP address 10.0.0.13 "
            "doesn't belong to the (sub)network default or to the instance gke-a-4cnf., invalid",
            Reason.NEG_MISSING,
        ),
        (
            "SyncNetworkEndpointGroupFailed",
            'Failed to sync NEG "k8s1-x" (will retry): googleapi: Error 403: Required '
            "'compute.networkEndpointGroups.create' permission for 'projects/p', forbidden",
            Reason.NEG_FAILING,
        ),
    ],
)
def test_group_that_stays_empty_is_told_from_the_events_of_the_service(
    addressed: Cluster, event_reason: str, text: str, reason: Reason
) -> None:
    setup, _ = exposed(addressed)
    assert verified(addressed, setup)["backends"].reason is Reason.BACKENDS_UNHEALTHY
    happens(addressed, "Service", event_reason, text)
    assert verified(addressed, setup)["backends"].reason is reason


def told_of_backends(cluster: Cluster, setup: Setup) -> tuple[Reason | None, str]:
    check = verified(cluster, setup)["backends"]
    return check.reason, check.message


def test_ingress_whose_class_was_changed_is_not_healthy(addressed: Cluster) -> None:
    setup, _ = exposed(addressed)
    report(addressed, "HEALTHY")
    body = {"metadata": {"annotations": {"kubernetes.io/ingress.class": "nginx"}}}
    addressed.space.patch(f"ingresses/{NAME}", body, group=INGRESSES)
    assert verified(addressed, setup)["backends"].reason is Reason.INGRESS_CLASS_CHANGED


def when_the_second_is_over() -> None:
    """Servers write down who wrote what in whole seconds."""
    before = int(time.time())
    until(lambda: int(time.time()) > before)


def test_address_and_health_that_a_change_of_class_left_behind_are_not_believed(addressed: Cluster) -> None:
    """The controller's own order: finalizer, new load balancer, address."""
    finalized(addressed, [FINALIZER])
    report(addressed, "HEALTHY")
    setup, outcome = exposed(addressed)
    assert isinstance(outcome, Done)
    annotate(addressed, "ingresses", INGRESSES, **{"ingress.kubernetes.io/url-map": "k8s2-um"})
    annotate(addressed, "ingresses", INGRESSES, **{"kubernetes.io/ingress.class": "nginx"})
    finalized(addressed, [])
    when_the_second_is_over()
    for is_taken_up, words in ((False, "let go"), (True, "builds the load balancer anew")):
        if is_taken_up:
            finalized(addressed, [FINALIZER])
        for reason, message in (told(exposed(addressed)[1]), told_of_backends(addressed, setup)):
            assert (reason, words in message) == (Reason.LOAD_BALANCER_REPLACED, True)
    address(addressed, "203.0.113.10")
    setup, outcome = exposed(addressed)
    assert (isinstance(outcome, Done), setup.facts.address) == (True, "203.0.113.10")
    assert verified(addressed, setup)["backends"].state is CheckState.PASSED


@pytest.mark.parametrize(
    ("plural", "group", "item", "reason"),
    [
        ("ingresses", INGRESSES, "backends", Reason.INGRESS_NOT_FOUND),
        ("services", "v1", "backends", Reason.SERVICE_NOT_FOUND),
    ],
)
def test_object_that_somebody_deleted_is_told(
    addressed: Cluster, plural: str, group: str, item: str, reason: Reason
) -> None:
    setup, _ = exposed(addressed)
    addressed.space.delete(plural, NAME, group=group)
    assert verified(addressed, setup)[item].reason is reason


def test_secret_that_somebody_broke_is_told(addressed: Cluster) -> None:
    setup, _ = exposed(addressed)
    garbage = {"data": {"tls.crt": b64encode(b"garbage").decode()}}
    assert addressed.space.patch(f"secrets/{NAME}-tls", garbage).code == 200
    assert verified(addressed, setup)["certificate"].reason is Reason.CERTIFICATE_INVALID


def test_managed_certificate_is_told_from_its_status(addressed: Cluster) -> None:
    setup, _ = exposed(addressed, managed=True)
    status = {"status": {"certificateName": "mcrt-1", "certificateStatus": "ProvisioningFailed"}}
    addressed.space.patch(f"managedcertificates/{NAME}-tls/status", status, group=GKE)
    addressed.space.patch(f"managedcertificates/{NAME}-tls", status, group=GKE)
    shared = {"metadata": {"annotations": {"ingress.gcp.kubernetes.io/pre-shared-cert": "mcrt-1"}}}
    addressed.space.patch(f"ingresses/{NAME}", shared, group=INGRESSES)
    found = verified(addressed, setup)["certificate"]
    assert found.reason is Reason.CERTIFICATE_PROVISIONING
    assert "ProvisioningFailed; DNS is right, Google tries again" in found.message
    addressed.space.delete("managedcertificates", f"{NAME}-tls", group=GKE)
    assert verified(addressed, setup)["certificate"].reason is Reason.MANAGED_CERTIFICATE_GONE


# Preparation, and the way back


def refused(cluster: Cluster) -> Permanent | Transient:
    with pytest.raises((Permanent, Transient)) as caught:
        cluster.run_chain()
    return caught.value


def test_annotation_that_cannot_be_merged_into_is_told(cluster: Cluster) -> None:
    install_service(cluster, **{"cloud.google.com/app-protocols": "{"})
    assert refused(cluster).reason is Reason.ANNOTATION_INVALID


def test_secret_of_somebody_else_is_told(cluster: Cluster) -> None:
    install_service(cluster)
    assert cluster.space.create("secrets", {"metadata": {"name": f"{NAME}-tls"}}).code == 201
    assert refused(cluster).reason is Reason.SECRET_NOT_OURS


def finalized(cluster: Cluster, finalizers: list[str]) -> None:
    body = {"metadata": {"finalizers": finalizers}}
    assert cluster.space.patch(f"ingresses/{NAME}", body, group=INGRESSES).code == 200


def test_load_balancer_that_is_not_released_yet_is_waited_for(waiting: Cluster) -> None:
    finalized(waiting, [FINALIZER])
    setup, _ = exposed(waiting)
    leaving = replace(setup, teardown=TearDown())
    work = stage(Stage.TEAR_DOWN, waiting, certificates=x509())
    assert told(work(leaving, datetime.now(UTC)))[0] is Reason.LOAD_BALANCER_RELEASING
    text = "Error during garbage collection: googleapi: Error 400: The ssl_certificate resource is in use"
    happens(waiting, "Ingress", "GarbageCollection", text)
    assert told(work(leaving, datetime.now(UTC)))[0] is Reason.LOAD_BALANCER_STUCK
    with pytest.raises(Transient) as caught:
        exposed(waiting)
    assert caught.value.reason is Reason.OBJECT_BEING_DELETED
    finalized(waiting, [])


def test_sync_that_heals_by_itself_is_no_fault_beside_one_that_does_not(waiting: Cluster) -> None:
    happens(waiting, "Ingress", "Translate", f'{TRANSLATE}could not find service "a/b"; {NEG_RACE}')
    assert told(exposed(waiting)[1])[0] is Reason.SERVICE_PORT_MISSING
