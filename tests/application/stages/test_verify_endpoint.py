from __future__ import annotations

from dataclasses import replace

import pytest

from milvus_l7.domain.frontend import ingress_objects
from milvus_l7.domain.frontend.ingress_objects import Attachments
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Permanent, Transient
from milvus_l7.domain.setup.facts import Check, CheckState
from milvus_l7.domain.setup.outcome import Done, Failed, Outcome, Waiting
from milvus_l7.ports import Endpoint
from tests.builders import desired
from tests.fakes.finished_setup import ADDRESS, DOMAIN, FACTS, PEM, SERVICE, World, manifest

NAMES = ["rollout", "certificate", "backends", "dns", "tls", "milvus"]


@pytest.fixture
def world() -> World:
    return World()


def checks(outcome: Outcome) -> dict[str, Check]:
    assert outcome.facts is not None
    assert [check.name for check in outcome.facts.checklist] == NAMES
    return {check.name: check for check in outcome.facts.checklist}


def states(outcome: Outcome) -> list[str]:
    return [str(check.state) for check in checks(outcome).values()]


def test_finished_setup_is_done_with_everything_passed(world: World) -> None:
    outcome = world.verify()
    assert isinstance(outcome, Done)
    assert states(outcome) == ["passed"] * 6
    assert outcome.facts is not None
    assert outcome.facts.milvus_version == "v2.6.15"


def test_roll_out_is_waited_for_with_all_that_its_pods_decide_pending(world: World) -> None:
    world.put_deployment(available=0)
    world.put_ingress("UNHEALTHY")
    outcome = world.verify()
    assert isinstance(outcome, Waiting)
    assert outcome.reason is Reason.ROLLOUT_IN_PROGRESS
    assert outcome.message.startswith("rollout: Deployment my-release-milvus-proxy: 0 of 1 updated Pods")
    assert states(outcome) == ["pending", "passed", "pending", "passed", "passed", "pending"]
    waiting = checks(outcome)
    assert {waiting[name].message for name in ("backends", "milvus")} == {"waits for rollout"}
    assert {waiting[name].reason for name in ("backends", "milvus")} == {Reason.ROLLOUT_IN_PROGRESS}
    assert world.probe.looks == []


def test_pod_that_crashes_fails_the_roll_out_and_nothing_that_waits_for_it(world: World) -> None:
    world.crash_pod()
    world.put_ingress("Unknown")
    outcome = world.verify()
    assert isinstance(outcome, Waiting)
    assert outcome.reason is Reason.PODS_CRASHING
    assert "my-release-milvus-1" in outcome.message
    assert states(outcome) == ["failed", "passed", "pending", "passed", "passed", "pending"]


def test_what_does_not_come_from_the_pods_is_told_during_the_roll_out(world: World) -> None:
    world.put_deployment(available=0)
    world.put_ingress("Unknown")
    world.warn("Translate", 'Translation failed: could not find port "19530" in service "default/x"')
    assert checks(world.verify())["backends"].reason is Reason.SERVICE_PORT_MISSING


def test_certificate_that_is_gone_is_not_waited_for_because_of_a_roll_out(world: World) -> None:
    world.put_deployment(available=0)
    world.remove("Secret")
    outcome = world.verify()
    assert isinstance(outcome, Failed)
    assert outcome.reason is Reason.CERTIFICATE_INVALID


def test_roll_outs_of_other_releases_and_of_subcharts_do_not_matter(world: World) -> None:
    world.put_service({"milvus": "HTTP2"}, name="milvus")
    labels = {"app.kubernetes.io/instance": "my-release", "app.kubernetes.io/name": "milvus"}
    for deployment in (each for ref, each in world.kube.stored.items() if ref.kind == "Deployment"):
        deployment["metadata"]["labels"] = labels
    world.put_deployment(available=0, release="other")
    etcd = manifest("apps/v1", "StatefulSet", "my-release-etcd")
    etcd["metadata"]["labels"] = {**labels, "app.kubernetes.io/name": "etcd"}
    world.kube.put({**etcd, "spec": {"replicas": 3}, "status": {}})
    assert isinstance(world.verify(), Done)


def test_checklist_of_an_earlier_release_without_a_roll_out_is_worked_through_anew(world: World) -> None:
    world.put_deployment(available=0)
    earlier = (Check("certificate", CheckState.PASSED), Check("milvus", CheckState.PASSED))
    assert states(world.verify(replace(FACTS, checklist=earlier)))[0] == "pending"


def test_verifying_writes_nothing(world: World) -> None:
    before = world.versions()
    world.verify()
    assert world.versions() == before


def test_milvus_is_asked_at_the_address_in_the_name_of_the_domain(world: World) -> None:
    world.verify()
    assert world.probe.looks == [(Endpoint(ADDRESS, DOMAIN, PEM), False)]


def test_deep_verification_is_passed_on(world: World) -> None:
    world.verify(deep_verification=True)
    assert [deep for _, deep in world.probe.looks] == [True]


def test_dns_that_does_not_lead_here_is_shown_and_stops_nothing(world: World) -> None:
    world.resolver.known = {}
    outcome = world.verify()
    assert isinstance(outcome, Done)
    dns = checks(outcome)["dns"]
    assert (dns.state, dns.required) == (CheckState.FAILED, False)
    assert f"{DOMAIN}. A {ADDRESS}" in dns.message


def test_unhealthy_backends_of_ready_pods_are_told_apart(world: World) -> None:
    world.put_ingress("UNHEALTHY")
    world.probe.version = None
    world.put_pod("True")
    assert world.verify().reason is Reason.BACKENDS_UNHEALTHY_PODS_READY  # type: ignore[union-attr]
    world.put_pod("False")
    assert world.verify().reason is Reason.BACKENDS_UNHEALTHY  # type: ignore[union-attr]


def test_milvus_is_not_asked_at_an_address_that_a_change_of_class_left_behind(world: World) -> None:
    (live,) = [o for ref, o in world.kube.stored.items() if ref.kind == "Ingress"]
    live["metadata"]["annotations"]["kubernetes.io/ingress.class"] = "nginx"
    outcome = world.verify()
    assert isinstance(outcome, Failed)
    assert outcome.reason is Reason.INGRESS_CLASS_CHANGED
    assert world.probe.looks == []


def test_pods_of_other_services_say_nothing_of_the_backends(world: World) -> None:
    world.put_ingress("UNHEALTHY")
    world.probe.version = None
    world.put_pod("True", component="datanode")
    assert world.verify().reason is Reason.BACKENDS_UNHEALTHY  # type: ignore[union-attr]


def test_controllers_warning_explains_backends_that_are_not_there(world: World) -> None:
    world.put_ingress("Unknown")
    world.probe.version = None
    world.warn("Translate", 'Translation failed: could not find port "19530" in service "default/x"')
    outcome = world.verify()
    assert isinstance(outcome, Waiting)
    assert outcome.reason is Reason.SERVICE_PORT_MISSING


def test_controllers_warning_explains_a_handshake_that_fails(world: World) -> None:
    world.probe.sha256 = None
    world.warn("Sync", "Error syncing to GCP: googleapi: Error 403: Quota 'SSL_CERTIFICATES' exceeded")
    assert checks(world.verify())["tls"].reason is Reason.QUOTA_EXCEEDED


def test_controllers_warning_does_not_matter_when_everything_works(world: World) -> None:
    world.warn("Sync", "Error syncing to GCP: googleapi: Error 500")
    assert isinstance(world.verify(), Done)


CERTIFICATE_REFUSED = (
    "Error syncing to GCP: error running load balancer syncing routine: loadbalancer 0123-default-milvus-89 "
    "does not exist: Cert creation failures - k8s2-cr-0123-89ab-cdef Error:googleapi: Error 400: The SSL "
    "certificate could not be parsed., sslCertificateCouldNotParseCert"
)


def attach(world: World, *secrets: str) -> None:
    world.kube.apply(
        ingress_objects.ingress(desired(), SERVICE, Attachments((DOMAIN,), (), secrets)), force=True
    )


def test_broken_secret_beside_ours_is_told_and_taken_off_the_ingress(world: World) -> None:
    """A switch that hung: the old certificate is served, because the controller fails on a third one."""
    world.put_pair("theirs", "nonsense")
    attach(world, "my-release-milvus-tls", "theirs")
    world.probe.sha256 = "f" * 64
    world.warn("Sync", CERTIFICATE_REFUSED)
    outcome = world.verify()
    assert isinstance(outcome, Waiting)
    assert outcome.reason is Reason.RETIRING_CERTIFICATE
    tls = checks(outcome)["tls"]
    assert tls.reason is Reason.TLS_ENTRY_WITHOUT_SECRET
    assert "Secret theirs: tls.crt holds no certificate" in tls.message
    assert "its owner must correct it" in tls.message
    assert [entry["secretName"] for entry in world.ingress["spec"]["tls"]] == ["my-release-milvus-tls"]


@pytest.mark.parametrize(
    ("event_reason", "message", "reason"),
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
        (
            "SyncNetworkEndpointGroupFailed",
            'Failed to sync NEG "k8s1-x" (will retry): googleapi: Error 403: Quota '
            "'NETWORK_ENDPOINT_GROUPS' exceeded.  Limit: 10.0 in region us-central1., quotaExceeded",
            Reason.QUOTA_EXCEEDED,
        ),
        (
            "ProcessServiceFailed",
            'error processing service "default/my-release-milvus": NEG annotation is invalid.',
            Reason.NEG_MISSING,
        ),
        (
            "EnterDegradedMode",
            "Entering degraded mode for NEG default/my-release-milvus-k8s1-x due to sync err: node not found",
            Reason.NEG_FAILING,
        ),
        (
            "AttachFailed",
            'Failed to Attach 1 network endpoint(s) (NEG "k8s1-x" in zone "us-central1-a"): googleapi: Error '
            "503: Internal error, backendError",
            Reason.BACKENDS_UNHEALTHY,
        ),
    ],
)
@pytest.mark.parametrize("state", ["UNHEALTHY", "Unknown"])
def test_events_of_the_service_explain_a_group_that_never_gets_healthy(
    world: World, state: str, event_reason: str, message: str, reason: Reason
) -> None:
    world.put_ingress(state)
    world.probe.version = None
    world.warn(event_reason, message, "Service")
    found = checks(world.verify())["backends"]
    assert (found.state, found.reason) == (CheckState.FAILED, reason)
    assert message[:40] in found.message
    world.happens("Normal", "Attach", "Attach 2 network endpoint(s)", "Service")
    assert checks(world.verify())["backends"].reason is Reason.BACKENDS_UNHEALTHY


def test_endpoint_that_cannot_be_taken_out_keeps_none_from_getting_healthy(world: World) -> None:
    world.put_ingress("Unknown")
    world.probe.version = None
    world.warn("DetachFailed", "Failed to Detach 1 network endpoint(s)", "Service")
    assert checks(world.verify())["backends"].state is CheckState.PENDING


@pytest.mark.parametrize("kind", ["Ingress", "Service"])
def test_firewall_that_is_left_to_an_admin_is_told(world: World, kind: str) -> None:
    world.put_ingress("UNHEALTHY")
    world.probe.version = None
    world.put_pod("True")
    asked = "Firewall change required by security admin: `gcloud compute firewall-rules create k8s`"
    world.happens("Normal", "XPN", asked, kind)
    found = checks(world.verify())["backends"]
    assert found.reason is Reason.BACKENDS_UNHEALTHY_PODS_READY
    assert asked in found.message


@pytest.mark.parametrize("spoil", ["backends", "tls"])
def test_without_the_right_to_list_events_it_still_verifies_and_says_what_it_does_not_see(
    world: World, spoil: str
) -> None:
    world.warn("Sync", "Error syncing to GCP: googleapi: Error 403: Quota 'SSL_CERTIFICATES' exceeded")
    world.kube.forbids_events = True
    assert isinstance(world.verify(), Done)
    if spoil == "tls":
        world.probe.sha256 = None
    else:
        world.put_ingress("Unknown")
        world.probe.version = None
    outcome = world.verify()
    assert isinstance(outcome, Waiting)
    assert "no right to list" in checks(outcome)[spoil].message


def test_name_server_that_is_down_says_nothing_of_the_domain(world: World) -> None:
    world.resolver.is_down = True
    outcome = world.verify()
    assert isinstance(outcome, Done)
    assert checks(outcome)["dns"].state is CheckState.PENDING


def test_load_balancer_without_tls_yet_is_waited_for(world: World) -> None:
    world.probe.sha256 = None
    outcome = world.verify()
    assert isinstance(outcome, Waiting)
    assert outcome.reason is Reason.TLS_NOT_SERVED
    assert states(outcome) == ["passed", "passed", "passed", "passed", "failed", "pending"]
    assert world.probe.looks == []


def test_other_certificate_served_is_waited_for_and_not_trusted(world: World) -> None:
    world.probe.sha256 = "f" * 64
    outcome = world.verify()
    assert isinstance(outcome, Waiting)
    assert outcome.reason is Reason.OTHER_CERTIFICATE_SERVED
    assert world.probe.looks == []


def test_unhealthy_backends_come_before_the_milvus_that_does_not_answer(world: World) -> None:
    world.put_ingress("UNHEALTHY")
    world.probe.version = None
    outcome = world.verify()
    assert isinstance(outcome, Waiting)
    assert outcome.reason is Reason.BACKENDS_UNHEALTHY
    assert states(outcome) == ["passed", "passed", "failed", "passed", "passed", "failed"]


@pytest.mark.parametrize("state", ["UNHEALTHY", "Unknown"])
def test_milvus_that_answers_outranks_an_old_report(world: World, state: str) -> None:
    world.put_ingress(state)
    assert isinstance(world.verify(), Done)


def test_wrong_port_name_is_told_by_name_although_health_checks_pass(world: World) -> None:
    world.put_service({"grpc": "HTTP2"})
    world.probe.version = None
    outcome = world.verify()
    assert isinstance(outcome, Waiting)
    assert outcome.reason is Reason.BACKEND_NOT_HTTP2
    milvus = checks(outcome)["milvus"]
    assert milvus.state is CheckState.FAILED
    assert '{"grpc": "HTTP2"}' in milvus.message
    assert '"milvus"' in milvus.message


def test_milvus_that_does_not_answer_is_waited_for_with_what_pymilvus_said(world: World) -> None:
    world.probe.version = None
    outcome = world.verify()
    assert isinstance(outcome, Waiting)
    assert outcome.reason is Reason.MILVUS_UNREACHABLE
    assert "upstream reset" in outcome.message


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("Secret", Reason.CERTIFICATE_INVALID),
        ("Service", Reason.SERVICE_NOT_FOUND),
        ("Ingress", Reason.INGRESS_NOT_FOUND),
    ],
)
def test_object_that_vanished_fails_and_the_client_is_not_bothered(
    world: World, kind: str, reason: Reason
) -> None:
    world.remove(kind)
    outcome = world.verify()
    assert isinstance(outcome, Failed)
    assert outcome.reason is reason
    assert states(outcome)[4:] == ["pending", "pending"]
    assert world.probe.looks == []


def test_secret_with_another_certificate_fails(world: World) -> None:
    world.put_secret(PEM.replace("YSBj", "YiBj"))
    outcome = world.verify()
    assert isinstance(outcome, Failed)
    assert outcome.reason is Reason.CERTIFICATE_INVALID


def test_everything_that_has_not_passed_has_a_reason(world: World) -> None:
    world.remove("Secret")
    world.resolver.known = {}
    assert all(
        check.reason for check in checks(world.verify()).values() if check.state is not CheckState.PASSED
    )


def test_address_that_the_controller_changed_is_verified_and_kept(world: World) -> None:
    world.put_ingress("HEALTHY", "192.0.2.77")
    outcome = world.verify()
    assert outcome.facts is not None
    assert outcome.facts.address == "192.0.2.77"
    assert [endpoint.address for endpoint, _ in world.probe.looks] == ["192.0.2.77"]


def test_address_that_is_not_reported_is_no_evidence_of_absence(world: World) -> None:
    (ref,) = [ref for ref in world.kube.stored if ref.kind == "Ingress"]
    del world.kube.stored[ref]["status"]
    assert isinstance(world.verify(), Done)


def test_no_address_at_all_is_waited_for(world: World) -> None:
    world.remove("Ingress")
    with pytest.raises(Transient) as caught:
        world.verify(replace(FACTS, address=None))
    assert caught.value.reason is Reason.ADDRESS_PENDING


@pytest.mark.parametrize("missing", ["service", "certificate"])
def test_missing_facts_of_earlier_stages_are_refused_clearly(world: World, missing: str) -> None:
    with pytest.raises(Permanent):
        world.verify(replace(FACTS, **{missing: None}))
