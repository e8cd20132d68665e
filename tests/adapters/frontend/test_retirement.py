"""Retiring: what no longer serves goes, in an order that keeps something serving, and only if it is ours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from milvus_l7.adapters.frontend import retirement
from milvus_l7.adapters.frontend.secret_inspection import SecretInspection
from milvus_l7.domain.certificates import certificate_objects
from milvus_l7.domain.kubernetes.change import Plan
from milvus_l7.domain.reasons.errors import Transient
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.desired import CertificateSpec, CertificateType
from milvus_l7.domain.setup.document import Setup
from milvus_l7.domain.setup.facts import CertificateFacts, Facts, ManagedFacts, ServiceFacts
from milvus_l7.ports import ObjectRef
from tests.builders import new_setup
from tests.fakes.kube_objects import FakeKubeObjects, OneCluster
from tests.fakes.ports import stage
from tests.fakes.provisioning import FakeCertificates, pair
from tests.fakes.state import START

NAME = "my-release-milvus"
TLS = f"{NAME}-tls"
SERVICE = ServiceFacts(NAME, "milvus", 19530)
INGRESS = ObjectRef("networking.k8s.io/v1", "Ingress", "default", NAME)
SECRET = ObjectRef("v1", "Secret", "default", TLS)
MANAGED = ObjectRef("networking.gke.io/v1", "ManagedCertificate", "default")
PAIR = pair(1)
ANNOTATION = "networking.gke.io/managed-certificates"


def self_managed(secret: str = TLS, **changes: Any) -> Setup:
    certificate = CertificateFacts(secret, "pem", "00", START + timedelta(days=9))
    return replace(new_setup(**changes), facts=Facts(service=SERVICE, certificate=certificate))


def google_managed(name: str = TLS, **changes: Any) -> Setup:
    setup = new_setup(certificate=CertificateSpec(CertificateType.GOOGLE_MANAGED), **changes)
    facts = self_managed().facts
    return replace(setup, facts=replace(facts, managed=ManagedFacts(name, setup.desired.domains)))


@dataclass
class Recording(FakeKubeObjects):
    """Keeps the writes in order; `kill_after` of them the process ends."""

    done: list[str] = field(default_factory=list)
    kill_after: int = 99

    def delete(self, live: Any) -> None:
        super().delete(live)
        self._note(f"delete {live['kind']} {live['metadata']['name']}")

    def apply(self, manifest: Any, *, dry_run: bool = False, **options: Any) -> Any:
        made = super().apply(manifest, dry_run=dry_run, **options)
        if not dry_run:
            self._note(f"apply {manifest['kind']}")
        return made

    def _note(self, what: str) -> None:
        self.done.append(what)
        if len(self.done) == self.kill_after:
            raise KeyboardInterrupt


@dataclass
class World:
    kube: Recording = field(default_factory=Recording)

    def attach(self, setup: Setup) -> None:
        managed = setup.facts.managed
        if managed is not None:
            self.kube.create(certificate_objects.managed_certificate(setup.desired, managed.name))
        elif setup.facts.certificate is not None:
            name = setup.facts.certificate.secret
            self.kube.create(certificate_objects.tls_secret(setup.desired, name, PAIR))
        stage(Stage.CREATE_INGRESS, OneCluster(self.kube), certificates=FakeCertificates())(setup, START)
        self.kube.done.clear()

    def controllers_say(self, served: str, pre_shared: str) -> None:
        said = {"ingress.kubernetes.io/ssl-cert": served}
        said["ingress.gcp.kubernetes.io/pre-shared-cert"] = pre_shared
        self.kube.stored[INGRESS]["metadata"]["annotations"] |= said

    def retire(self, setup: Setup, *, verified: bool = True) -> Plan:
        return retirement.retire(
            SecretInspection(self.kube, FakeCertificates(), START), setup, verified=verified
        )

    def names(self, kind: str) -> list[str]:
        return sorted(ref.name for ref in self.kube.stored if ref.kind == kind)

    @property
    def annotation(self) -> str | None:
        return self.kube.stored[INGRESS]["metadata"]["annotations"].get(ANNOTATION)

    @property
    def tls(self) -> list[dict[str, str]] | None:
        return self.kube.stored[INGRESS]["spec"].get("tls")


@pytest.fixture
def world() -> World:
    return World()


def switched_to_google(world: World) -> Setup:
    world.attach(self_managed())
    world.attach(google_managed())
    return google_managed()


def switched_to_secret(world: World) -> Setup:
    world.attach(google_managed())
    setup = self_managed()
    world.attach(setup)
    return replace(setup, facts=replace(setup.facts, managed=google_managed().facts.managed))


def changed_domain(world: World) -> Setup:
    world.attach(google_managed())
    setup = google_managed(f"{TLS}-2", domain="new.io")
    world.attach(setup)
    return setup


def changed_domain_of_secret(world: World) -> Setup:
    world.attach(self_managed())
    setup = self_managed(f"{TLS}-2", domain="new.io")
    world.attach(setup)
    return setup


def test_a_verified_managed_certificate_detaches_our_secret_and_leaves_it_for_the_way_back(
    world: World,
) -> None:
    setup = switched_to_google(world)
    assert world.retire(setup)
    assert world.kube.done == ["apply Ingress"]
    assert (world.tls, world.annotation, world.names("Secret")) == (None, TLS, [TLS])


def test_a_verified_secret_detaches_the_one_before_with_its_host_and_leaves_it(world: World) -> None:
    setup = changed_domain_of_secret(world)
    assert world.tls == [{"secretName": f"{TLS}-2"}, {"secretName": TLS}]
    assert world.retire(setup)
    assert (world.kube.done, world.tls) == (["apply Ingress"], [{"secretName": f"{TLS}-2"}])
    assert [rule["host"] for rule in world.kube.stored[INGRESS]["spec"]["rules"]] == ["new.io"]
    assert world.names("Secret") == [TLS, f"{TLS}-2"]


def test_a_secret_on_which_the_controller_fails_is_taken_off_before_all_is_verified(world: World) -> None:
    setup = changed_domain_of_secret(world)
    del world.kube.stored[SECRET]
    assert world.retire(setup, verified=False)
    assert world.tls == [{"secretName": f"{TLS}-2"}]
    assert len(world.kube.stored[INGRESS]["spec"]["rules"]) == 2
    assert world.retire(setup, verified=False) == ()


def test_a_verified_managed_certificate_retires_the_one_before_and_its_host(world: World) -> None:
    setup = changed_domain(world)
    changes = world.retire(setup)
    assert world.kube.done == [f"delete ManagedCertificate {TLS}", "apply Ingress"]
    assert (world.annotation, world.names("ManagedCertificate")) == (f"{TLS}-2", [f"{TLS}-2"])
    assert [rule["host"] for rule in world.kube.stored[INGRESS]["spec"]["rules"]] == ["new.io"]
    assert {change.target for change in changes} == {
        f"ManagedCertificate default/{TLS}",
        f"Ingress default/{NAME}",
    }


def test_the_plan_names_what_was_deleted(world: World) -> None:
    changes = world.retire(changed_domain(world))
    deleted = next(change for change in changes if change.target == f"ManagedCertificate default/{TLS}")
    assert (deleted.before, deleted.after) == ("present", None)


def test_a_managed_certificate_goes_when_the_load_balancer_has_the_secret_too(world: World) -> None:
    setup = switched_to_secret(world)
    world.controllers_say("mcrt-1", "mcrt-1")
    assert world.retire(setup, verified=False) == ()
    world.controllers_say("mcrt-1,k8s2-cr-1", "mcrt-1")
    assert world.retire(setup, verified=False)
    assert world.kube.done == [f"delete ManagedCertificate {TLS}", "apply Ingress"]
    assert (world.annotation, world.tls) == (None, [{"secretName": TLS}])
    assert world.names("Secret") == [TLS]


@pytest.mark.parametrize("arrange", [switched_to_google, changed_domain, changed_domain_of_secret])
def test_nothing_goes_before_all_is_verified(world: World, arrange: Callable[[World], Setup]) -> None:
    setup = arrange(world)
    before = dict(world.kube.stored)
    assert world.retire(setup, verified=False) == ()
    assert (world.kube.stored, world.kube.done) == (before, [])


@pytest.mark.parametrize(
    ("arrange", "kill_after"),
    [
        (switched_to_google, 1),
        (switched_to_secret, 1),
        (switched_to_secret, 2),
        (changed_domain, 1),
        (changed_domain, 2),
        (changed_domain_of_secret, 1),
    ],
)
def test_killed_half_way_the_next_call_does_the_rest(
    world: World, arrange: Callable[[World], Setup], kill_after: int
) -> None:
    setup = arrange(world)
    secrets = world.names("Secret")
    world.controllers_say("mcrt-1,k8s2-cr-1", "mcrt-1")
    world.kube.kill_after = kill_after
    with pytest.raises(KeyboardInterrupt):
        world.retire(setup)
    world.kube.kill_after = 99
    world.retire(setup)
    kept = [setup.facts.managed.name] if setup.desired.is_google_managed and setup.facts.managed else []
    assert world.names("ManagedCertificate") == kept
    assert world.names("Secret") == secrets
    assert world.annotation == (kept[0] if kept else None)
    world.kube.done.clear()
    assert world.retire(setup) == ()
    assert world.kube.done == []


@pytest.mark.parametrize("setup", [self_managed(), google_managed()], ids=["self-managed", "google-managed"])
def test_a_setup_with_nothing_to_retire_writes_nothing(world: World, setup: Setup) -> None:
    world.attach(setup)
    world.controllers_say("mcrt-1,k8s2-cr-1", "mcrt-1")
    assert world.retire(setup) == ()
    assert world.kube.done == []


def test_one_that_was_never_attached_goes_too(world: World) -> None:
    world.attach(self_managed())
    world.controllers_say("k8s2-cr-1", "")
    world.kube.create(certificate_objects.managed_certificate(google_managed().desired, TLS))
    setup = replace(self_managed(), facts=google_managed().facts)
    assert world.retire(setup)
    assert (world.kube.done, world.tls) == ([f"delete ManagedCertificate {TLS}"], [{"secretName": TLS}])


def test_an_adopted_secret_is_detached_and_stays(world: World) -> None:
    world.kube.put(certificate_objects.tls_secret(self_managed().desired, "theirs", PAIR), "kubectl")
    stage(Stage.CREATE_INGRESS, OneCluster(world.kube), certificates=FakeCertificates())(
        self_managed("theirs"), START
    )
    world.attach(google_managed())
    assert world.retire(google_managed())
    assert (world.tls, world.names("Secret")) == (None, ["theirs"])


def test_managed_certificates_of_others_stay_and_stay_attached(world: World) -> None:
    setup = changed_domain(world)
    other = certificate_objects.managed_certificate(setup.desired, "theirs")
    world.kube.put({**other, "metadata": {"namespace": "default", "name": "theirs"}}, "kubectl")
    world.kube.create(certificate_objects.managed_certificate(setup.desired, "another-milvus-tls"))
    world.kube.stored[INGRESS]["metadata"]["annotations"][ANNOTATION] += ",theirs"
    world.retire(setup)
    assert world.names("ManagedCertificate") == ["another-milvus-tls", f"{TLS}-2", "theirs"]
    assert world.annotation == f"{TLS}-2,theirs"


def test_what_changes_while_it_is_retired_is_left_for_the_next_look(world: World) -> None:
    setup = changed_domain(world)

    class Changing(Recording):
        def delete(self, live: Any) -> None:
            self.put(self.stored[replace(MANAGED, name=TLS)] | {"status": {}}, "controller")
            super().delete(live)

    world.kube = Changing(stored=world.kube.stored, owners=world.kube.owners, versions=world.kube.versions)
    with pytest.raises(Transient):
        world.retire(setup)
    assert world.names("ManagedCertificate") == [TLS, f"{TLS}-2"]
    assert world.annotation == f"{TLS}-2,{TLS}"


def test_an_ingress_that_is_gone_or_not_ours_retires_nothing(world: World) -> None:
    setup = changed_domain(world)
    live = world.kube.stored[INGRESS]
    world.kube.put({**live, "metadata": {**live["metadata"], "labels": {}}}, "helm")
    assert world.retire(setup) == ()
    del world.kube.stored[INGRESS]
    assert world.retire(setup) == ()
    assert world.kube.done == []


def test_nothing_is_deleted_while_the_ingress_itself_is_going(world: World) -> None:
    setup = changed_domain(world)
    world.kube.stored[INGRESS]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    with pytest.raises(Transient):
        world.retire(setup)
    assert world.kube.done == []


def test_drift_beside_the_certificates_is_not_repaired_here(world: World) -> None:
    setup = google_managed()
    world.attach(setup)
    world.kube.stored[INGRESS]["metadata"]["annotations"]["kubernetes.io/ingress.class"] = "nginx"
    assert world.retire(setup) == ()
    assert world.kube.done == []
