"""provision_certificate: one valid pair, never a key out of place."""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.domain.certificate import CertificateView, KeyPair, invalid
from shared.domain.errors import Permanent, Transient
from shared.domain.outcome import Done
from shared.domain.reasons import Reason
from shared.domain.setup import (
    CertificateFacts,
    CertificateSpec,
    CertificateType,
    Facts,
    ManagedFacts,
    ServiceFacts,
    Setup,
)
from shared.ports import ObjectRef
from shared.service.stages.provision_certificate import ProvisionCertificate
from tests.builders import new_setup
from tests.fakes.kube_objects import FakeKubeObjects, OneCluster
from tests.fakes.state import START

NAME = "my-release-milvus-tls"
SECRET = ObjectRef("v1", "Secret", "default", NAME)
DOMAIN = "my-release.milvus.io"


@dataclass
class FakeCertificates:
    """Pairs that are JSON: a key is its number, a certificate says what it is for."""

    issued: int = 0
    looked_at: list[KeyPair] = field(default_factory=list)

    def issue(self, domain: str, validity_days: int, now: datetime) -> KeyPair:
        self.issued += 1
        return pair(self.issued, domain, now + timedelta(days=validity_days))

    def inspect(self, pair: KeyPair) -> CertificateView:
        self.looked_at.append(pair)
        try:
            number, names, until = json.loads(pair.certificate_pem)
        except ValueError:
            raise invalid("garbage") from None
        is_pair = pair.key_pem == f"key-{number}"
        ends = datetime.fromisoformat(until)
        return CertificateView(f"sha-{number}", tuple(names), START, ends, is_pair, f"chain-{number}")


def pair(number: int, domain: str = DOMAIN, until: datetime = START + timedelta(days=9)) -> KeyPair:
    return KeyPair(f"key-{number}", json.dumps([number, [domain], until.isoformat()]))


def secret(pair: KeyPair, name: str = NAME, **changes: Any) -> dict[str, Any]:
    files = {"tls.crt": pair.certificate_pem, "tls.key": pair.key_pem}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"namespace": "default", "name": name, "labels": changes.pop("labels", {})},
        "type": "kubernetes.io/tls",
        "data": {key: b64encode(text.encode()).decode() for key, text in files.items()},
        **changes,
    }


OURS = {"app.kubernetes.io/managed-by": "milvus-l7"}


def ready_setup(**changes: Any) -> Setup:
    facts = Facts(service=ServiceFacts("my-release-milvus", "milvus", 19530))
    return replace(new_setup(**changes), facts=facts)


def adopting(name: str) -> Setup:
    return ready_setup(certificate=CertificateSpec(secret=name))


@dataclass
class World:
    kube: FakeKubeObjects = field(default_factory=FakeKubeObjects)
    certificates: FakeCertificates = field(default_factory=FakeCertificates)

    def run(self, setup: Setup | None = None, after_days: int = 0) -> CertificateFacts:
        stage = ProvisionCertificate(OneCluster(self.kube), self.certificates)
        found = stage(setup or ready_setup(), START + timedelta(days=after_days))
        assert isinstance(found, Done)
        assert found.facts is not None
        assert found.facts.certificate is not None
        return found.facts.certificate

    def refusal(self, setup: Setup | None = None) -> Permanent:
        with pytest.raises(Permanent) as refused:
            self.run(setup)
        return refused.value


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
        secret(pair(5, domain="other.io"), labels=OURS),
        secret(pair(5, until=START), labels=OURS),
        secret(KeyPair("key-6", pair(5).certificate_pem), labels=OURS),
        secret(KeyPair("key-5", "garbage"), labels=OURS),
        secret(pair(5), labels=OURS, data={}),
    ],
    ids=["other domain", "expired", "no pair", "garbage", "empty"],
)
def test_an_unfit_pair_of_ours_is_issued_anew(world: World, unfit: dict[str, Any]) -> None:
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
    stage = ProvisionCertificate(OneCluster(world.kube), world.certificates)
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
    stage = ProvisionCertificate(OneCluster(world.kube), world.certificates)
    outcome = stage(replace(setup, facts=replace(setup.facts, certificate=found)), START)
    assert isinstance(outcome, Done)
    assert outcome.facts is not None
    assert outcome.facts.certificate == found
