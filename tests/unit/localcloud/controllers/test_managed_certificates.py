"""ManagedCertificates in the emulated cluster, driven with hand-made objects."""

from __future__ import annotations

from typing import Any

import pytest

from localcloud.authority import Authority
from localcloud.controllers.certificates.managed_certificates import ManagedCertificates
from localcloud.controllers.certificates.ssl_certificates import InUse, SslCertificates
from localcloud.controllers.certificates.visibility import DomainStatus
from localcloud.controllers.delays import Delays
from localcloud.controllers.object_annotations import MANAGED_CERTIFICATES, PRE_SHARED_CERT, listed
from localcloud.controllers.quirks import Quirks

Object = dict[str, Any]

ADDRESS = "192.0.2.1"
AT_ONCE = Delays(certificate_s=0, edge_s=0, resync_s=0, retry_cap_s=0)
AUTHORITY = Authority()


class Cluster:
    """Store and client of the controller in one."""

    def __init__(self, delays: Delays = AT_ONCE) -> None:
        self.objects: dict[str, dict[str, Object]] = {"managedcertificates": {}, "ingresses": {}}
        self.events: list[tuple[str, str]] = []
        self.patches = 0
        self.dns: dict[tuple[str, str], tuple[str, ...]] = {}
        self.ssl = SslCertificates(AUTHORITY, lambda name, kind: self.dns.get((name, kind), ()))
        self.controller = ManagedCertificates(self, self, self.ssl)  # type: ignore[arg-type]
        self.controller.delays = self.ssl.delays = delays

    def add(self, kind: str, name: str, **rest: Any) -> Object:
        metadata = {"name": name, "namespace": "default", "uid": name, "annotations": {}}
        names = {"apiVersion": "v1", "kind": kind}
        self.objects[kind][name] = {**names, "metadata": metadata, "spec": {}, **rest}
        return self.objects[kind][name]

    def certificate(self, name: str, *domains: str) -> Object:
        return self.add("managedcertificates", name, spec={"domains": list(domains)})

    def ingress(self, *certificates: str) -> Object:
        ingress = self.add("ingresses", "ing")
        ingress["metadata"]["annotations"][MANAGED_CERTIFICATES] = ", ".join(certificates)
        return ingress

    def list(self, kind: str) -> list[Object]:
        return list(self.objects[kind].values())

    def create(self, path: str, body: Object) -> None:
        self.events.append((body["reason"], body["message"]))

    def patch(self, path: str, body: Object) -> None:
        if "/events/" in path:
            return
        self.patches += 1
        *_, kind, name = path.split("/")
        item = self.objects[kind][name]
        item["metadata"]["annotations"].update(body.get("metadata", {}).get("annotations", {}))
        item["status"] = body.get("status", item.get("status"))

    def rounds(self, count: int = 3) -> None:
        """Some rounds of this controller, with the Ingress controller's part in between."""
        for _ in range(count):
            self.controller.reconcile()
            self.attach()

    def attach(self) -> None:
        for ingress in self.list("ingresses"):
            self.ssl.use("lb", self.attached(ingress), ADDRESS)

    def attached(self, ingress: Object) -> list[str]:
        return listed(ingress["metadata"]["annotations"].get(PRE_SHARED_CERT))

    def named(self, item: Object) -> str:
        return str(item["status"]["certificateName"])


def state(item: Object) -> tuple[str, dict[str, str]]:
    domains = {entry["domain"]: entry["status"] for entry in item["status"]["domainStatus"]}
    return item["status"]["certificateStatus"], domains


@pytest.fixture
def cluster() -> Cluster:
    found = Cluster()
    found.dns[("a.example", "A")] = (ADDRESS,)
    return found


def test_certificate_is_active_only_once_it_is_attached_though_dns_was_right_before(cluster: Cluster) -> None:
    item = cluster.certificate("one", "a.example")
    cluster.rounds()
    assert state(item) == ("Provisioning", {"a.example": "FailedNotVisible"})
    cluster.ingress("one")
    cluster.rounds()
    assert state(item) == ("Active", {"a.example": "Active"})
    assert item["status"]["expireTime"].endswith("Z")
    assert cluster.events == [("Create", f"Create SslCertificate {cluster.named(item)}")]


def test_one_domain_that_is_not_visible_holds_the_others_back(cluster: Cluster) -> None:
    item = cluster.certificate("one", "a.example", "b.example")
    cluster.ingress("one")
    cluster.rounds()
    assert state(item) == ("Provisioning", {"a.example": "Provisioning", "b.example": "FailedNotVisible"})
    cluster.dns[("b.example", "A")] = (ADDRESS,)
    cluster.rounds(1)
    assert state(item)[0] == "Active"
    assert len(cluster.ssl.served([cluster.named(item)])) == 1


def test_after_the_last_attempt_it_has_failed_for_good_whatever_dns_says_then() -> None:
    cluster = Cluster(Delays(certificate_s=0, edge_s=0, certificate_attempts=2))
    item = cluster.certificate("one", "a.example")
    cluster.ingress("one")
    cluster.rounds(4)
    cluster.dns[("a.example", "A")] = (ADDRESS,)
    cluster.rounds(4)
    assert state(item) == ("ProvisioningFailedPermanently", {"a.example": "FailedNotVisible"})


def test_a_refusing_authority_is_told_by_domain(cluster: Cluster) -> None:
    cluster.ssl.refuse("a.example", DomainStatus.FAILED_RATE_LIMITED)
    item = cluster.certificate("one", "a.example")
    cluster.ingress("one")
    cluster.rounds()
    assert state(item) == ("Provisioning", {"a.example": "FailedRateLimited"})
    cluster.ssl.refuse("a.example", None)
    cluster.rounds(1)
    assert state(item)[0] == "Active"


def test_failed_renewal_leaves_the_old_certificate_in_service(cluster: Cluster) -> None:
    item = cluster.certificate("one", "a.example")
    cluster.ingress("one")
    cluster.rounds()
    before = cluster.ssl.served([cluster.named(item)])
    cluster.dns.clear()
    cluster.ssl.renew()
    cluster.rounds(1)
    assert state(item) == ("RenewalFailed", {"a.example": "FailedNotVisible"})
    assert cluster.ssl.served([cluster.named(item)]) == before


def test_one_missing_name_blocks_all_others_of_the_ingress(cluster: Cluster) -> None:
    item = cluster.certificate("one", "a.example")
    ingress = cluster.ingress("one", "typo")
    cluster.rounds()
    assert cluster.attached(ingress) == []
    assert state(item)[0] == "Provisioning"
    assert ("MissingCertificate", "ManagedCertificate default:typo missing") in cluster.events


def test_pre_shared_certificates_of_others_stay_and_all_are_sorted(cluster: Cluster) -> None:
    ingress = cluster.ingress("one")
    ingress["metadata"]["annotations"][PRE_SHARED_CERT] = "zz-foreign"
    item = cluster.certificate("one", "a.example")
    cluster.rounds()
    assert cluster.attached(ingress) == [cluster.named(item), "zz-foreign"]


def test_of_two_certificates_for_a_domain_the_older_one_comes_first(cluster: Cluster) -> None:
    ingress = cluster.ingress("new", "old")
    old = cluster.certificate("old", "a.example")
    cluster.rounds()
    new = cluster.certificate("new", "a.example", "b.example")
    cluster.rounds()
    assert cluster.attached(ingress) == [cluster.named(old), cluster.named(new)]


def test_removing_a_name_from_the_annotation_does_not_detach(cluster: Cluster) -> None:
    item = cluster.certificate("one", "a.example")
    ingress = cluster.ingress("one")
    cluster.rounds()
    ingress["metadata"]["annotations"][MANAGED_CERTIFICATES] = ""
    cluster.rounds()
    assert cluster.attached(ingress) == [cluster.named(item)]


def test_deleted_one_stays_attached_until_its_name_leaves_the_annotation(cluster: Cluster) -> None:
    item = cluster.certificate("one", "a.example")
    ingress = cluster.ingress("one")
    cluster.rounds()
    del cluster.objects["managedcertificates"]["one"]
    cluster.rounds()
    assert cluster.attached(ingress) == [cluster.named(item)]
    ingress["metadata"]["annotations"][MANAGED_CERTIFICATES] = ""
    cluster.rounds()
    assert cluster.attached(ingress) == []
    assert cluster.ssl.names() == frozenset()


def test_editing_the_domains_takes_the_certificate_away_and_makes_another_of_its_name(
    cluster: Cluster,
) -> None:
    item = cluster.certificate("one", "a.example")
    ingress = cluster.ingress("one")
    cluster.rounds()
    before = cluster.named(item)
    item["spec"]["domains"].append("b.example")
    cluster.controller.reconcile()
    assert cluster.attached(ingress) == []  # the outage
    assert [reason for reason, _ in cluster.events] == ["Create", "BackendError"]
    cluster.attach()
    cluster.rounds()
    assert cluster.attached(ingress) == [cluster.named(item)] == [before]
    assert state(item)[0] == "Provisioning"


def test_quota_that_is_used_up_is_told_on_the_certificate_alone_and_its_name_is_attached(
    cluster: Cluster,
) -> None:
    cluster.ssl.limit = 0
    item, ingress = cluster.certificate("one", "a.example"), cluster.ingress("one")
    cluster.rounds()
    assert "status" not in item
    assert len(cluster.attached(ingress)) == 1
    ((reason, message),) = set(cluster.events)
    assert reason == "TooManyCertificates"
    assert message == (
        "googleapi: Error 403: Quota 'SSL_CERTIFICATES' exceeded.  Limit: 0.0 globally., quotaExceeded"
    )
    cluster.ssl.limit = 1
    cluster.rounds()
    assert cluster.attached(ingress) == [cluster.named(item)]
    assert cluster.events[-1][0] == "Create"


def test_certificate_that_finds_no_room_at_first_is_made_at_the_next_try(cluster: Cluster) -> None:
    cluster.ssl.quirks = Quirks(quota_race=True)
    cluster.certificate("one", "a.example")
    cluster.rounds()
    assert [reason for reason, _ in cluster.events] == ["TooManyCertificates", "Create"]


def test_other_refusals_are_told_on_the_certificate_alone(cluster: Cluster) -> None:
    cluster.ssl.break_down("operation operation-1 failed: FORBIDDEN")
    item = cluster.certificate("one", "a.example")
    cluster.rounds()
    assert set(cluster.events) == {("BackendError", "operation operation-1 failed: FORBIDDEN")}
    assert "status" not in item


def test_certificates_of_secrets_count_towards_the_quota(cluster: Cluster) -> None:
    cluster.ssl.limit = 2
    cluster.ssl.count("lb", 2)
    assert (cluster.ssl.left(), cluster.ssl.left("lb")) == (0, 2)


def test_attempt_that_failed_can_show_in_the_certificate_as_a_whole(cluster: Cluster) -> None:
    cluster.ssl.quirks = Quirks(reports_failed_attempts=True)
    cluster.dns.clear()
    item = cluster.certificate("one", "a.example")
    cluster.ingress("one")
    cluster.rounds()
    assert state(item)[0] == "ProvisioningFailed"
    cluster.dns[("a.example", "A")] = (ADDRESS,)
    cluster.rounds()
    assert state(item)[0] == "Active"


def test_with_separate_queues_a_deleted_one_is_detached_only_at_the_next_resync(cluster: Cluster) -> None:
    cluster.controller.quirks = Quirks(separate_queues=True)
    item = cluster.certificate("one", "a.example")
    ingress = cluster.ingress("one")
    cluster.rounds()
    cluster.controller.delays = Delays(certificate_s=0, edge_s=0, resync_s=3600)
    ingress["metadata"]["annotations"][MANAGED_CERTIFICATES] = ""
    ingress["metadata"]["resourceVersion"] = "2"
    del cluster.objects["managedcertificates"]["one"]
    cluster.rounds()
    assert cluster.attached(ingress) == [cluster.named(item)]
    cluster.controller.delays = AT_ONCE
    cluster.rounds()
    assert cluster.attached(ingress) == []


def test_foreign_class_is_left_alone(cluster: Cluster) -> None:
    cluster.certificate("one", "a.example")
    ingress = cluster.ingress("one")
    ingress["metadata"]["annotations"]["kubernetes.io/ingress.class"] = "nginx"
    cluster.rounds()
    assert cluster.attached(ingress) == []


def test_a_round_without_news_writes_nothing(cluster: Cluster) -> None:
    cluster.certificate("one", "a.example")
    cluster.ingress("one")
    cluster.rounds()
    before = cluster.patches
    cluster.rounds()
    assert cluster.patches == before


def test_resource_in_use_cannot_be_deleted(cluster: Cluster) -> None:
    cluster.ssl.create("mcrt-1", ["a.example"])
    cluster.ssl.use("lb", ["mcrt-1"], ADDRESS)
    with pytest.raises(InUse, match="resourceInUseByAnotherResource"):
        cluster.ssl.delete("mcrt-1")
    cluster.ssl.use("lb", [], "")
    cluster.ssl.delete("mcrt-1")
    assert cluster.ssl.find("mcrt-1") is None


def test_certificate_is_served_some_time_after_it_is_active() -> None:
    cluster = Cluster(Delays(certificate_s=0, edge_s=3600))
    cluster.dns[("a.example", "A")] = (ADDRESS,)
    item = cluster.certificate("one", "a.example")
    cluster.ingress("one")
    cluster.rounds()
    assert state(item)[0] == "Active"
    assert cluster.ssl.served([cluster.named(item)]) == ()
