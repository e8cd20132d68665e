"""provision_certificate: one valid pair, never a key out of place."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from milvus_l7.application.stages.provision_certificate import ProvisionCertificate
from milvus_l7.domain.certificates.key_pair import KeyPair
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Transient
from milvus_l7.domain.setup.desired import CertificateSpec, CertificateType
from milvus_l7.domain.setup.document import Setup
from milvus_l7.domain.setup.facts import CertificateFacts, ManagedFacts
from milvus_l7.domain.setup.outcome import Done
from milvus_l7.ports import ObjectRef
from tests.fakes.kube_objects import FakeKubeObjects, OneCluster
from tests.fakes.provisioning import DOMAIN, NAME, OURS, SECRET, World, adopting, pair, ready_setup, secret
from tests.fakes.state import START


@pytest.fixture
def world() -> World:
    return World()


def test_a_pair_is_issued_and_its_public_half_kept(world: World) -> None:
    assert world.run() == CertificateFacts(NAME, "chain-1", "sha-1", START + timedelta(days=99999))
    assert world.kube.stored[SECRET]["metadata"]["labels"] == OURS
    assert world.kube.stored[SECRET]["type"] == "kubernetes.io/tls"


def test_the_validity_is_what_was_asked_for(world: World) -> None:
    found = world.run(ready_setup(certificate=CertificateSpec(validity_days=30)))
    assert found.not_after == START + timedelta(days=30)


def test_a_second_run_keeps_the_pair_and_writes_nothing(world: World) -> None:
    first = world.run()
    assert world.run() == first
    assert (world.kube.writes, world.certificates.issued) == (1, 1)


def test_a_pair_that_another_execution_made_first_is_used(world: World) -> None:
    class Racing(FakeKubeObjects):
        def create(self, manifest: Any) -> bool:
            self.put(secret(pair(77), labels=OURS), "milvus-l7")
            return super().create(manifest)

    world.kube = Racing()
    assert world.run().sha256 == "sha-77"


def test_a_foreign_secret_that_appears_meanwhile_is_refused(world: World) -> None:
    class Racing(FakeKubeObjects):
        def create(self, manifest: Any) -> bool:
            self.put(secret(pair(77)), "kubectl")
            return super().create(manifest)

    world.kube = Racing()
    assert world.refusal().reason is Reason.SECRET_NOT_OURS


@pytest.mark.parametrize(
    "unfit",
    [
        secret(pair(5, until=START), labels=OURS),
        secret(KeyPair("key-6", pair(5).certificate_pem), labels=OURS),
        secret(KeyPair("key-5", "garbage"), labels=OURS),
        secret(pair(5), labels=OURS, data={}),
    ],
    ids=["expired", "no pair", "garbage", "empty"],
)
def test_a_pair_of_ours_that_can_serve_nobody_is_issued_anew(world: World, unfit: dict[str, Any]) -> None:
    world.kube.put(unfit, "somebody")
    assert world.run().sha256 == "sha-1"
    assert world.run().sha256 == "sha-1"
    assert world.certificates.issued == 1


def test_of_two_renewals_only_one_replaces_the_key(world: World) -> None:
    class Racing(FakeKubeObjects):
        def get(self, ref: ObjectRef) -> Any:
            found = super().get(ref)
            self.put(secret(pair(88), labels=OURS), "milvus-l7")
            return found

    world.kube = Racing()
    world.kube.put(secret(pair(5, until=START), labels=OURS), "milvus-l7")
    with pytest.raises(Transient):
        world.run()
    assert world.kube.stored[SECRET]["data"] == secret(pair(88))["data"]


def test_a_foreign_secret_is_refused_and_left_alone(world: World) -> None:
    world.kube.put(secret(pair(5)), "kubectl")
    before = world.kube.stored[SECRET]
    assert world.refusal().reason is Reason.SECRET_NOT_OURS
    assert world.kube.stored[SECRET] == before


def test_a_foreign_secret_can_be_adopted_and_is_never_written(world: World) -> None:
    world.kube.put(secret(pair(5), "theirs"), "kubectl")
    before = dict(world.kube.stored)
    assert world.run(adopting("theirs")).secret == "theirs"
    assert (world.kube.stored, world.kube.writes, world.certificates.issued) == (before, 0, 0)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (secret(pair(5, domain="other.io"), "theirs"), "do not cover"),
        (secret(pair(5, until=START), "theirs"), "expired"),
        (secret(KeyPair("key-6", pair(5).certificate_pem), "theirs"), "not the key"),
        (secret(pair(5), "theirs", type="Opaque"), "of type"),
        (secret(pair(5), "theirs", data=None), "has no"),
    ],
)
def test_an_unfit_secret_is_not_adopted(world: World, found: dict[str, Any], words: str) -> None:
    world.kube.put(found, "kubectl")
    refused = world.refusal(adopting("theirs"))
    assert refused.reason is Reason.CERTIFICATE_INVALID
    assert words in refused.message
    assert "key-" not in refused.message


def test_a_missing_secret_cannot_be_adopted(world: World) -> None:
    assert world.refusal(adopting("theirs")).reason is Reason.SECRET_NOT_FOUND
    assert world.kube.stored == {}


def test_an_expired_pair_is_renewed_when_its_time_has_come(world: World) -> None:
    short = ready_setup(certificate=CertificateSpec(validity_days=30))
    assert world.run(short).sha256 == "sha-1"
    assert world.run(short, after_days=29).sha256 == "sha-1"
    assert world.run(short, after_days=30).sha256 == "sha-2"


# Google-managed

KIND = ObjectRef("networking.gke.io/v1", "ManagedCertificate", "default")


def managed_setup(last: str | None = None, **changes: Any) -> Setup:
    domain = changes.pop("domain", DOMAIN)
    spec = CertificateSpec(CertificateType.GOOGLE_MANAGED, **changes)
    setup = ready_setup(certificate=spec, domain=domain)
    facts = ManagedFacts(last, (DOMAIN,)) if last else None
    return replace(setup, facts=replace(setup.facts, managed=facts))


def managed_name(world: World, setup: Setup) -> str:
    stage = ProvisionCertificate(OneCluster(world.kube), world.certificates, world.ahead)
    found = stage(setup, START)
    assert isinstance(found, Done)
    assert found.facts is not None
    assert found.facts.managed is not None
    assert found.facts.managed.domains == setup.desired.domains
    return found.facts.managed.name


def report(world: World, name: str, status: str) -> None:
    """What the controller does, which also changes the object's version."""
    ref = replace(KIND, name=name)
    world.kube.put(world.kube.stored[ref] | {"status": {"certificateStatus": status}}, "controller")


def put_managed(world: World, name: str, labels: dict[str, str], *domains: str) -> None:
    metadata = {"namespace": "default", "name": name, "labels": labels}
    manifest = {"apiVersion": KIND.api_version, "kind": KIND.kind, "metadata": metadata}
    world.kube.put({**manifest, "spec": {"domains": list(domains or (DOMAIN,))}}, "somebody")


def test_a_managed_certificate_is_done_as_soon_as_it_exists(world: World) -> None:
    assert managed_name(world, managed_setup(domains=("b.io",))) == NAME
    made = world.kube.stored[replace(KIND, name=NAME)]
    assert made["spec"]["domains"] == [DOMAIN, "b.io"]
    assert made["metadata"]["labels"] == OURS
    assert world.certificates.issued == 0


def test_name_of_a_managed_certificate_is_stored_before_it_is_made(world: World) -> None:
    managed_name(world, managed_setup())
    managed_name(world, managed_setup(NAME))
    stored = [(facts.managed, writes) for facts, writes in world.ahead.stored]
    assert stored == [(ManagedFacts(NAME, (DOMAIN,)), 0)]


def test_a_second_run_keeps_the_managed_certificate_and_writes_nothing(world: World) -> None:
    managed_name(world, managed_setup())
    for status in ("Provisioning", "ProvisioningFailed", "Active", "ProvisioningFailedPermanently"):
        report(world, NAME, status)
        before = dict(world.kube.stored)
        assert managed_name(world, managed_setup(NAME)) == NAME
        assert (world.kube.stored, world.kube.writes) == (before, 1)


def test_other_domains_get_another_managed_certificate_and_the_first_is_left_alone(world: World) -> None:
    managed_name(world, managed_setup())
    before = world.kube.stored[replace(KIND, name=NAME)]
    assert managed_name(world, managed_setup(NAME, domain="other.io")) == f"{NAME}-2"
    assert world.kube.stored[replace(KIND, name=NAME)] == before


def test_going_back_to_earlier_domains_takes_the_earlier_certificate(world: World) -> None:
    managed_name(world, managed_setup())
    managed_name(world, managed_setup(NAME, domain="other.io"))
    assert managed_name(world, managed_setup(f"{NAME}-2")) == NAME
    assert world.kube.writes == 2


def test_one_that_failed_for_good_is_made_anew_if_asked(world: World) -> None:
    managed_name(world, managed_setup())
    report(world, NAME, "ProvisioningFailedPermanently")
    asked = managed_setup(NAME, recreate_failed=True)
    assert managed_name(world, asked) == f"{NAME}-2"
    assert managed_name(world, asked) == f"{NAME}-2"
    assert world.kube.writes == 2


def test_a_foreign_one_of_the_name_is_left_alone(world: World) -> None:
    put_managed(world, NAME, {})
    before = world.kube.stored[replace(KIND, name=NAME)]
    assert managed_name(world, managed_setup()) == f"{NAME}-2"
    assert world.kube.stored[replace(KIND, name=NAME)] == before


def test_the_name_of_one_that_was_just_deleted_is_not_used_again_at_once(world: World) -> None:
    assert managed_name(world, managed_setup(NAME)) == f"{NAME}-2"


def test_one_that_another_execution_made_first_is_used(world: World) -> None:
    class Racing(FakeKubeObjects):
        def create(self, manifest: Any) -> bool:
            if KIND not in {replace(ref, name="") for ref in self.stored}:
                put_managed(world, NAME, OURS)
            return super().create(manifest)

    world.kube = Racing()
    assert managed_name(world, managed_setup()) == NAME
    assert len(world.kube.stored) == 1


def test_another_execution_with_other_domains_does_not_get_in_the_way(world: World) -> None:
    class Racing(FakeKubeObjects):
        def create(self, manifest: Any) -> bool:
            if not self.stored:
                put_managed(world, NAME, OURS, "other.io")
            return super().create(manifest)

    world.kube = Racing()
    assert managed_name(world, managed_setup()) == f"{NAME}-2"


def test_one_that_vanishes_as_soon_as_it_is_made_is_waited_for(world: World) -> None:
    class Vanishing(FakeKubeObjects):
        def create(self, manifest: Any) -> bool:
            return True

    world.kube = Vanishing()
    with pytest.raises(Transient) as refused:
        managed_name(world, managed_setup())
    assert refused.value.reason is Reason.OBJECT_BEING_DELETED


def test_what_is_known_of_the_secret_stays_known(world: World) -> None:
    found = world.run()
    setup = managed_setup()
    stage = ProvisionCertificate(OneCluster(world.kube), world.certificates, world.ahead)
    outcome = stage(replace(setup, facts=replace(setup.facts, certificate=found)), START)
    assert isinstance(outcome, Done)
    assert outcome.facts is not None
    assert outcome.facts.certificate == found
